"""Compares stored views with what follows from the stored claims, one slice of things after another.

``hub/core/merge/recompute`` says what a hub must show, but needs all claims at once. Here each view of a slice is
computed from its claims with the other views as they are stored. If no view differs from its result, the stored views
are *a* solution. They are the least one (docstring of ``hub/core/merge``) if in addition no views are shown only
because of one another. So each view that needs others is computed again with those of dependent types left out, unless
they can be proved in the same way (``_PROVED_DEEP`` levels). What is not proved then is ``unproven``; when all slices
are done, ``Proof`` decides about these.

Sans-IO like the merge's ``engine``: ``ask`` returns what must be read, ``tell`` accepts the answers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection as AnyOf
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache

from hub.core.merge.content import Content
from hub.core.merge.facts import Missing, feedback_on
from hub.core.merge.known import hidden_identities, known_objects
from hub.core.merge.references import DEPENDENT_TYPES, has_own_meaning, object_key
from hub.core.merge.solution import Place
from hub.core.merge.uses import Uses
from hub.core.verify.recomputation import Deferred, Recomputation
from hub.core.verify.stored import claim_differences, row_differences, view_differences
from hub.model.claims import Change, Claim, ClaimHead, View
from hub.model.policy import Policy
from hub.model.reads import PLACED, PLACEMENT, REFERRERS, THING, UNDER_ID, USES, Answers, Reads, ThingRecord
from hub.model.references import keyed
from hub.model.verification import Difference, Findings, StoredSlice, StorePart, Tally
from hub.model.words import CanonicalKey

_PROVED_DEEP = 4
"""How many views of dependent types, each needed by the one before, are proved at once."""


class SliceCheck(Recomputation):
    """The claims of one slice, and the views in some collections of the things that these are the first claims of."""

    def __init__(self, policy: Policy, nos: AnyOf[int], deferred: Deferred, stored: StoredSlice) -> None:
        super().__init__(policy, deferred)
        self._findings = Findings(things=len(stored.things))
        self._uses = _Uses()
        self._nos = nos
        self._stored = stored
        self._standing: dict[Place, bool] = {}
        """Whether a view is proved to be shown without any that needs it in turn."""
        self._proving: list[Place] = []
        self._rests = False
        """Whether the view that is being computed refers to shown views of dependent types."""
        damaged = {claim.key for claim in self._claims() if self._is_damaged(claim)}
        self._things = dict.fromkeys(
            thing for thing, claims in stored.things.items() if damaged.isdisjoint(claim.key for claim in claims)
        )
        self._relationships = {key: one for key, one in stored.placeable.items() if key not in damaged}
        self.resolver.relationships.update(stored.placed)
        self.facts.index.is_without_feedback = not stored.has_feedback
        self._start()
        self._ahead = self.facts.asked()

    def findings(self) -> Findings:
        """What was found, when nothing is left to read."""
        self._uses.add_to(self._findings.tally)
        return self._findings

    def _claims(self) -> Iterator[Claim]:
        yield from self._stored.placeable.values()
        for claims in self._stored.things.values():
            yield from claims

    def _is_damaged(self, claim: Claim) -> bool:
        """Note what is wrong with the claim itself; whether that makes its views impossible to compute."""
        found = claim_differences(claim, self._stored.references.get(claim.key, frozenset()), self.policy)
        self._findings.differences += found
        return any(one.part is StorePart.CLAIM for one in found)

    def _start(self) -> None:
        """Use what has been read already, and request what most things need."""
        stored, facts, answers = self._stored, self.facts, Answers()
        answers.put(
            THING, {thing: ThingRecord(claims, stored.views.get(thing, {})) for thing, claims in stored.things.items()}
        )
        answers.put(PLACED, stored.placed)
        answers.put(PLACEMENT, {key: stored.placements.get(key, {}) for key in stored.placeable})
        facts.tell(answers)
        for thing, claims in stored.things.items() if stored.has_feedback else ():
            if claims and claims[0].type == "indicator":
                facts.ask_ahead(REFERRERS, [feedback_on(claim.id) for claim in claims])
                facts.ask_ahead(REFERRERS, [feedback_on(keyed("indicator", thing))])
        others = [claims for claims in stored.things.values() if claims and claims[0].type != "indicator"]
        for claims in (*others, list(stored.placeable.values())):
            refs = [ref for claim in claims for ref in claim.references if has_own_meaning(ref)]
            facts.ask_ahead(UNDER_ID, refs)

    def ask(self) -> Reads:
        """See ``Engine.ask``. First only what most things need: without it, most would have to be repeated."""
        ahead, self._ahead = self._ahead, Reads()
        return ahead or super().ask()

    def _work(self) -> None:
        for key, claim in list(self._relationships.items()):
            with suppress(Missing):
                self._check_placement(claim)
                del self._relationships[key]
        for thing in list(self._things):
            with suppress(Missing):
                self._check_thing(thing)
                del self._things[thing]

    def _check_placement(self, claim: ClaimHead) -> None:
        stored = self._stored.placements.get(claim.key, {})
        must = {no: self.resolver.thing_between(no, claim) for no in self._nos}
        for no, thing in must.items():
            if stored.get(no) != thing:
                says = "is about another thing than its ends say"
                found = Difference(
                    StorePart.PLACEMENT, says, no, thing or stored.get(no), claim.id, claim.key, claim.source
                )
                self._findings.differences.append(found)

    def _check_thing(self, thing: CanonicalKey) -> None:
        """Everything is computed before anything is noted, so that it can be repeated when an answer is missing."""
        views = self._stored.views.get(thing, {})
        if self._is_beside(thing, views):
            for no, shown in views.items():
                if shown.alive and no in self._nos:
                    self._findings.beside[no, thing] = (shown, self._stored.rows.get((no, thing)))
            return
        computed = [(no, *self._computed((no, thing))) for no in self._nos]
        for no, content, is_proved in computed:
            at, view = (no, thing), views.get(no)
            if content is None and view is None:
                continue
            if content is not None and not is_proved:
                self._findings.unproven[at] = content.own_id or (view.object_id if view is not None else "")
            self._findings.differences += _differences(self.policy, at, view, self._stored.rows.get(at), content)
            self._uses.note(at[0], view, content)

    def _computed(self, at: Place) -> tuple[Content | None, bool]:
        """What must be shown, and whether it is proved to be shown without views that need it."""
        self._rests = False
        content = self._content(at)
        if content is None or not self._rests or content.type not in DEPENDENT_TYPES:
            return content, True
        return content, self._stands(at)

    def _is_beside(self, thing: CanonicalKey, views: Mapping[int, View]) -> bool:
        """Whether a thing is shown only while others use it."""
        if thing in _known_things(self.policy) or any(self.resolver.goes_along(c) for c in self._stored.things[thing]):
            return True
        return any(view.type == "marking-definition" for view in views.values())

    # ------------------------------------------------------------ views that need others

    def _counts(self, at: Place, view: View) -> bool:
        if view.type not in DEPENDENT_TYPES:
            return True
        self._rests = True
        return not self._proving or self._stands(at)

    def _stands(self, at: Place) -> bool:
        """Whether a view is shown also without views of dependent types that are not proved in the same way."""
        if at not in self._standing:
            if at in self._proving or len(self._proving) == _PROVED_DEEP:
                return False
            self.note_relationship(at[1])
            self._proving.append(at)
            try:
                self._standing[at] = self._content(at) is not None
            finally:
                self._proving.pop()
        return self._standing[at]


class Proof(Recomputation):
    """Which of some views that need others are shown without any view that needs them in turn."""

    def __init__(self, policy: Policy, deferred: Deferred, some: Iterable[Place], unproven: AnyOf[Place]) -> None:
        """``some``: the views to decide about; ``unproven``: all whose proof is open, these included."""
        super().__init__(policy, deferred)
        self._todo = dict.fromkeys(some)
        self._unproven = unproven
        self._read: list[Place] = []
        self.proved: list[Place] = []
        self.waits_for: dict[Place, tuple[Place, ...]] = {}
        """For each view that is not proved, the open ones that it refers to."""

    def _work(self) -> None:
        for at in list(self._todo):
            with suppress(Missing):
                self._prove(at)
                del self._todo[at]

    def _prove(self, at: Place) -> None:
        self.note_relationship(at[1])
        self._read = []
        if self._content(at) is not None:
            self.proved.append(at)
        else:
            self.waits_for[at] = tuple(dict.fromkeys(self._read))

    def _counts(self, at: Place, view: View) -> bool:  # noqa: ARG002
        if at in self._unproven:
            self._read.append(at)
            return False
        return True


class BesideCheck(Recomputation):
    """The objects that are shown while others use them: all of them, after all slices."""

    def __init__(self, policy: Policy, deferred: Deferred, found: Findings) -> None:
        """``found``: what all slices have found; the uses by these objects are added to its tally."""
        super().__init__(policy, deferred)
        self.differences: list[Difference] = []
        self._found = found
        self._is_done = False

    def ask(self) -> Reads:
        """See ``Engine.ask``."""
        while True:
            reads = super().ask()
            if not (used := reads.about(USES)):
                return reads
            answers = Answers()
            answers.put(USES, dict.fromkeys(used, 0))  # the findings have all uses
            self.facts.tell(answers)

    def _work(self) -> None:
        with suppress(Missing):
            if not self._is_done:
                self._compare(self._solved())
                self._is_done = True

    def _solved(self) -> dict[Place, Content | None]:
        """What must be shown, from the uses by all other views. From the start at each call: these objects are few."""
        uses = Uses(self.policy, self.facts, self.contents)
        uses.changes.update(self._found.tally.computed)
        shown: dict[Place, Content | None] = {}
        changed = True
        while changed:
            changed, missing = False, False
            for no, name in uses.names():
                at = (no, object_key(name))
                try:
                    content = uses.content(no, name)
                except Missing:
                    missing = True
                    continue
                if content != (before := shown.get(at)):
                    shown[at], changed = content, True
                    for one, by in ((before, -1), (content, 1)):
                        for used in () if one is None else set(one.uses):
                            uses.changes[no, used] += by
            if missing:
                raise Missing
        return shown

    def _compare(self, shown: Mapping[Place, Content | None]) -> None:
        stored, uses = self._found.beside, _Uses()
        for at in sorted(shown.keys() | stored.keys()):
            view, row = stored.get(at, (None, None))
            content = shown.get(at)
            self.differences += _differences(self.policy, at, view, row, content)
            uses.note(at[0], view, content)
        uses.add_to(self._found.tally)


def _differences(
    policy: Policy, at: Place, view: View | None, row: Change | None, content: Content | None
) -> list[Difference]:
    """How a stored view, or else its row, differs from its content."""
    found = view_differences(policy, at, view, content)
    if found or view is None:
        return found
    return row_differences(at, view, row, content if view.late_us is None else None)


class _Uses:
    """How many views use the same things, by collection: nearly all views of a slice use a few things together."""

    def __init__(self) -> None:
        self._computed: Counter[tuple[int, tuple[str, ...]]] = Counter()
        self._stored: Counter[tuple[int, tuple[str, ...]]] = Counter()

    def note(self, no: int, view: View | None, content: Content | None) -> None:
        """Count a view, as it must be and as it is stored."""
        if content is not None:
            shown = content if view is None or view.late_us is None else view
            self._computed[no, shown.uses] += 1
        if view is not None and view.alive:
            self._stored[no, view.uses] += 1

    def add_to(self, tally: Tally) -> None:
        """Add the numbers by name."""
        for counted, by_name in ((self._computed, tally.computed), (self._stored, tally.stored)):
            for (no, uses), number in counted.items():
                for used in set(uses):
                    by_name[no, used] += number


def uses_differences(tally: Tally, counts: Mapping[tuple[int, str], int], nos: AnyOf[int]) -> list[Difference]:
    """The stored counts of uses that differ from what the stored views use."""
    found = []
    for at in sorted(tally.stored.keys() | counts.keys()):
        by = tally.stored[at] - counts.get(at, 0)
        if by and at[0] in nos:
            says = f"is counted as used by {counts.get(at, 0):,} views and is used by {tally.stored[at]:,}"
            found.append(Difference(StorePart.USES, says, at[0], object_id=at[1], by=by))
    return found


def is_beside(policy: Policy, object_id: str) -> bool:
    """Whether an object that is shown under this id is shown only while others use it."""
    known = object_id in known_objects(policy) or object_id in hidden_identities(policy)
    return known or object_id.startswith("marking-definition--")


@lru_cache(maxsize=4)
def _known_things(policy: Policy) -> frozenset[CanonicalKey]:
    return frozenset(map(object_key, known_objects(policy)))
