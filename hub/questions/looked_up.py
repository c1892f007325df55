"""The answers of a look-up, composed from what collections show. No I/O."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from hub.model.extensions import VIEW_EXTENSION
from hub.model.markings import LEVEL_OF_ID, PAP_ORDER, stated_pap
from hub.model.problems import Problem
from hub.model.times import has_passed, taxii_time
from hub.model.words import CanonicalKey, Level, StixObject
from hub.patterns import Observable, canonical, digests_together, host_of
from hub.questions.around import RELATION_OF, RELATIONS, Relation
from hub.questions.naming import digest_path
from hub.store.thing_port import LookedUpView

MOST_OF_EACH = 50
"""How many entries of ``found``, of ``related``, and of each relation of ``within`` an answer has."""
ShownState = Literal["live", "expired", "withdrawn"]
_STATES: Sequence[ShownState] = ("live", "expired", "withdrawn")
Cut = Literal["found", "network", "name", "url", "related"]

# ---------------------------------------------------------------- the answer


@dataclass(frozen=True, slots=True, eq=False)
class ShownObject:
    """What one collection shows, or last showed, of a thing. Of a withdrawn observable only its id is left."""

    collection: str
    id: str
    type: str
    state: ShownState
    changed: str
    """``date_added`` of its newest change."""
    confidence: int | None
    level: Level | None
    pap: str | None
    valid_from: str | None
    valid_until: str | None
    indicator_types: tuple[str, ...]
    labels: tuple[str, ...]
    sources: tuple[StixObject, ...]
    """As the object names them: ``name``, ``first``, ``last``."""
    voices: int | None
    sightings: int | None
    false_positives: int | None

    @property
    def rank(self) -> tuple[int, str, str, str]:
        """What is live comes first."""
        return _STATES.index(self.state), self.collection, self.type, self.id


@dataclass(frozen=True, slots=True)
class NearObject:
    """Something live around a value; see ``hub.questions.around.Near``."""

    relation: Relation
    value: str
    shown: ShownObject


@dataclass(frozen=True, slots=True)
class RelatedDigest:
    """Another digest of the same file, and the object that gives both."""

    digest: Observable
    shown: ShownObject


@dataclass(frozen=True, slots=True)
class LookedUp:
    """The answer about one value."""

    asked: str
    meant: Observable
    """The likeliest reading of the text."""
    found: tuple[ShownObject, ...]
    within: tuple[NearObject, ...]
    related: tuple[RelatedDigest, ...]
    cut: tuple[Cut, ...]
    """Of what there is more than is named."""


# ---------------------------------------------------------------- what is looked for


@dataclass(slots=True)
class SoughtValue:
    """One text as it was read, and where answers to it are found."""

    asked: str
    readings: tuple[Observable, ...]
    """All that it may be, likeliest first; never empty."""
    things: Collection[CanonicalKey]
    """The things of the readings themselves."""
    covering: Sequence[Observable]
    """The networks and names that contain it, the narrowest first."""
    hosts: frozenset[str]
    """It as the host of URLs."""


# ---------------------------------------------------------------- composing


@dataclass(slots=True)
class ShownIndex:
    """What collections show, by all that it is looked for with."""

    by_thing: defaultdict[CanonicalKey, list[ShownObject]] = field(default_factory=lambda: defaultdict(list))
    by_value: defaultdict[Observable, list[ShownObject]] = field(default_factory=lambda: defaultdict(list))
    by_host: defaultdict[str, list[tuple[str, ShownObject]]] = field(default_factory=lambda: defaultdict(list))
    by_digest: defaultdict[Observable, list[RelatedDigest]] = field(default_factory=lambda: defaultdict(list))


def shown_for(
    sought: Iterable[SoughtValue], views: Iterable[LookedUpView], names: Mapping[int, str], today_us: int | None
) -> ShownIndex:
    """What these views show of what is looked for. ``names``: of the collections, by number."""
    values, hosts = set[Observable](), set[str]()
    for one in sought:
        values.update(one.readings, one.covering)
        hosts |= one.hosts
    found, asserted = ShownIndex(), _Asserted()
    for view in views:
        obj: StixObject = orjson.loads(view.body) if view.body else {}
        shown = _shown_object(view, obj, names[view.collection], today_us)
        found.by_thing[view.thing].append(shown)
        for value in asserted.of(view.thing, obj):
            if value in values:
                found.by_value[value].append(shown)
            if hosts and value.kind == "url" and (host := host_of(value.value)) in hosts:
                found.by_host[host].append((value.value, shown))
        for group in asserted.together(view.thing, obj) if shown.state != "withdrawn" else ():
            for value in group & values:
                found.by_digest[value] += [RelatedDigest(other, shown) for other in group - {value}]
    return found


def answer_for(sought: SoughtValue, shown: ShownIndex) -> LookedUp:
    """The answer about one value."""
    cut: list[Cut] = []
    same = {id(one): one for thing in sought.things for one in shown.by_thing.get(thing, ())}
    same.update((id(one), one) for value in sought.readings for one in shown.by_value.get(value, ()))
    found = _first(same.values(), lambda one: one.rank, "found", cut)
    near = _near(sought, shown)
    within: list[NearObject] = []
    for relation in RELATIONS:
        within += _first([one for one in near if one.relation == relation], lambda _: 0, relation, cut)
    others = {(one.digest, id(one.shown)): one for value in sought.readings for one in shown.by_digest.get(value, ())}
    related = _first(
        others.values(), lambda one: (one.digest.path, one.digest.value, *one.shown.rank), "related", cut
    )  # fmt: skip
    return LookedUp(
        sought.asked, sought.readings[0], tuple(found), tuple(within), tuple(related), tuple(dict.fromkeys(cut))
    )


def _first(some: Iterable[Any], rank: Callable[[Any], Any], what: Cut, cut: list[Cut]) -> list[Any]:
    ranked = sorted(some, key=rank)
    if len(ranked) > MOST_OF_EACH:
        cut.append(what)
    return ranked[:MOST_OF_EACH]


def _near(sought: SoughtValue, shown: ShownIndex) -> list[NearObject]:
    """What is live around a value, the narrowest first."""
    ranked = [
        (at, NearObject(RELATION_OF[value.kind], value.value, one))
        for at, value in enumerate(sought.covering)
        for one in shown.by_value.get(value, ())
    ]
    ranked += [
        (0, NearObject("url", value, one)) for host in sought.hosts for value, one in shown.by_host.get(host, ())
    ]
    live = [(at, one) for at, one in ranked if one.shown.state == "live"]
    live.sort(key=lambda pair: (pair[0], pair[1].value, pair[1].shown.collection, pair[1].shown.id))
    return [one for _, one in live]


@dataclass(slots=True)
class _Asserted:
    """What objects say of values. A pattern is read once, though several collections show it."""

    _values: dict[CanonicalKey, Sequence[Observable]] = field(default_factory=dict)
    _together: dict[CanonicalKey, Sequence[frozenset[Observable]]] = field(default_factory=dict)

    def of(self, thing: CanonicalKey, obj: StixObject) -> Sequence[Observable]:
        """The values that an object asserts alone."""
        if not obj:
            return ()
        if obj["type"] != "indicator":
            return _values_of(obj)
        if obj.get("pattern_type") != "stix":
            return ()
        if thing not in self._values:
            pattern = obj["pattern"]
            read = canonical(pattern, limit_chars=2 * len(pattern) + 1)
            self._values[thing] = () if isinstance(read, Problem) else read.asserted
        return self._values[thing]

    def together(self, thing: CanonicalKey, obj: StixObject) -> Sequence[frozenset[Observable]]:
        """The digests that an object gives to one file."""
        if obj.get("type") == "file":
            return (frozenset(_values_of(obj)),)
        if obj.get("pattern_type") != "stix":
            return ()
        if thing not in self._together:
            self._together[thing] = digests_together(obj["pattern"])
        return self._together[thing]


def _values_of(obj: StixObject) -> Sequence[Observable]:
    """The values of an observable that is shown."""
    kind = obj["type"]
    if kind == "file":
        digests = (obj.get("hashes") or {}).items()
        return [Observable(kind, digest_path(name), one) for name, one in digests if isinstance(one, str)]
    value = obj.get("value")
    return (Observable(kind, "value", value),) if isinstance(value, str) else ()


def _shown_object(view: LookedUpView, obj: StixObject, collection: str, today_us: int | None) -> ShownObject:
    said = (obj.get("extensions") or {}).get(VIEW_EXTENSION) or {}
    levels = [LEVEL_OF_ID[ref] for ref in obj.get("object_marking_refs") or () if ref in LEVEL_OF_ID]
    labels = tuple(obj.get("labels") or ())
    paps = [pap for pap in map(stated_pap, labels) if pap is not None]
    return ShownObject(
        collection=collection,
        id=view.object_id,
        type=view.type,
        state=_state(view, obj, today_us),
        changed=taxii_time(view.dated_us),
        confidence=obj.get("confidence"),
        level=max(levels) if levels else None,
        pap=PAP_ORDER[max(paps)].lower() if paps else None,
        valid_from=obj.get("valid_from"),
        valid_until=obj.get("valid_until"),
        indicator_types=tuple(obj.get("indicator_types") or ()),
        labels=labels,
        sources=tuple(said.get("sources") or ()),
        voices=said.get("voices"),
        sightings=said.get("sightings"),
        false_positives=said.get("false_positives"),
    )


def _state(view: LookedUpView, obj: StixObject, today_us: int | None) -> ShownState:
    if not view.alive or obj.get("revoked") is True:
        return "withdrawn"
    return "expired" if has_passed(obj.get("valid_until"), today_us) else "live"
