"""Dense histories: random ones into which scenes are woven, each of which makes one kind of event likely to matter.

The ids and values are those of all histories, so that scenes get in the way of one another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import hypothesis.strategies as st

from hub.model.words import Level, Naming, Withdrawal
from tests.promises.histories import (
    _FEEDBACK,
    _FILL,
    CENTRES,
    GROUP,
    GROUP_MARKING,
    IDENTITY,
    MEMBERS,
    NO_VERSIONS,
    SPELLINGS,
    VALUES,
    VENDORS,
    Batch,
    Changed,
    Event,
    History,
    Pinned,
    Pool,
    Said,
    Set,
    Teller,
    Waited,
    a_history,
)
from tests.story import TLP, moment

Step = Said | Event | Callable[[int], Said]
"""A message, an operator's event, or what is said after so many days."""
_PLACES = 60
"""The places of their messages in a batch begin here."""
_DAY_S = 86_400


class Director(Teller):
    """Makes up scenes."""

    def __init__(self, seed: int, pool: Pool) -> None:
        super().__init__(f"scenes {seed}", pool)
        self.versions = 0

    def claim(self, centre: str, kind: str, n: int = 0, **more: Any) -> Said:
        """An object that almost everybody sees, newer than most versions of it."""
        self.versions += self.random.randint(1, 9)
        stix_id = more.pop("id", None) or self.pool.own(kind, centre, n)
        found: dict[str, Any] = {"type": kind, "spec_version": "2.1", "id": stix_id}
        if kind not in NO_VERSIONS:
            found |= {"created": moment(-7200), "modified": moment(-3500 + self.versions)}
        found["object_marking_refs"] = [TLP[self.one_of(["clear", "clear", "green"])]]
        (_FILL | _FEEDBACK)[kind](self, found)
        found |= more
        return Said(centre, stix_id, {name: value for name, value in found.items() if value is not None})

    def centre(self) -> str:
        """Any centre."""
        return self.one_of(CENTRES)

    def some_centres(self, number: int) -> list[str]:
        """Several centres."""
        return self.some(CENTRES, number, number)

    def verdict(self, source: str, of: str, opinion: str, labels: list[str] | None) -> Said:
        """An opinion."""
        said: dict[str, Any] = {
            "object_refs": [of],
            "opinion": opinion,
            "labels": labels,
            "object_marking_refs": [TLP["clear"]],
        }
        return self.claim(source, "opinion", **said)

    def indicator(self, centre: str, value: str, n: int = 0, **more: Any) -> Said:
        """An indicator that lasts."""
        pattern = self.one_of(SPELLINGS).format(value)
        return self.claim(centre, "indicator", n, pattern=pattern, **{"valid_until": None, **more})


# ---------------------------------------------------------------- scenes


def contested(director: Director) -> list[Step]:
    """Centres claim one id; then what decides whose it is changes."""
    first, second, third = director.some_centres(3)
    kind = director.one_of(["malware", "malware", "grouping", "report"])
    steps: list[Step] = [
        director.claim(first, kind, created_by_ref=IDENTITY[first]),
        director.claim(second, kind, created_by_ref=IDENTITY[second]),
    ]
    if director.maybe(0.5):
        steps.append(director.claim(third, kind, created_by_ref=director.one_of([IDENTITY[third], *VENDORS])))
    of_first = director.pool.own(kind, first, 0)
    more: list[Step] = [
        director.claim(first, kind, created_by_ref=IDENTITY[first], revoked=True),
        Said(first, of_first, None),
        director.claim(second, kind, created_by_ref=director.one_of(VENDORS)),
        director.claim(first, kind, created_by_ref=IDENTITY[first]),
    ]
    return [*steps, director.one_of(more)]


def given_up(director: Director) -> list[Step]:
    """Two centres name one author, and both revoke; a third one names another."""
    first, second, third = director.some_centres(3)
    of_one, of_other = director.some(VENDORS, 2, 2)
    revoked: dict[str, Any] = {"created_by_ref": of_one, "revoked": True, "object_marking_refs": [TLP["clear"]]}
    return [
        director.claim(third, "malware", created_by_ref=of_other),
        director.claim(first, "malware", **revoked),
        director.claim(second, "malware", **revoked),
    ]


def pinned(director: Director) -> list[Step]:
    """The operator decides whose an id is that several claim."""
    first, second = director.some_centres(2)
    number = director.random.randrange(2)
    stix_id = director.pool.own("malware", first, number)
    return [
        director.claim(first, "malware", number, created_by_ref=IDENTITY[first]),
        director.claim(second, "malware", number, created_by_ref=IDENTITY[second]),
        Pinned(stix_id, IDENTITY[second]),
        Pinned(stix_id, IDENTITY[first]),
        *([Pinned(stix_id, None)] if director.maybe(0.3) else []),
    ]


def circle(director: Director) -> list[Step]:
    """Things that need only one another; sometimes something from outside holds them."""
    kinds = director.some(["note", "grouping", "report"], 2, 3)
    speakers = [director.centre() for _ in kinds]
    ids = [director.pool.own(kind, by, 1) for kind, by in zip(kinds, speakers, strict=True)]
    steps: list[Step] = [
        director.claim(by, kind, 1, object_refs=[to])
        for kind, by, to in zip(kinds, speakers, [*ids[1:], ids[0]], strict=True)
    ]
    if director.maybe(0.5):
        held = director.claim(director.centre(), "malware", 1)
        steps += [held, director.claim(speakers[0], kinds[0], 1, object_refs=[ids[1], held.stix_id])]
        if director.maybe(0.5):
            steps.append(Said(held.centre, held.stix_id, None))
    return steps


def moving(director: Director) -> list[Step]:
    """A relationship whose end becomes another thing."""
    first = director.centre()
    second = director.one_of([first, first, director.centre()])
    before, after = director.some(VALUES, 2, 2)
    end = director.indicator(first, before, 1)
    target = director.claim(second, "malware", director.random.randrange(2))
    between = director.claim(
        second, "relationship", 1, source_ref=end.stix_id, target_ref=target.stix_id, start_time=None, stop_time=None
    )
    return [*director.some([end, target, between], 3, 3), director.indicator(first, after, 1)]


def referred_to_by_hub_id(director: Director) -> list[Step]:
    """Something that needs a relationship between things that merge refers to it by an id of the hub, and changes."""
    centre, other = director.some_centres(2)
    end = director.indicator(centre, director.one_of(VALUES), object_marking_refs=[TLP["clear"]])
    target = director.claim(centre, "malware", object_marking_refs=[TLP["clear"]])
    ends: dict[str, Any] = {"source_ref": end.stix_id, "target_ref": target.stix_id}
    between = director.claim(centre, "relationship", object_marking_refs=[TLP["clear"]], **ends)
    number = director.random.randrange(4)
    versions = [director.claim(other, "grouping", object_refs=[between.stix_id]) for _ in range(2)]
    return [end, target, between, *(replace(one, by_hub_id=("object_refs", number)) for one in versions)]


def regrouped(director: Director) -> list[Step]:
    """Claims that are for a group, and no longer."""
    centre = director.centre()
    kind = director.one_of(["malware", "indicator", "ipv4-addr", "report"])
    before, after = director.some([[], [GROUP], [GROUP, "network"]], 2, 2)
    versions = [[TLP["green"], *(GROUP_MARKING[group] for group in some)] for some in (before, ["network"], after)]
    return [director.claim(centre, kind, object_marking_refs=refs) for refs in versions]


def suspended(director: Director) -> list[Step]:
    """A centre is suspended, and comes back."""
    centre = director.centre()
    return [
        director.claim(centre, director.one_of(["malware", "ipv4-addr"])),
        Changed(centre, (("suspended", True),)),
        Changed(centre, (("suspended", False),)),
    ]


def lowered(director: Director) -> list[Step]:
    """A ceiling is lowered below what stands."""
    centre = director.centre()
    said = director.claim(centre, director.one_of(["malware", "ipv4-addr"]), object_marking_refs=[TLP["green"]])
    steps: list[Step] = [said, Changed(centre, (("ceiling", Level.CLEAR),))]
    return [*steps, Changed(centre, (("ceiling", director.one_of([Level.GREEN, Level.RED])),))]


def reported(director: Director) -> list[Step]:
    """Members and a centre report on an indicator."""
    centre = director.centre()
    about = director.indicator(centre, director.one_of(VALUES), object_marking_refs=[TLP["clear"]])
    marking = [TLP["clear"]]
    steps: list[Step] = [
        about,
        director.claim("lab", "sighting", sighting_of_ref=about.stix_id, object_marking_refs=marking),
        director.verdict("shop", about.stix_id, "strongly-disagree", ["false-positive"]),
        director.verdict(director.one_of(MEMBERS), about.stix_id, "strongly-agree", None),
    ]
    return steps


def partly_hidden(director: Director) -> list[Step]:
    """Parts of objects are for some."""
    centre = director.centre()
    marking = director.one_of([TLP["amber"], TLP["amber+strict"], GROUP_MARKING[GROUP], GROUP_MARKING["network"]])
    more: dict[str, Any] = {
        "labels": ["botnet", "c2"], "created_by_ref": IDENTITY[centre],
        "external_references": [{"source_name": "portal", "url": "https://portal.example/2"}],
    }  # fmt: skip
    name = director.one_of(["labels", "created_by_ref", "external_references"])
    part = {"marking_ref": marking, "selectors": [name]}
    return [
        director.claim(centre, kind, **more, valid_until=None, granular_markings=[part])
        for kind in ("malware", "indicator", "grouping")
    ]


def kept_out(director: Director) -> list[Step]:
    """What was withdrawn as a mistake comes again."""
    said = director.claim(director.centre(), director.one_of(["malware", "indicator", "ipv4-addr"]))
    steps: list[Step] = [said, replace(said, obj=None, withdrawal=Withdrawal.STANDS), said]
    if director.maybe(0.4):
        steps += [replace(said, obj=None, withdrawal=Withdrawal.RESTORE), said]
    return steps


def other_terms(director: Director) -> list[Step]:
    """The operator changes what a centre's claims count."""
    centre = director.centre()
    said = director.indicator(centre, director.one_of(VALUES), confidence=90)
    changes = [("trust", 70), ("trust", 10), ("naming", Naming.ANONYMOUS), ("naming", Naming.NAMED)]
    return [said, *(Changed(centre, (change,)) for change in director.some(changes, 3, 3))]


def aged(director: Director) -> list[Step]:
    """An indicator expires, or counts for less."""
    centre, value = director.centre(), director.one_of(VALUES)

    def ending(day: int) -> Said:
        begun = moment((day - 60) * _DAY_S)
        end = moment((day - 28) * _DAY_S - 3600)
        return director.indicator(centre, value, valid_from=begun, valid_until=end, confidence=90)

    return [ending, Waited(director.random.randint(2, 4))]


def counted_less(director: Director) -> list[Step]:
    """What an old indicator counts becomes less by another value of the policy."""
    said = director.indicator(director.centre(), director.one_of(VALUES), confidence=90)
    steps: list[Step] = [said, Waited(1), Set("confidence.ipv4-addr", director.one_of(["1d=50", "1d=80,3d=20"]))]
    return [*steps, *([Set("validity.longest.any", "30d")] if director.maybe(0.5) else [])]


def listed_again(director: Director) -> list[Step]:
    """What a source lists no more, and lists again."""
    said = director.claim(director.centre(), director.one_of(["malware", "report", "ipv4-addr"]))
    return [said, replace(said, obj=None, withdrawal=Withdrawal.SOFT), said]


_ALWAYS = (moving, circle, regrouped, regrouped, reported, partly_hidden, kept_out, listed_again)
_OF_CONTESTED = (contested, given_up, referred_to_by_hub_id)
_OF_OPERATORS = (suspended, lowered, other_terms)


def with_scenes(history: History, seed: int, *, contested_ids: bool, operators: bool, dates: bool) -> History:
    """The history with scenes in it, most of them in each."""
    director = Director(seed, Pool(contested_ids))
    scenes: list[Callable[[Director], list[Step]]] = [*_ALWAYS]
    scenes += _OF_CONTESTED if contested_ids else ()
    scenes += _OF_OPERATORS if operators else ()
    scenes += [pinned, pinned] if contested_ids and operators and dates else ()
    scenes += [aged, counted_less] if dates else ()
    chosen = [scene for scene in scenes if director.maybe(0.9)]
    return replace(history, events=woven(history.events, [scene(director) for scene in chosen], director))


def woven(events: Sequence[Event], scenes: Sequence[list[Step]], director: Director) -> tuple[Event, ...]:
    """The events with the steps of each scene after some of them, in order."""
    steps: list[list[Step]] = [[] for _ in events]
    for scene in scenes:
        most = min(len(scene), len(events))
        rest = [director.random.randrange(len(events)) for _ in scene[most:]]
        at = sorted([*director.random.sample(range(len(events)), most), *rest])
        for index, step in zip(at, scene, strict=True):
            steps[index].append(step)
    found: list[Event] = []
    day = 1
    for event, more in zip(events, steps, strict=True):
        found.append(event)
        day += event.days if isinstance(event, Waited) else 0
        for step in more:
            if isinstance(step, Batch | Changed | Waited | Set | Pinned):
                found.append(step)
                day += step.days if isinstance(step, Waited) else 0
                continue
            said = step if isinstance(step, Said) else step(day)
            before = found[-1]
            if not isinstance(before, Batch):
                found.append(before := Batch(()))
            place = max([_PLACES - 1, *(one.place or 0 for one in before.said)]) + 1
            found[-1] = Batch((*before.said, replace(said, place=place)))
    return tuple(found)


def a_dense_history(seed: int, *, contested: bool = True, operators: bool = True, dates: bool = False) -> History:
    """The dense history that grows from a number; see ``histories.a_history``."""
    history = a_history(seed, contested=contested, operators=operators, dates=dates)
    return with_scenes(history, seed, contested_ids=contested, operators=operators, dates=dates)


def dense_histories(**how: Any) -> st.SearchStrategy[History]:
    """Numbers from which dense histories grow."""
    return st.integers(0, 2**32).map(lambda seed: a_dense_history(seed, **how))
