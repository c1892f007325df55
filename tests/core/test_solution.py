"""What the affected places show: compared with the least fixed point, computed plainly, on small graphs.

A view of these graphs refers to others. By its type it needs all of them to be shown, one of them at least, or none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.merge.content import Content, content
from hub.core.merge.facts import Facts, Missing
from hub.core.merge.solution import Place, Solution
from hub.model.claims import View
from hub.model.policy import Policy
from hub.model.reads import THING, Answers, ThingRecord
from hub.model.words import CanonicalKey, Seq, StixId
from tests.contracts.store_values import a_thing
from tests.core.claims import a_policy
from tests.examples import few
from tests.story import uid

POLICY = a_policy()
NO, OTHER_NO = 1, 2
NEEDS_ALL, NEEDS_ONE, NEEDS_NONE = "relationship", "report", "malware"
ADDRESS, TRAFFIC = "ipv4-addr", "network-traffic"
"""The second needs one of what it refers to, and that needs nothing."""
TYPES = [NEEDS_ALL, NEEDS_ALL, NEEDS_ONE, NEEDS_ONE, NEEDS_NONE, ADDRESS, TRAFFIC]


@dataclass(frozen=True)
class Node:
    """What is said of a thing: nothing, if it is not ``there``."""

    type: str
    to: tuple[int, ...] = ()
    there: bool = True
    own_id: int | None = 0
    """Which of its own ids it has; None: one that the hub makes."""
    ended: int = 0
    """How often its view has ended."""


Graph = tuple[Node, ...]


GONE = Node(NEEDS_NONE, there=False)
LEAF = Node(NEEDS_NONE)


def every(*to: int) -> Node:
    return Node(NEEDS_ALL, to)


def some(*to: int) -> Node:
    return Node(NEEDS_ONE, to)


def free(*to: int) -> Node:
    return Node(NEEDS_NONE, to)


def at(n: int, no: int = NO) -> Place:
    return (no, a_thing(n))


def made(node: Node, n: int, shown: Mapping[int, StixId]) -> Content | None:
    """What is shown of a node where these others are shown: what it requires, and which of them it refers to."""
    found = [shown[to] for to in node.to if to in shown]
    lacks = {
        NEEDS_ALL: len(found) < len(node.to),
        NEEDS_ONE: bool(node.to) and not found,
        TRAFFIC: bool(node.to) and not found,
    }
    if not node.there or lacks.get(node.type, False):
        return None
    own = None if node.own_id is None else {"id": f"{node.type}--{uid(n, node.own_id)}"}
    return content(node.type, {"refs": found}, uses=(), own=own)


class Store:
    """What the store has: the views of a graph, as they were shown before."""

    def __init__(self, graph: Graph, no: int = NO) -> None:
        self.no = no
        self.views: dict[CanonicalKey, View] = {}
        for n, (object_id, found) in least(graph, no).items():
            self.views[a_thing(n)] = self._view(n, graph[n], object_id, found)
        for n, node in enumerate(graph):
            if node.ended and a_thing(n) not in self.views:
                old = self._view(n, node, StixId(f"{node.type}--{uid('old', n)}"), content(node.type, {}, uses=()))
                self.views[a_thing(n)] = replace(old, alive=False)

    def _view(self, n: int, node: Node, object_id: StixId, found: Content) -> View:
        return View(self.no, a_thing(n), object_id, node.type, node.ended, Seq(n + 1), True, found.digest, 0, 0, ())

    def answer(self, facts: Facts, share: Random | None = None) -> None:
        """Tell what was asked; with ``share`` only some of it, so that the rest is asked again."""
        asked = sorted(facts.asked().about(THING))
        if share is not None and len(asked) > 1:
            asked = share.sample(asked, share.randint(1, len(asked)))
        answers = Answers()
        answers.put(THING, {thing: ThingRecord([], self._of(thing)) for thing in asked})
        facts.tell(answers)

    def _of(self, thing: CanonicalKey) -> dict[int, View]:
        return {self.no: self.views[thing]} if thing in self.views else {}


def least(graph: Graph, no: int = NO) -> dict[int, tuple[StixId, Content]]:
    """What is shown: nothing at first, then whatever can be, until nothing is added."""
    found: dict[int, tuple[StixId, Content]] = {}
    while True:
        shown = {n: object_id for n, (object_id, _) in found.items()}
        now = {n: one for n, node in enumerate(graph) if (one := made(node, n, shown)) is not None}
        new = {n: (id_of(n, graph[n], one, no), one) for n, one in now.items()}
        if new == found:
            return found
        found = new


def id_of(n: int, node: Node, found: Content, no: int, policy: Policy = POLICY) -> StixId:
    """The id under which a node is shown, as ``Solution`` makes it of how often its view has ended."""
    facts = Facts(policy, {})
    answers = Answers()
    view = View(no, a_thing(n), StixId("x"), node.type, node.ended, Seq(1), False, b"", 0, 0, ())
    answers.put(THING, {a_thing(n): ThingRecord([], {no: view} if node.ended else {})})
    facts.tell(answers)
    return Solution(policy, facts).id_of(at(n, no), found)


class Run:
    """One solution, driven like the engine does: a view that has come, gone or changed its id affects its referrers."""

    def __init__(self, before: Graph, after: Graph, *, seed: int | None = None) -> None:
        self.before, self.after = before, after
        self.store = Store(before)
        self.share = None if seed is None else Random(seed)
        self.facts = Facts(POLICY, {})
        self.solution = Solution(POLICY, self.facts)
        self.looked: list[Place] = []
        self._number = {a_thing(n): n for n in range(len(after))}

    def look(self, no: int, thing: CanonicalKey) -> Content | None:
        """What is shown at a place, as far as the solution has come."""
        self.looked.append((no, thing))
        n = self._number[thing]
        self.facts.claims_of_thing(thing)  # who looks reads the claims first
        shown = {to: found for to in self.after[n].to if (found := self.solution.shown_as(no, a_thing(to)))}
        return made(self.after[n], n, shown)

    def affect(self, places: Iterable[Place]) -> None:
        for place in places:
            while True:
                try:
                    self.solution.affect(place)
                    break
                except Missing:
                    self.store.answer(self.facts)

    def settle(self) -> None:
        """Go on until nothing is left to be done."""
        done: set[tuple[Place, StixId | None]] = set()
        for _ in range(10_000):
            self.solution.solve(self.look)
            self.store.answer(self.facts, self.share)
            if self.solution.is_busy:
                continue
            news = [one for one in self._news() if one not in done]
            if not news:
                return
            done.update(news)
            self.affect(at(n) for place, _ in news for n in self._referring_to(place))
        raise AssertionError("it does not come to an end")

    def _news(self) -> list[tuple[Place, StixId | None]]:
        found = []
        for place, _ in list(self.solution.found()):
            view = self.store.views.get(place[1])
            now = self.shown_as(place)
            if now != (view.object_id if view is not None and view.alive else None):
                found.append((place, now))
        return found

    def shown_as(self, place: Place) -> StixId | None:
        while True:
            try:
                return self.solution.shown_as(*place)
            except Missing:
                self.store.answer(self.facts)

    def _referring_to(self, place: Place) -> list[int]:
        return [n for n, node in enumerate(self.after) if self._number[place[1]] in node.to]

    def shown(self) -> dict[int, tuple[StixId, bytes]]:
        """What is shown everywhere: at affected places by the solution, elsewhere by the store."""
        affected = dict(self.solution.found())
        found = {}
        for thing, n in self._number.items():
            view = self.store.views.get(thing)
            if (NO, thing) in affected:
                now = affected[NO, thing]
                if now is not None:
                    found[n] = (self.solution.id_of((NO, thing), now), now.digest)
            elif view is not None and view.alive:
                found[n] = (view.object_id, view.digest)
        return found


def solved(before: Graph, after: Graph, seed: int | None = None) -> Run:
    """After the things that differ between two graphs were affected, in an order that the seed gives."""
    changed = [n for n in range(len(after)) if before[n] != after[n]]
    if seed is not None:
        Random(seed).shuffle(changed)
    run = Run(before, after, seed=seed)
    run.affect(at(n) for n in changed)
    run.settle()
    return run


def expected(graph: Graph) -> dict[int, tuple[StixId, bytes]]:
    return {n: (object_id, found.digest) for n, (object_id, found) in least(graph).items()}


# ---------------------------------------------------------------- any graph


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Graph, Graph]:
    """A graph, and what it becomes by changes of some of its nodes."""
    types = draw(
        st.lists(
            st.sampled_from([NEEDS_ALL, NEEDS_ALL, NEEDS_ONE, NEEDS_ONE, NEEDS_NONE, ADDRESS, TRAFFIC]),
            min_size=1,
            max_size=8,
        )
    )
    ended = [draw(st.sampled_from([0, 0, 1])) for _ in types]

    def node(n: int) -> Node:
        able = [m for m in range(len(types)) if types[n] != TRAFFIC or types[m] == ADDRESS]
        most = {ADDRESS: 0, TRAFFIC: 2}.get(types[n], 3)
        to = tuple(draw(st.lists(st.sampled_from(able), max_size=most, unique=True))) if able else ()
        there = draw(st.sampled_from([True, True, True, False]))
        return Node(types[n], to, there, draw(st.sampled_from([0, 0, 1, None])), ended[n])

    before = tuple(node(n) for n in range(len(types)))
    changes = draw(st.sets(st.integers(0, len(types) - 1), max_size=3))
    return before, tuple(node(n) if n in changes else one for n, one in enumerate(before))


@few(500)
@given(graphs(), st.integers(0, 2**32))
def test_all_that_is_shown_is_the_least_solution(drawn: tuple[Graph, Graph], seed: int) -> None:
    before, after = drawn
    assert solved(before, after, seed).shown() == expected(after)


@few(200)
@given(graphs())
def test_from_nothing_all_that_is_shown_is_the_least_solution(drawn: tuple[Graph, Graph]) -> None:
    """As when a hub is recomputed: every place is affected, and the store has ended views at most."""
    _, after = drawn
    nothing = tuple(replace(node, there=False) for node in after)
    run = Run(nothing, after)
    run.affect(at(n) for n in range(len(after)))
    run.settle()
    assert run.shown() == expected(after)


@few(200)
@given(graphs())
def test_what_is_not_connected_with_a_change_is_not_looked_at(drawn: tuple[Graph, Graph]) -> None:
    before, after = drawn
    connected = {n for n in range(len(after)) if before[n] != after[n]}
    while True:
        edges = [(n, to) for graph in (before, after) for n, node in enumerate(graph) for to in node.to]
        more = connected | {n for edge in edges if connected & set(edge) for n in edge}
        if more == connected:
            break
        connected = more
    assert set(solved(before, after).looked) <= {at(n) for n in connected}


# ---------------------------------------------------------------- examples


EXAMPLES: dict[str, tuple[Graph, Graph, set[int]]] = {
    "a target comes with what waits for it": ((GONE, every(0)), (LEAF, every(0)), {0, 1}),
    "and takes it along": ((LEAF, every(0)), (GONE, every(0)), set()),
    "one of some is enough": ((GONE, GONE, some(0, 1)), (GONE, LEAF, some(0, 1)), {1, 2}),
    "all are needed": ((GONE, LEAF, every(0, 1)), (LEAF, LEAF, every(0, 1)), {0, 1, 2}),
    "and not only some": ((LEAF, LEAF, every(0, 1)), (GONE, LEAF, every(0, 1)), {1}),
    "what needs nothing is there": ((LEAF, free(0)), (GONE, free(0)), {1}),
    "a new view does not let one hold itself up that refers to something else now": (
        (LEAF, LEAF, some(0), every(2, 1), GONE), (LEAF, LEAF, some(4), every(2, 1), some(3)), {0, 1},
    ),
    "nor do several new ones": (
        (LEAF, LEAF, some(0), every(2, 1), GONE, GONE), (LEAF, LEAF, some(4), every(2, 1), some(5), some(3)), {0, 1},
    ),
    "a new view may rest on a stored one": (
        (LEAF, LEAF, some(0), every(2, 1), GONE), (LEAF, LEAF, some(0), every(2, 1), some(3)), {0, 1, 2, 3, 4},
    ),
    "a circle does not come into being": ((GONE, GONE), (every(1), every(0)), set()),
    "nor does what needs itself": ((GONE,), (some(0),), set()),
    "one that stands on something does": ((GONE, GONE, LEAF), (some(1, 2), some(0), LEAF), {0, 1, 2}),
    "and goes when that is gone": ((LEAF, some(0, 2), some(1)), (GONE, some(0, 2), some(1)), set()),
    "what closes to a circle does not hold itself up": ((LEAF, some(0), some(1)), (LEAF, some(2), some(1)), {0}),
    "nor where it needs all": ((LEAF, every(0), every(1)), (LEAF, every(2), every(1)), {0}),
    "nor in a longer one": ((LEAF, some(0, 3), some(1), some(2)), (GONE, some(0, 3), some(1), some(2)), set()),
    "one that stands on two things stands on the other": (
        (LEAF, LEAF, some(0, 3), some(2, 1)), (GONE, LEAF, some(0, 3), some(2, 1)), {1, 2, 3},
    ),
    "what has come and goes again is referred to no more": (
        (LEAF, every(0), every(1), GONE, GONE), (GONE, every(0), every(1), every(2), free(3)), {4},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("before", "after", "shown"), EXAMPLES.values(), ids=EXAMPLES)
def test_examples_of_what_is_shown(before: Graph, after: Graph, shown: set[int]) -> None:
    run = solved(before, after)
    assert run.shown().keys() == shown
    assert run.shown() == expected(after)


@pytest.mark.parametrize("needed", [every(), free(), replace(every(), own_id=None), replace(free(), own_id=None)])
def test_what_lacks_an_answer_after_it_was_looked_at_is_told_to_its_readers_all_the_same(needed: Node) -> None:
    """Its own id, or what it stood for before, may have to be looked up once it is known what is shown."""
    after = needed, every(0)
    run = Run((GONE, GONE), after)

    def look(no: int, thing: CanonicalKey) -> Content | None:
        n = 0 if thing == a_thing(0) else 1
        shown = {to: found for to in after[n].to if (found := run.solution.shown_as(no, a_thing(to)))}
        return made(after[n], n, shown)

    run.affect([at(1), at(0)])
    while run.solution.is_busy:
        run.solution.solve(look)
        run.store.answer(run.facts)
    assert run.shown() == expected(after)


def test_what_is_shown_under_another_id_changes_what_refers_to_it() -> None:
    before = LEAF, every(0), free(1)
    run = solved(before, (replace(LEAF, own_id=1), *before[1:]))
    affected = dict(run.solution.found())
    assert affected.keys() == {at(0), at(1)}  # the third refers to an id that has stayed
    assert run.shown() == expected(run.after)


def test_a_place_that_joins_late_begins_from_nothing_and_so_does_what_stood_on_it() -> None:
    """The circle of 1 and 2 stands on 0. That 1 has been looked at, while 2 was taken as shown, must not hold it up."""
    before = LEAF, some(0, 2), some(1)
    run = Run(before, (GONE, *before[1:]))
    run.affect([at(1)])
    run.settle()
    assert run.shown().keys() == {0, 1, 2}
    run.affect([at(0)])
    run.settle()
    assert run.shown() == expected(run.after) == {}


def test_what_is_shown_no_more_lets_all_begin_again_that_may_stand_on_it() -> None:
    """The circle of 2 and 3 is looked at while 1 is still taken as shown: it must not be shown once 1 has gone."""
    address, traffic = Node(ADDRESS), Node(TRAFFIC, (0,))
    run = Run((address, traffic, some(1, 3), some(2)), (replace(address, there=False), traffic, some(1, 3), some(2)))
    run.affect([at(1), at(2), at(3)])
    run.settle()
    assert run.shown().keys() == {0, 1, 2, 3}
    run.affect([at(2), at(0)])
    run.settle()
    assert run.shown() == {}


def test_collections_are_solved_apart() -> None:
    before = GONE, every(0)
    run = Run(before, (LEAF, every(0)))
    run.affect([at(0), at(1, OTHER_NO)])
    run.settle()
    affected = dict(run.solution.found())
    assert affected[at(0)] is not None
    assert affected[at(1, OTHER_NO)] is None


def test_places_that_lack_an_answer_stay_and_the_others_go_on() -> None:
    run = Run((GONE, GONE, LEAF), (LEAF, free(2), LEAF))
    answers = Answers()
    answers.put(THING, {a_thing(0): ThingRecord([], {}), a_thing(1): ThingRecord([], {})})
    run.facts.tell(answers)
    run.affect([at(0), at(1)])
    run.solution.solve(run.look)
    assert run.solution.content(at(0)) is not None
    assert run.solution.is_busy
    assert run.facts.asked().about(THING) == {a_thing(2)}
    run.settle()
    assert run.solution.content(at(1)) is not None


def test_what_is_set_for_another_reason_counts_for_what_refers_to_it() -> None:
    graph = GONE, some(0, 2), some(1)
    run = Run(graph, graph)
    run.affect([at(1), at(2)])
    run.settle()
    assert [run.solution.content(at(n)) is not None for n in (1, 2)] == [False, False]
    run.solution.set(at(0), made(LEAF, 0, {}))
    run.settle()
    assert [run.solution.content(at(n)) is not None for n in (1, 2)] == [True, True]
    run.solution.set(at(0), None)
    run.settle()
    assert [run.solution.content(at(n)) is not None for n in (1, 2)] == [False, False]


def test_where_a_collection_is_doubted_all_its_affected_places_begin_again() -> None:
    graph = LEAF, some(0, 2), some(1)
    run = Run(graph, graph)
    run.affect([at(0), at(1), at(2)])
    run.settle()
    assert run.shown().keys() == {0, 1, 2}
    run.after = LEAF, some(2), some(1)  # another claim is seen than before
    run.looked.clear()
    run.solution.doubt(OTHER_NO)
    run.settle()
    assert at(0) not in run.looked
    run.solution.doubt(NO)
    run.settle()
    assert run.shown().keys() == {0}


def test_an_id_that_the_hub_makes_is_another_when_the_view_has_ended() -> None:
    by_hub = Node(NEEDS_NONE, own_id=None)
    ids = {id_of(0, replace(by_hub, ended=n), content(NEEDS_NONE, {}, uses=()), no) for n in range(3) for no in (1, 2)}
    assert len(ids) == 6
    assert id_of(0, LEAF, content(NEEDS_NONE, {}, uses=(), own={"id": "malware--x"}), NO) == "malware--x"


def test_a_thing_of_which_nothing_is_stored_begins_above_those_that_were_erased() -> None:
    """As it would after as many ends: under an id that no erased thing has had."""
    ones = {no: replace(one, first_generation=2) for no, one in POLICY.collections.items()}
    after, found = replace(POLICY, collections=ones), content(NEEDS_NONE, {}, uses=())
    by_hub = Node(NEEDS_NONE, own_id=None)
    assert id_of(0, by_hub, found, NO, after) == id_of(0, replace(by_hub, ended=2), found, NO)
    assert id_of(0, replace(by_hub, ended=1), found, NO, after) == id_of(0, replace(by_hub, ended=1), found, NO)
