"""No audience gets what was made for another one: projections, the contents kept by them, and who reads a claim.

What an audience gets must be the same whoever was asked before it. That is tried with what differs between audiences
(who sees a claim at all, which parts, and since when), and with an engine whose projections are cut for some audiences.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from itertools import permutations
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hub.core.merge
from hub.core.merge.content import Content
from hub.core.merge.contents import Contents
from hub.core.merge.engine import Engine
from hub.core.merge.facts import Facts, Missing
from hub.core.merge.project import Part, Projection, projected
from hub.core.merge.projections import Projections
from hub.core.merge.reach import Reach, Recipients
from hub.core.merge.recompute import recomputed
from hub.core.merge.resolver import Resolver
from hub.core.merge.work import StepScope
from hub.model.claims import Claim, ClaimHead, ClaimKey
from hub.model.kept_out import KeptOut
from hub.model.policy import Audience, Policy
from hub.model.reads import CLAIM, Answers
from hub.model.words import NETWORK, CanonicalKey, Level, Naming, StixId
from tests.core.claims import CENTRES, EVERYBODY, HEALTH, MEMBERS, a_claim, a_policy, a_source, a_stamp, following
from tests.examples import few
from tests.memory import MemoryStore
from tests.promises import histories as told
from tests.story import TLP, an_indicator, an_object, malware, marking_of, uid

WITHIN_HEALTH, UP_TO_GREEN = Audience(Level.AMBER_STRICT, HEALTH), Audience(Level.GREEN, NETWORK)
AUDIENCES = (EVERYBODY, MEMBERS, UP_TO_GREEN, CENTRES, WITHIN_HEALTH)
"""Two differ by their level alone, and two by their group."""
RO, IT, PL = a_source(1), a_source(2), a_source(3, naming=Naming.ANONYMOUS)
POLICY = a_policy(RO, IT, PL, audiences=AUDIENCES)
T = TypeVar("T")


class Room:
    """What the engine asks what is shown, over some claims and a store that has nothing."""

    def __init__(self, claims: Sequence[Claim], policy: Policy = POLICY, cut: Cut | None = None) -> None:
        self._policy = policy
        self._store = MemoryStore(policy, {})
        self._facts = Facts(policy, {claim.key: claim for claim in claims})
        self.projections = Projections(policy, self._facts, {}) if cut is None else Cutting(policy, self._facts, cut)
        resolver = Resolver(policy, self._facts, self.projections, {})
        self._contents = Contents(policy, self._facts, self.projections, resolver, _shown_as)

    def of(self, claim: ClaimHead, audience: Audience) -> Projection | None:
        """What an audience sees of a claim."""
        return self._answered(lambda: self.projections.of(claim, audience))

    def shown(self, no: int, thing: CanonicalKey) -> Content | None:
        """What a collection shows of a thing."""
        return self._answered(lambda: self._contents.content(self._policy.collections[no], thing))

    def _answered(self, ask: Callable[[], T]) -> T:
        while True:
            try:
                return ask()
            except Missing:
                self._facts.tell(self._store.answer(self._facts.asked()))


def _shown_as(no: int, thing: CanonicalKey) -> StixId:
    """An id by which a collection shows a thing, another one in each."""
    return StixId(f"x-thing--{uid(no, thing.hex())}")


Cut = Mapping[Audience, str]
"""The property that is not shown to an audience."""


class Cutting(Projections):
    """Projections from which a property is cut for some audiences, whatever the object's markings say."""

    def __init__(self, policy: Policy, facts: Facts, cut: Cut) -> None:
        super().__init__(policy, facts, {})
        self._cut = cut
        self._rests: dict[tuple[int, str], Projection] = {}

    def seen(self, claim: ClaimHead, audience: Audience, unread: tuple[StixId, ...] = ()) -> Projection | KeptOut:
        """See the class that this is of. Whoever sees the same part of a claim gets the same projection."""
        p = super().seen(claim, audience, unread)
        if isinstance(p, KeptOut) or audience not in self._cut:
            return p
        at = (id(p), self._cut[audience])
        if at not in self._rests:
            rest = {name: value for name, value in p.obj.items() if name != self._cut[audience]}
            self._rests[at] = replace(p, obj=rest)
        return self._rests[at]


def things_of(claims: Sequence[Claim]) -> list[CanonicalKey]:
    return list(dict.fromkeys(claim.thing for claim in claims if claim.thing is not None))


def alone(claims: Sequence[Claim], policy: Policy, cut: Cut | None = None) -> dict[tuple[int, CanonicalKey], Any]:
    """What each collection shows of each thing where nobody else was asked before."""
    return {
        (no, thing): Room(claims, policy, cut).shown(no, thing)
        for no in policy.collections
        for thing in things_of(claims)
    }


# ---------------------------------------------------------------- who was asked before

FOR_ALL = [
    a_claim(RO, an_indicator("198.51.100.7", "a", tlp="clear", labels=["a"], description="A", confidence=80), 1),
    a_claim(IT, an_indicator("198.51.100.7", "b", tlp="green", name="b", labels=["b"], confidence=30), 2),
    a_claim(PL, an_indicator("198.51.100.7", "c", tlp="amber", name="c", labels=["c"], description="C"), 3),
    a_claim(RO, malware(tlp="amber", created_by_ref=RO.identity, name="of ro", description="A"), 1),
    a_claim(IT, malware(tlp="clear", created_by_ref=IT.identity, name="of it", description="B"), 2),
    a_claim(PL, malware(tlp="green", name="nobody's", description="C"), 3),
]
"""Of an indicator and of a malware under one id, and each audience sees other claims."""
CUTS: list[dict[Audience, str]] = [
    {MEMBERS: "description"},
    {EVERYBODY: "labels", CENTRES: "confidence"},
    {EVERYBODY: "description", MEMBERS: "description", WITHIN_HEALTH: "labels"},
]


@pytest.mark.parametrize("cut", [None, *CUTS])
def test_what_an_audience_gets_does_not_depend_on_who_was_asked_before(cut: Cut | None) -> None:
    # the claims that all see, so that audiences differ by nothing but what is cut
    seen_by_all = [FOR_ALL[0], a_claim(IT, an_indicator("198.51.100.7", "b", tlp="clear", labels=["b"]), 2), FOR_ALL[4]]
    for claims in (FOR_ALL, seen_by_all):
        expected = alone(claims, POLICY, cut)
        for order in permutations(POLICY.collections):
            room = Room(claims, cut=cut)
            for no in order:
                for thing in things_of(claims):
                    assert room.shown(no, thing) == expected[no, thing], (order, no)


@pytest.mark.parametrize("name", ["description", "labels", "confidence", "name"])
@pytest.mark.parametrize("cut_for", AUDIENCES)
def test_what_is_cut_for_an_audience_is_nowhere_in_what_it_gets(name: str, cut_for: Audience) -> None:
    said: dict[str, Any] = {"description": "SECRET", "labels": ["SECRET"], "confidence": 99, "name": "SECRET"}
    obj = {"name": "n", name: said[name]}
    claims = [
        a_claim(RO, an_indicator("198.51.100.7", "a", tlp="clear", **obj), 1),
        a_claim(RO, malware("m", tlp="clear", created_by_ref=RO.identity, **obj), 1),
    ]
    for order in permutations(POLICY.collections):
        room = Room(claims, cut={cut_for: name})
        for no in order:
            for thing in things_of(claims):
                found = room.shown(no, thing)
                assert found is not None
                told_of = b"SECRET" in found.rest or b'"confidence":99' in found.rest
                assert told_of == (POLICY.collections[no].audience != cut_for)


@few(60)
@given(told.histories(operators=False), st.sampled_from([None, *CUTS]), st.data())
def test_nor_does_it_in_any_history(history: told.History, cut: Cut | None, data: st.DataObject) -> None:
    policy, claims = of_history(history)
    expected = alone(claims, policy, cut)
    room = Room(claims, policy, cut)
    for at in data.draw(st.permutations(list(expected))):
        assert room.shown(*at) == expected[at]


def of_history(history: told.History) -> tuple[Policy, list[Claim]]:
    """The claims that are the last of a history, under terms that its centres have at first."""
    sources = told.sources_of(history.settings)
    last: dict[ClaimKey, Claim] = {}
    for second, one in enumerate(history.messages()):
        if one.obj is not None and "objects" not in one.obj and one.stix_id not in told.IDENTITY.values():
            claim = a_claim(sources[told.SOURCES.index(one.centre)], one.obj, second)
            last[claim.key] = claim
    return a_policy(*sources, audiences=AUDIENCES), list(last.values())


@few(40)
@given(told.histories(operators=False))
def test_a_step_for_all_collections_comes_to_the_same_as_one_for_each(history: told.History) -> None:
    """The whole engine: no collection learns from what was computed for another one in the same step."""
    policy, claims = of_history(history)
    together = drafts(policy, claims, None)
    each = [drafts(policy, claims, no) for no in policy.collections]
    assert together == {at: found for some in each for at, found in some.items()}


def drafts(policy: Policy, claims: Sequence[Claim], only: int | None) -> dict[tuple[int, CanonicalKey], Any]:
    scope = StepScope(None if only is None else (only,))
    engine = Engine(policy, {claim.key: (None, claim) for claim in claims}, scope=scope)
    store = MemoryStore(policy, {})
    while reads := engine.ask():
        engine.tell(store.answer(reads))
    return {(draft.collection.no, draft.thing): (draft.object_id, draft.content) for draft in engine.drafts.all()}


# ---------------------------------------------------------------- projections


def run_of(*marks: str) -> Claim:
    """A claim of which the versions, a second between two, were marked like this."""
    claim: Claim | None = None
    for second, label in enumerate(marks):
        obj = malware(tlp=label, at=second, created_by_ref=RO.identity)
        claim = following(claim, a_claim(RO, obj, second), POLICY)
    assert claim is not None
    return claim


def test_audiences_that_see_the_same_part_share_it_and_others_have_their_own() -> None:
    claim = run_of("clear", "amber", "clear", "green", "clear")
    for order in permutations(AUDIENCES):
        room = Room([claim])
        found = {audience: room.of(claim, audience) for audience in order}
        since = {audience: p.since for audience, p in found.items() if p is not None}
        from_the_third = dict.fromkeys((MEMBERS, UP_TO_GREEN, WITHIN_HEALTH), a_stamp(2))
        assert since == {EVERYBODY: a_stamp(4), CENTRES: a_stamp(0)} | from_the_third
        assert len({id(p) for p in found.values()}) == 3


def test_what_is_kept_of_a_claim_is_kept_by_its_part() -> None:
    claim = run_of("clear")
    reach = Reach(Level.CLEAR, Recipients(Level.CLEAR, ()), ())
    stricter = Reach(Level.GREEN, Recipients(Level.GREEN, ((HEALTH,),)), ((HEALTH,),))
    one, other = (
        projected(claim, Part(found, ()), since, POLICY) for found, since in ((reach, b"1"), (stricter, b"2"))
    )
    assert (one.level, one.restrictions, one.since) == (Level.CLEAR, (), b"1")
    assert (other.level, other.restrictions, other.since) == (Level.GREEN, ((HEALTH,),), b"2")
    assert Part(reach, ()) != Part(replace(reach), ()), "a reach is the one of its claim, or another"


def test_two_projections_are_equal_only_if_they_are_the_same() -> None:
    claim = run_of("clear")
    reach = Reach(Level.CLEAR, Recipients(Level.CLEAR, ()), ())
    one, other = (projected(claim, Part(reach, ()), b"1", POLICY) for _ in range(2))
    assert one == one
    assert one != other
    assert len({one, other}) == 2


def test_a_marking_that_is_defined_in_the_same_step_decides() -> None:
    own = f"marking-definition--{uid('own')}"
    claim = a_claim(RO, malware(object_marking_refs=[TLP["green"], own, marking_of("community")]))
    definition = an_object(
        "marking-definition", "m", tlp=None, definition_type="statement", definition={"statement": "Ask"}
    )
    defined = a_claim(RO, {**definition, "id": own})
    assert Room([claim]).of(claim, MEMBERS) is None
    p = Room([claim, defined]).of(claim, MEMBERS)
    assert p is not None
    assert p.statements == (own,)


def test_what_was_visible_before_the_step_is_told_by_the_claims_and_definitions_before_it() -> None:
    own = f"marking-definition--{uid('own')}"
    old, new = a_claim(RO, malware(tlp="green")), a_claim(RO, malware(tlp="amber", at=1), 1)
    facts = Facts(POLICY, {new.key: new})
    projections = Projections(POLICY, facts, {new.key: old})
    assert [projections.was_visible(new, audience) for audience in AUDIENCES] == [False, True, True, True, True]
    assert [projections.of(new, audience) is not None for audience in AUDIENCES] == [False, False, False, True, False]
    marked = a_claim(RO, malware(object_marking_refs=[TLP["green"], own]))
    definition = an_object("marking-definition", "m", tlp=None, definition_type="statement")
    before, after = (
        a_claim(RO, {**definition, "id": own, "definition": {"statement": said}}) for said in ("Ask", "TLP:AMBER")
    )
    facts = Facts(POLICY, {after.key: after})
    answers = Answers()
    answers.put(CLAIM, {marked.key: marked})
    facts.tell(answers)
    projections = Projections(POLICY, facts, {after.key: before})
    assert [projections.was_visible(marked, audience) for audience in (MEMBERS, CENTRES)] == [True, True]
    assert [projections.of(marked, audience) is not None for audience in (MEMBERS, CENTRES)] == [False, True]


# ---------------------------------------------------------------- who reads a claim

MODULES = {path.stem: ast.parse(path.read_text()) for path in Path(hub.core.merge.__path__[0]).glob("*.py")}
READ = {"project", "facts", "references"}
"""Modules that read the content of a claim: for an audience; for the index of references; before it is claimed."""
HAND_ON = {"engine", "newest", "recompute", "runs", "turns"}
"""Modules that name claims and hand them on as they are."""
PROJECTIONS = {"p", "chosen", "live", "ranked"}
"""What projections, and lists of them, are called. That nothing else is called so is for the types to tell."""
ROWS = {"past"}
"""What rows of a change log are called, which have bodies too."""


def uses_of(module: str, name: str) -> Iterator[ast.Attribute]:
    """Where a module takes an attribute of this name, methods that are called aside."""
    tree = MODULES[module]
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr == name and id(node) not in called:
            yield node


def root_of(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return ast.unparse(node)


def test_claims_are_named_by_few_modules_of_the_merge() -> None:
    naming = {
        module
        for module, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "hub.model.claims"
        if any(alias.name == "Claim" for alias in node.names)
    }
    assert naming == READ | HAND_ON


@pytest.mark.parametrize("module", sorted(MODULES.keys() - READ))
def test_no_other_module_reads_what_a_claim_says(module: str) -> None:
    """It reads what projections say, and what rows hold."""
    assert list(uses_of(module, "parsed")) == []
    assert {root_of(node.value) for node in uses_of(module, "obj")} <= PROJECTIONS
    assert {root_of(node.value) for node in uses_of(module, "body")} <= ROWS
    if module in HAND_ON:
        assert list(uses_of(module, "obj")) == []


class Watched(Claim):
    """A claim that notes which module reads what it says."""

    readers: set[str] = set()  # noqa: RUF012 - one for all of them

    def __getattribute__(self, name: str) -> Any:
        if name in ("obj", "body", "parsed"):
            Watched.readers.add(sys._getframe(1).f_globals["__name__"])
        return super().__getattribute__(name)


def test_in_whole_steps_only_project_and_the_index_read_what_claims_say() -> None:
    Watched.readers.clear()
    shown = 0
    for seed in range(12):
        policy, claims = of_history(told.a_history(seed, operators=False))
        watched = [Watched(**{one.name: getattr(claim, one.name) for one in fields(Claim)}) for claim in claims]
        shown += len(recomputed(policy, watched, []).shown)
    assert shown > 100
    in_the_merge = {name for name in Watched.readers if name.startswith("hub.core")}
    assert in_the_merge == {"hub.core.merge.project", "hub.core.merge.facts"}
