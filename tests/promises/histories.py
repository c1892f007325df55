"""Random histories: what several centres might say to a hub, in batches, with operators' events in between.

Withdrawals stand, are soft, or are taken back; what was withdrawn comes again, as with the next full read of a source.

Small pools of ids, values and times make collisions likely: contested ids, equal versions, circles, late definitions.
Each history grows from one random number, which a failing test names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, TypeVar

import hypothesis.strategies as st

from hub.model.extensions import VIEW_EXTENSION
from hub.model.policy import MEMBERS_CLAIM, Source, SourceKind, Widths
from hub.model.words import Level, Naming, SourceName, StixId, Withdrawal
from tests.story import START_US, TLP, moment, uid

CENTRES = ("ro", "it", "pl")
MEMBERS = ("lab", "shop")
SOURCES = (*CENTRES, *MEMBERS)
IDENTITY = {name: f"identity--{uid('centre', name)}" for name in SOURCES}
GROUP = "health"
GROUP_MARKING = {
    name: f"marking-definition--{uid('groups', name)}" for name in ("public", "community", "network", GROUP)
}
"""The markings of the groups that a hub has by itself, and of one more."""
VALUES = ("198.51.100.7", "203.0.113.9")
WIDE = "203.0.0.0/12"
"""A network that lists made for blocking take from a few centres only."""
PAPS = {
    "marking-definition--c43594d1-4b11-4c59-93ab-1c9b14d53ce9": "PAP:GREEN",
    "marking-definition--740d36e5-7714-4c30-961a-3ae632ceee0e": "PAP:RED",
}
SPELLINGS = (
    "[ipv4-addr:value = '{}']",
    "[ ipv4-addr:value='{}/32' ]",
    "[ipv4-addr:value IN ('{}')]",
    "([ipv4-addr:value = '{}'])",
)


@dataclass(frozen=True)
class Said:
    """One message of a centre or a member: an object, or an id to withdraw (``obj`` None)."""

    centre: str
    stix_id: str
    obj: dict[str, Any] | None
    by_hub_id: tuple[str, int] | None = None
    """The (first) reference under this property is an id that the hub made for ``public``: the one of this number of
    what it shows there at that time.
    """
    withdrawal: Withdrawal = Withdrawal.SOFT
    """How it withdraws, if it has no object."""
    place: int | None = None
    """Where it stands in its batch, when others are left out."""


@dataclass(frozen=True)
class Batch:
    """What is told at one time."""

    said: tuple[Said, ...]


@dataclass(frozen=True)
class Changed:
    """The operator changes a centre."""

    centre: str
    fields: tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Waited:
    """Days pass, and the date is set."""

    days: int


@dataclass(frozen=True)
class Set:
    """The operator sets a value of the policy."""

    key: str
    value: str


@dataclass(frozen=True)
class Pinned:
    """The operator lets an author come first under an id, or the usual rule decide again."""

    stix_id: str
    author: str | None


Event = Batch | Changed | Waited | Set | Pinned


@dataclass(frozen=True)
class History:
    """How the centres are at first, and what happens then."""

    settings: dict[str, dict[str, Any]]
    events: tuple[Event, ...] = field(default=(), repr=False)

    def messages(self) -> Iterator[Said]:
        """All that is said, in order."""
        for event in self.events:
            if isinstance(event, Batch):
                yield from event.said


# ---------------------------------------------------------------- ids

VENDORS = [f"identity--{uid('vendor', n)}" for n in range(2)]
VENDOR = f"identity--{uid('vendor', 2)}"
MARKINGS = [f"marking-definition--{uid('statement', n)}" for n in range(2)]
T = TypeVar("T")


@dataclass(frozen=True)
class Pool:
    """Which ids a centre uses. ``contested``: all centres the same ones, of which each may claim any."""

    contested: bool = True

    def own(self, kind: str, centre: str, n: int) -> str:
        """The ``n``-th id (0 or 1) under which a centre claims something."""
        contested = self.contested and kind not in ("ipv4-addr", "network-traffic")
        return f"{kind}--{uid(kind, n if contested else f'{centre} {n}')}"

    def marking(self, centre: str, n: int) -> str:
        """The ``n``-th id under which a centre defines a marking of its own."""
        return MARKINGS[n] if self.contested else f"marking-definition--{uid('statement', centre, n)}"

    def vendors(self, centre: str) -> list[str]:
        """The third parties that a centre describes."""
        return (
            VENDORS if self.contested else [VENDORS[CENTRES.index(centre) % 2]] if centre != CENTRES[-1] else [VENDOR]
        )


_HOW = (Withdrawal.STANDS, Withdrawal.STANDS, Withdrawal.SOFT, Withdrawal.RESTORE)
LABELS = ("botnet", "botnet", "c2", "c2", "tlp:amber", "tlp:amber", "PAP:GREEN", "PAP:RED", "tlp:mauve")
_OWN_REFERENCES = frozenset({"created_by_ref", "object_marking_refs"})
SPOKEN_OF = ("indicator", "malware", "relationship", "report", "note", "grouping", "ipv4-addr")
NO_VERSIONS = frozenset({"ipv4-addr", "network-traffic"})


# ---------------------------------------------------------------- objects


class Teller:
    """Makes up messages."""

    def __init__(self, seed: int | str, pool: Pool) -> None:
        self.random = Random(seed)
        self.pool = pool
        self.said: list[Said] = []
        self.repeats = Random(f"{seed} again")
        """Decides how what was said is withdrawn and comes again; of its own, so that it changes nothing else."""

    def again(self) -> list[Said]:
        """Withdrawals of what was said and objects that come again after it, often of one id, in any order."""
        random = self.repeats
        old = [one for one in self.said if one.obj is not None and one.by_hub_id is None]
        if not old or random.random() < 0.5:
            return []
        first = random.choice(old)
        same = [one for one in old if (one.centre, one.stix_id) == (first.centre, first.stix_id)]
        withdrawn = [Said(first.centre, first.stix_id, None, withdrawal=how) for how in _HOW]
        return random.choices([*withdrawn, *same, *same], k=random.randint(1, 4))

    def one_of(self, values: Sequence[T]) -> T:
        """Any of these."""
        return self.random.choice(values)

    def maybe(self, share: float) -> bool:
        """True as often as this."""
        return self.random.random() < share

    def some(self, values: Sequence[T], least: int, most: int) -> list[T]:
        """Some of these, in any order, each once."""
        return self.random.sample(values, self.random.randint(least, min(most, len(values))))

    def spoken_of(self, *kinds: str) -> str:
        """An id that somebody may claim."""
        return self.pool.own(self.one_of(kinds), self.one_of(CENTRES), self.random.randrange(2))

    def message(self) -> Said:
        """One message: an object, or a withdrawal of what was said."""
        if self.said and self.maybe(0.12):
            old = self.one_of(self.said)
            found = Said(old.centre, old.stix_id, None)
        else:
            found = self.definition() if self.maybe(0.06) else self.object()
        self.said.append(found)
        return found

    def object(self) -> Said:
        """A new object, or another version of what the same centre has said."""
        return self.object_of(self.one_of(CENTRES), self.one_of(list(_FILL)))

    def object_of(self, centre: str, kind: str) -> Said:
        """The same, of a centre and a type."""
        if kind == "identity":
            stix_id = self.one_of(self.pool.vendors(centre) if self.maybe(0.9) else [IDENTITY[centre]])
        else:
            stix_id = self.pool.own(kind, centre, self.random.randrange(2))
        found = self.common(kind, stix_id, centre)
        _FILL[kind](self, found)
        if self.maybe(0.15):
            found["granular_markings"] = [self.granular(found, centre) for _ in range(self.random.randint(1, 2))]
        return Said(centre, stix_id, found, self.by_hub_id(found) if self.pool.contested else None)

    def by_hub_id(self, found: dict[str, Any]) -> tuple[str, int] | None:
        """Now and then a reference of this object to something that the hub made."""
        names = [name for name in found if name.endswith(("_ref", "_refs")) and name not in _OWN_REFERENCES]
        share = 0.5 if found["type"] == "sighting" else 0.15
        return (self.one_of(names), self.random.randrange(4)) if names and self.maybe(share) else None

    def granular(self, found: dict[str, Any], centre: str) -> dict[str, Any]:
        """A marking of one part: a level, a group, or what the centre itself has defined."""
        name = self.one_of(sorted(found.keys() - {"granular_markings"}))
        selector = f"{name}.[0]" if isinstance(found[name], list) and self.maybe(0.5) else name
        own = [self.pool.marking(centre, n) for n in range(2)]
        return {"marking_ref": self.one_of([*TLP.values(), *GROUP_MARKING.values(), *own]), "selectors": [selector]}

    def common(self, kind: str, stix_id: str, centre: str) -> dict[str, Any]:
        """What every object may have."""
        found: dict[str, Any] = {"type": kind, "spec_version": "2.1", "id": stix_id}
        if kind not in NO_VERSIONS:
            found |= {"created": moment(-7200), "modified": moment(-3600 + self.random.randrange(6))}
            if author := self.one_of([None, None, IDENTITY[centre], *VENDORS]):
                found["created_by_ref"] = author
            if self.maybe(0.1):
                found["revoked"] = True
            if self.maybe(0.4):
                found["confidence"] = self.one_of([0, 10, 55, 90])
            if self.maybe(0.3):
                found["labels"] = self.some(LABELS, 1, 2)
        if markings := self.markings(centre):
            found["object_marking_refs"] = markings
        if self.maybe(0.2):
            found["external_references"] = [{"source_name": f"portal of {centre}", "url": "https://portal.example/1"}]
        return found

    def markings(self, centre: str) -> list[str]:
        """A level, or groups, or statements, or none."""
        found = (
            [TLP[self.one_of(["clear", "green", "green", "amber", "amber+strict", "red"])]] if self.maybe(0.7) else []
        )
        if self.maybe(0.3):
            own = [self.pool.marking(centre, n) for n in range(2)]
            found += self.some([GROUP_MARKING[GROUP], *GROUP_MARKING.values(), *own, *own], 1, 2)
        if self.maybe(0.1):
            found.append(self.one_of(list(PAPS)))
        return list(dict.fromkeys(found))

    def definition(self) -> Said:
        """A centre's own marking-definition, which may decide what its objects' marking means."""
        centre = self.one_of(CENTRES)
        stix_id = self.pool.marking(centre, self.random.randrange(2))
        found: dict[str, Any] = {
            "type": "marking-definition", "spec_version": "2.1", "id": stix_id, "created": moment(-7200),
            "definition_type": "statement",
            "definition": {"statement": self.one_of(["Ask first", "Ask us", "PAP:RED", "TLP:AMBER", "TLP:MAUVE"])},
        }  # fmt: skip
        if self.maybe(0.5):
            found["created_by_ref"] = IDENTITY[centre]
        return Said(centre, stix_id, found)


# ---------------------------------------------------------------- what each type has of its own


def _indicator(teller: Teller, found: dict[str, Any]) -> None:
    usual = teller.one_of(SPELLINGS).format(teller.one_of(VALUES))
    found["pattern"] = f"[ipv4-addr:value = '{WIDE}']" if teller.maybe(0.15) else usual
    found["pattern_type"] = "stix"
    found["valid_from"] = moment(-7200 + teller.random.randrange(3) * 40_000)
    if teller.maybe(0.5):
        found["valid_until"] = moment(900_000 + teller.random.randrange(3))
    if teller.maybe(0.5):
        found["name"] = teller.one_of(["a", "b"])
    if teller.maybe(0.5):
        found["description"] = teller.one_of(["about a", "about b"])
        found["lang"] = teller.one_of(["en", "ro"])
    found["indicator_types"] = teller.some(["benign", "unknown"], 1, 2)
    if teller.maybe(0.1):
        found["x_about_ref"] = teller.spoken_of("malware", "report", "indicator")


def _malware(teller: Teller, found: dict[str, Any]) -> None:
    found |= {"name": teller.one_of(["m", "n"]), "is_family": teller.maybe(0.5)}
    if teller.maybe(0.3):
        found["x_seen_with_refs"] = [teller.spoken_of("malware", "ipv4-addr") for _ in range(2)]


def _relationship(teller: Teller, found: dict[str, Any]) -> None:
    source = teller.spoken_of("indicator", "indicator", "malware", "ipv4-addr", "report")
    target = teller.spoken_of("malware", "malware", "indicator", "report")
    if teller.maybe(0.15):
        target = teller.one_of([*IDENTITY.values(), VENDORS[0]])
    found |= {"relationship_type": "related-to", "source_ref": source, "target_ref": target}
    if teller.maybe(0.4):
        found["start_time"] = moment(-7200 + teller.random.randrange(2))
    if teller.maybe(0.4):
        found["stop_time"] = moment(teller.random.randrange(2))


def _sighting(teller: Teller, found: dict[str, Any]) -> None:
    found["sighting_of_ref"] = teller.spoken_of("indicator", "indicator", "indicator", "malware", "report")
    if teller.maybe(0.4):
        found["where_sighted_refs"] = [teller.one_of([*IDENTITY.values(), VENDORS[0]])]


def _container(**more: Any) -> Callable[[Teller, dict[str, Any]], None]:
    def fill(teller: Teller, found: dict[str, Any]) -> None:
        kinds = ("report", "note", "grouping", *SPOKEN_OF)
        found["object_refs"] = list(dict.fromkeys(teller.spoken_of(*kinds) for _ in range(teller.random.randint(1, 3))))
        found |= more

    return fill


def _identity(teller: Teller, found: dict[str, Any]) -> None:
    found |= {"name": teller.one_of(["vendor", "VENDOR"]), "identity_class": "organization"}


def _address(teller: Teller, found: dict[str, Any]) -> None:
    found["value"] = teller.one_of(VALUES)


def _traffic(teller: Teller, found: dict[str, Any]) -> None:
    found |= {"protocols": ["tcp"], "src_ref": teller.spoken_of("ipv4-addr")}
    if teller.maybe(0.5):
        found |= teller.one_of([{"is_active": True}, {"end": moment(-9000)}, {"start": moment(-8000)}])


def _opinion(teller: Teller, found: dict[str, Any]) -> None:
    found["object_refs"] = list(
        dict.fromkeys(teller.spoken_of("indicator", "indicator", "malware") for _ in range(teller.random.randint(1, 2)))
    )
    found["opinion"] = teller.one_of(["strongly-disagree", "strongly-disagree", "strongly-agree", "disagree"])
    if teller.maybe(0.8):
        found["labels"] = [*found.get("labels", ()), teller.one_of(["false-positive", "false-positive", "outdated"])]


def _observed(teller: Teller, found: dict[str, Any]) -> None:
    found |= {"first_observed": moment(-9000), "last_observed": moment(-8000), "number_observed": 1}
    if teller.maybe(0.3):
        found["object_refs"] = [teller.spoken_of("ipv4-addr", "network-traffic")]
        return
    found["objects"] = {"0": {"type": "ipv4-addr", "value": teller.one_of(VALUES)}}
    if teller.maybe(0.5):
        found["objects"]["1"] = {"type": "network-traffic", "protocols": ["tcp"], "src_ref": "0"}
    if teller.maybe(0.5):  # as STIX 2.0 has it
        del found["spec_version"]
        found.pop("confidence", None)


_FILL: dict[str, Callable[[Teller, dict[str, Any]], None]] = {
    "indicator": _indicator,
    "malware": _malware,
    "relationship": _relationship,
    "sighting": _sighting,
    "report": _container(name="r", published=moment(-7200)),
    "note": _container(content="n"),
    "grouping": _container(name="g", context="unspecified"),
    "identity": _identity,
    "ipv4-addr": _address,
    "network-traffic": _traffic,
    "observed-data": _observed,
}


_FEEDBACK: dict[str, Callable[[Teller, dict[str, Any]], None]] = {
    "sighting": _sighting,
    "opinion": _opinion,
    "note": _container(content="of a member"),
}


class Reporter(Teller):
    """Makes up what members say, and the opinions of centres."""

    def object(self) -> Said:
        """A new object, or another version of what the same source has said."""
        name = self.one_of([*MEMBERS, *MEMBERS, *CENTRES])
        kind = "opinion" if name in CENTRES else self.one_of(["sighting", "sighting", "opinion", "opinion", "note"])
        stix_id = self.pool.own(kind, name, self.random.randrange(2))
        found = self.common(kind, stix_id, name)
        _FEEDBACK[kind](self, found)
        if self.maybe(0.3):
            about = {
                "extension_type": "property-extension",
                "about": self.one_of(SPELLINGS).format(self.one_of(VALUES)),
            }
            found["extensions"] = {VIEW_EXTENSION: about}
        if self.maybe(0.1):
            found["granular_markings"] = [self.granular(found, name)]
        by_hub_id = self.by_hub_id(found) if self.pool.contested and "extensions" not in found else None
        return Said(name, stix_id, found, by_hub_id)

    def definition(self) -> Said:
        """Members define no markings."""
        return self.object()


# ---------------------------------------------------------------- centres, operators, histories

_SETTINGS: dict[str, Sequence[Any]] = {
    "naming": (Naming.NAMED, Naming.NAMED, Naming.ALIAS, Naming.ANONYMOUS),
    "trust": (100, 100, 50, 0),
    "ceiling": (Level.RED, Level.RED, Level.AMBER_STRICT, Level.GREEN),
    "default_level": (Level.AMBER, Level.GREEN, Level.GREEN, Level.CLEAR),
    "amber_to": (("network",), ("network", GROUP)),
    "widest_blocked": (Widths(16, 29), Widths(16, 29), Widths(12, 29), Widths(24, 29)),
}


def a_history(
    seed: int,
    *,
    contested: bool = True,
    operators: bool = True,
    kinds: Sequence[str] = (),
    repeats: bool = True,
    dates: bool = False,
) -> History:
    """The history that grows from a number. ``repeats``: what was said is withdrawn in all ways and comes again.
    ``dates``: days pass in it, most indicators expire, and operators decide whose an id is.
    """
    history = _a_history(seed, contested=contested, operators=operators, kinds=kinds, repeats=repeats)
    if dates:
        history = with_dates(history, Teller(f"dates {seed}", Pool(contested)))
    return with_pins(history, Random(f"pins {seed}")) if dates and operators else history


def _a_history(seed: int, *, contested: bool, operators: bool, kinds: Sequence[str], repeats: bool) -> History:
    teller, reporter = Teller(seed, Pool(contested)), Reporter(seed ^ 0x5EED, Pool(contested))
    settings = {
        name: {"alias": f"centre {i}", **{key: teller.one_of(values) for key, values in _SETTINGS.items()}}
        for i, name in enumerate(CENTRES)
    }
    for name in MEMBERS:
        settings[name] = {"naming": reporter.one_of([Naming.ANONYMOUS, Naming.NAMED])}
    events: list[Event] = []
    for _ in range(teller.random.randint(3, 9)):
        if operators and teller.maybe(0.2):
            name = teller.one_of([*_SETTINGS, "suspended"])
            value = teller.maybe(0.6) if name == "suspended" else teller.one_of(_SETTINGS[name])
            events.append(Changed(teller.one_of(CENTRES), ((name, value),)))
        else:
            said = [teller.message() for _ in range(teller.random.randint(1, 9))]
            if repeats:
                said += teller.again()
            for _ in range(reporter.random.randint(0, 3)):
                said.insert(reporter.random.randint(0, len(said)), reporter.message())
            placed = [replace(one, place=place) for place, one in enumerate(said)]
            events.append(Batch(tuple(one for one in placed if not kinds or _kind(one) in kinds)))
        if operators and reporter.maybe(0.05):
            events.append(Changed(reporter.one_of(MEMBERS), (("suspended", reporter.maybe(0.6)),)))
    return History(settings, tuple(events))


_DAY_S = 86_400
_ENDS = (-32, -30, -29, -29, -28, -28, -27, -26, 2, None)
"""After how many days an indicator ends: the grace of most is over in the next few days, of some it is already."""


_VALUES = {
    "grace": ("30d", "forever", "0d", "28d"),
    "confidence.ipv4-addr": ("1d=50,3d=0", "21d=10", "none"),
    "confidence.any": ("2d=90", "none"),
    "validity.default.ipv4-addr": ("2d", "20d", "none"),
    "validity.longest.any": ("1d", "40d", "none"),
}


def with_dates(history: History, teller: Teller) -> History:
    """The same messages and more indicators, all of which end at various times, and days that pass between them."""
    events: list[Event] = []
    random = teller.random
    days = 0
    for event in history.events:
        if isinstance(event, Batch):
            more = [
                replace(teller.object_of(teller.one_of(CENTRES), "indicator"), place=50 + n)
                for n in range(random.randint(1, 4))
            ]
            event = Batch(tuple(_ending(one, days, random) for one in (*event.said, *more)))
        events.append(event)
        if random.random() < 0.6:
            days += (waited := random.choice([1, 1, 1, 2, 3, 30]))
            events.append(Waited(waited))
        if random.random() < 0.15:
            key = random.choice(list(_VALUES))
            events.append(Set(key, random.choice(_VALUES[key])))
    return replace(history, events=tuple(events))


def with_pins(history: History, random: Random) -> History:
    """The same history in which operators decide now and then whose an id is that is used in it."""
    events: list[Event] = []
    ids: dict[str, None] = {}
    authors = [*IDENTITY.values(), *VENDORS, None]
    for event in history.events:
        events.append(event)
        if isinstance(event, Batch):
            ids |= dict.fromkeys(one.stix_id for one in event.said)
        if ids and random.random() < 0.2:
            events.append(Pinned(random.choice(list(ids)), random.choice(authors)))
    return replace(history, events=tuple(events))


def _ending(one: Said, day: int, random: Random) -> Said:
    if one.obj is None or _kind(one) != "indicator":
        return one
    days = random.choice(_ENDS)
    end = None if days is None else moment((day + days) * _DAY_S + random.choice([0, 0, 3600]))
    obj = {**one.obj, "valid_from": moment(-60 * _DAY_S + random.randrange(3) * 40_000), "valid_until": end}
    obj["modified"] = moment(-3600 - random.choice([0, 0, 10, 20]) * _DAY_S + random.randrange(6))
    obj["created"] = moment(-50 * _DAY_S)
    return replace(one, obj={name: value for name, value in obj.items() if value is not None})


def _kind(one: Said) -> str:
    return one.stix_id.partition("--")[0]


def histories(**how: Any) -> st.SearchStrategy[History]:
    """Numbers from which histories grow; nothing is gained by making them smaller."""
    return st.integers(0, 2**32).map(lambda seed: a_history(seed, **how))


def sources_of(settings: dict[str, dict[str, Any]]) -> list[Source]:
    """The sources of a history with these settings, numbered from 1; the members are accredited by the first centre."""
    found = [
        Source(no, SourceName(name), StixId(IDENTITY[name]), "RO", START_US, **settings[name])
        for no, name in enumerate(SOURCES, 1)
    ]
    return [
        one
        if one.name in CENTRES
        else replace(one, kind=SourceKind.MEMBER, may_claim=MEMBERS_CLAIM, amber_to=found[0].amber_to, accredited_by=1)
        for one in found
    ]


def without(history: History, centre: str) -> History:
    """The history in which a centre says nothing."""
    return replace(
        history,
        events=tuple(
            replace(event, said=tuple(one for one in event.said if one.centre != centre))
            if isinstance(event, Batch)
            else event
            for event in history.events
        ),
    )
