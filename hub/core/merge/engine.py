"""The merge of one step: computes the changed views in all collections from the changed claims.

Sans-IO: ``ask`` returns what must be read and ``tell`` accepts the answers, until nothing is left to read; ``drafts``
then has the views that differ. Work that lacks an answer stays in the queue and is repeated, so each round asks for
everything at once. The docstring of the package explains how it works.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import assert_never

from hub.core.merge.content import Content
from hub.core.merge.contents import Contents
from hub.core.merge.drafts import Drafts
from hub.core.merge.facts import AskedTogether, Facts, Missing, is_marking, is_placed, marked_with
from hub.core.merge.known import changeable_objects
from hub.core.merge.pace import Pace, only_adds
from hub.core.merge.project import decision_of
from hub.core.merge.projections import Projections
from hub.core.merge.references import has_own_meaning, object_key
from hub.core.merge.resolver import Resolver
from hub.core.merge.solution import Place, Solution
from hub.core.merge.turns import Referrer, Turns
from hub.core.merge.uses import Uses
from hub.core.merge.work import (
    ALL_COLLECTIONS,
    ClaimChanged,
    EndsChanged,
    FeedbackChanged,
    MeaningChanged,
    Nos,
    StepScope,
    ViewChanged,
    Work,
    means_the_same,
)
from hub.model.claims import Claim, ClaimHead, ClaimKey, fill_place
from hub.model.policy import MEMBERS_CLAIM, Policy
from hub.model.reads import Answers, Reads
from hub.model.references import key_in, keyed
from hub.model.verification import Doubted
from hub.model.words import CanonicalKey, StixId

_ROUNDS = 200_000
"""Maximum passes over the queue in one step; more would mean an error in the engine."""


class Engine:
    """See the module docstring."""

    def __init__(
        self,
        policy: Policy,
        changed: Mapping[ClaimKey, tuple[Claim | None, Claim]],
        again: Sequence[Claim] = (),
        scope: StepScope = ALL_COLLECTIONS,
    ) -> None:
        """``changed``: old and new claim by key. ``again``: claims to compute again, because the policy has changed."""
        self._policy = policy
        self._nos = tuple(policy.collections) if scope.nos is None else scope.nos
        self._changed = changed
        self._filled_to = scope.filled_to
        self._facts = Facts(policy, {key: new for key, (_, new) in changed.items()}, scope.referrer_limit)
        stored = {key: old for key, (old, _) in changed.items()}
        projections = Projections(policy, self._facts, stored, scope.policy_before)
        self._resolver = Resolver(policy, self._facts, projections, dict(scope.pending))
        self._solution = Solution(policy, self._facts)
        self._contents = Contents(policy, self._facts, projections, self._resolver, self._solution.shown_as)
        self._pace = Pace(self._facts, self._solution, scope.paced_after_us)
        self.drafts = Drafts(policy, self._facts, self._resolver, self._solution, self._pace)
        """The views that differ from the stored ones, when nothing is left to read."""
        self._uses = Uses(policy, self._facts, self._contents)
        self._turns = Turns(self._facts, self._resolver, scope.referrer_limit)
        self._queue: dict[Work, None] = dict.fromkeys(map(ClaimChanged, changed))
        self._done: set[ViewChanged] = set()
        self._uncounted: dict[Place, None] = {}
        """Places that were computed after their uses were last counted."""
        self._markings: set[str] = set()
        """Marking-definitions that may have other content now, by name (``marking_name``)."""
        self._redecided: set[StixId] = set()
        """Marking-definitions whose previous decision was readable and has changed."""
        self._begin(again)

    def _begin(self, again: Sequence[Claim]) -> None:
        for old, new in self._changed.values():
            self._facts.prefetch(new)
            for one in (old, new):
                if one is not None and one.thing is not None:
                    self._facts.want_thing(one.thing)
        for claim in again:
            self._affect_claim(self._facts.add(claim), self._nos)
            self._put(MeaningChanged(claim.id, self._nos, if_contested=False))
            self._change_names(claim, self._nos)
            self._facts.prefetch(claim)
            self._markings.update(name for ref in claim.marks.others for name in (ref, f"{ref}/{claim.source}"))
        if again:
            self._markings.update(changeable_objects(self._policy))

    def resume(self, no: int, name: StixId, after: bytes) -> None:
        """Compute the next referrers of ``name`` that an earlier step deferred; see ``reached``."""
        self._turns.resume(no, name, after)

    def doubt(self, doubted: Doubted) -> None:
        """Compute again what is doubted, whatever is stored of it."""
        self._resolver.relationships.update(doubted.relationships)
        for thing in sorted(doubted.things):
            self._affect(thing, self._nos)
        self._markings.update(doubted.used)

    # ------------------------------------------------------------ the interface

    def ask(self) -> Reads:
        """What must be read before the work can continue; empty when it is done."""
        for _ in range(_ROUNDS):
            self._work()
            reads = self._facts.asked()
            if reads:
                return reads
            if not self._is_busy():
                self._update_uses()
                reads = self._facts.asked()
                if reads:
                    return reads
                if not self._uncounted and not self._is_busy():
                    return self.drafts.reads()
        raise RuntimeError("the merge of this step does not end")

    def tell(self, answers: Answers) -> None:
        """Accept the answers."""
        self._facts.tell(answers)

    @property
    def placements(self) -> dict[ClaimKey, dict[int, CanonicalKey]]:
        """The things that relationships are about, by collection, for the relationships where they have changed."""
        return self._facts.placements.moved

    @property
    def uses(self) -> dict[tuple[int, str], int]:
        """The change in the number of views that use something, by collection and name."""
        return self._uses.changes

    @property
    def left(self) -> list[tuple[int, StixId]]:
        """Collections, and ids in them whose referrers are deferred to later steps."""
        return self._turns.left(self._is_shown)

    @property
    def cancelled(self) -> list[tuple[int, StixId]]:
        """Deferred work of earlier steps that is no longer needed."""
        return self._turns.cancelled

    @property
    def reached(self) -> bytes | None:
        """The key after which the next step must ``resume``; None when all referrers have been computed."""
        return self._turns.reached

    # ------------------------------------------------------------ the queue

    def _put(self, work: Work) -> None:
        self._queue[work] = None

    def _is_busy(self) -> bool:
        return bool(self._queue) or self._turns.is_busy or self._solution.is_busy

    def _work(self) -> None:
        """One pass over the queue and the places; work that lacks an answer stays queued."""
        for work in list(self._queue):
            with suppress(Missing):
                self._do(work)
                del self._queue[work]
        referrers, waiting = self._turns.advance()
        self._queue.update(dict.fromkeys(referrers))
        for no in waiting:
            self._solution.doubt(no)
        if self._queue or self._turns.is_busy:
            return
        self._solution.solve(self._compute)
        if not self._solution.is_busy:
            self._note_changes()

    def _compute(self, no: int, thing: CanonicalKey) -> Content | None:
        return self._contents.content(self._policy.collections[no], thing)

    def _note_changes(self) -> None:
        """Queue the views that were added or removed or changed their id, because their referrers are affected."""
        for place in self._solution.settled():
            self._uncounted[place] = None
            now = self._solution.shown_as(*place)
            if now != self._facts.views.shown_as(*place):
                work = ViewChanged(place, now)
                if work not in self._done:
                    self._done.add(work)
                    self._put(work)

    def _do(self, work: Work) -> None:
        match work:
            case ClaimChanged(key):
                self._change_claim(key)
            case MeaningChanged(name, nos, if_contested):
                self._change_meaning(name, nos, if_contested=if_contested)
            case FeedbackChanged(name, nos):
                self._affect_judged(name, nos)
            case EndsChanged(key, nos):
                self._move(key, nos)
            case ViewChanged(place):
                self._change_view(*place)
            case Referrer(no, name, key):
                self._affect_referrer(no, name, key)
            case _ as never:
                assert_never(never)

    # ------------------------------------------------------------ what is affected

    def _affect(self, thing: CanonicalKey, nos: Nos, may_wait: Nos = ()) -> None:
        self._facts.want_thing(thing)
        for no in nos:
            self._solution.affect((no, thing))
            self._pace.note((no, thing), may_wait=no in may_wait)

    def _affect_claim(self, claim: ClaimHead, nos: Nos, may_wait: Nos = ()) -> None:
        """Mark what a claim contributes to as affected in these collections. ``may_wait``: in which of them it may keep
        the pace.
        """
        for name in claim.feedback_on:  # it may now count, or no longer count
            self._put(FeedbackChanged(name, nos))
        if is_placed(claim):
            self._put(EndsChanged(claim.key, nos))
        elif self._resolver.goes_along(claim):
            self._markings.update((claim.id, f"{claim.id}/{claim.source}"))
        elif claim.thing is not None:
            self._affect(claim.thing, nos, may_wait)

    def _change_claim(self, key: ClaimKey) -> None:
        """Apply a changed claim in the collections whose audience sees it now or saw it before, and in no others."""
        old, new = self._changed[key]
        nos = tuple(no for no in self._nos if self._resolver.sees(no, new) or self._resolver.saw(no, new))
        paced = nos if self._pace.is_set else ()
        adds = tuple(no for no in paced if only_adds(old if self._resolver.saw(no, new) else None, new))
        self._affect_claim(new, nos, adds)
        if new.type == "marking-definition":
            self._redefine(old, new)
        else:
            self._change_names(new, nos, if_contested=old is not None and means_the_same(old, new))
        if old is None:
            return
        for name in old.feedback_on:
            self._put(FeedbackChanged(name, nos))
        if old.thing is None:
            self._put(EndsChanged(key, nos))
        elif old.thing != new.thing:
            self._affect(old.thing, nos)

    def _change_names(self, claim: ClaimHead, nos: Nos, *, if_contested: bool = False) -> None:
        """Queue the names that may mean something else because a claim, or its audience, has changed."""
        if has_own_meaning(claim.id):
            self._put(MeaningChanged(claim.id, nos, if_contested=if_contested))
        elif claim.type in MEMBERS_CLAIM and claim.thing is not None:  # for centres it exists once a centre claims it
            for name in (claim.id, keyed(claim.type, claim.thing)):
                self._put(MeaningChanged(name, nos, if_contested=False))

    def _redefine(self, old: ClaimHead | None, new: ClaimHead) -> None:
        """Queue a changed marking decision: the objects with this marking may have another audience now."""
        before = decision_of(old)
        if before != decision_of(new):
            name = marked_with(new.source, new.id)
            self._put(MeaningChanged(name, self._nos, if_contested=False))
            if before.readable:
                self._redecided.add(name)

    def _change_meaning(self, name: StixId, nos: Nos, *, if_contested: bool) -> None:
        """Mark all claims that refer to the id as affected."""
        referrers = self._facts.index.referrers(name)
        if referrers is not None and not referrers:
            return
        if if_contested:
            nos = tuple(no for no in nos if len(self._known_under(no, name)) > 1)
            if not nos:
                return
        if is_marking(name):
            for no in nos:
                self._turns.end(no, name)
        self._affect_referrers(name, nos)
        if referrers is None:
            # a marking that has become readable only adds claims, so they may wait; a changed decision may also hide
            # claims
            may_wait = is_marking(name) and name not in self._redecided
            for no in nos:
                self._turns.add(no, name, at_once=not may_wait)

    def _affect_judged(self, name: StixId, nos: Nos) -> None:
        """Mark the indicators that the id may mean as affected."""
        if not name.startswith("indicator--"):
            return
        thing = key_in(name)
        if thing is not None:
            self._affect(thing, nos)
            return
        for no in nos:
            for claim in self._known_under(no, name):
                if claim.thing is not None:
                    self._affect(claim.thing, (no,))

    def _known_under(self, no: int, stix_id: StixId) -> list[ClaimHead]:
        """The claims under an id that a collection's audience sees, or saw before this step. Another claim may not
        decide in which step a view is computed: the order of the rows would tell that it is there.
        """
        claims = self._facts.claims_of_id(stix_id)
        return [claim for claim in claims if self._resolver.sees(no, claim) or self._resolver.saw(no, claim)]

    def _move(self, key: ClaimKey, nos: Nos) -> None:
        claim = self._facts.claim(key)
        if claim is None:
            return
        old = self._facts.placements.of(key)
        where = {no: thing for no, thing in old.items() if no not in nos}
        for no in nos:
            thing = self._resolver.thing_between(no, claim) if is_placed(claim) else None
            if thing is not None:
                where[no] = thing
        self._resolver.relationships.update(where.values(), old.values())
        for no in nos:
            for thing in (old.get(no), where.get(no)):
                if thing is not None:
                    self._affect(thing, (no,))
        if where != old:
            self._facts.placements.place(key, where)
            moved = tuple(no for no in nos if where.get(no) != old.get(no))
            self._put(MeaningChanged(claim.id, moved, if_contested=False))

    # ------------------------------------------------------------ what refers to what

    def _change_view(self, no: int, thing: CanonicalKey) -> None:
        """Mark all claims that refer to a view under any of its names as affected."""
        before, now = self._facts.views.of(no, thing), self._solution.content((no, thing))
        was_shown = before is not None and before.alive
        for name in self._resolver.names_of(no, thing, before, now):
            if was_shown:  # it has gone or has another id, and the name may mean another view: referrers need not wait
                self._turns.end(no, name)
            self._turns.note(no, name, (no, thing))
            if self._affect_referrers(name, (no,)) is None:
                self._turns.add(no, name, at_once=was_shown)

    def _affect_referrers(self, name: StixId, nos: Nos) -> Sequence[ClaimHead] | None:
        """Mark all claims that refer to an id as affected; above the limit only those that the step changes.

        Returns all of them, or None above the limit.
        """
        referrers = self._facts.index.referrers(name)
        together = AskedTogether()
        for claim in self._facts.changed_referring(name) if referrers is None else referrers:
            for no in nos:
                with together:
                    self._affect_referrer(no, name, claim.key)
        together.end()
        return referrers

    def _affect_referrer(self, no: int, name: StixId, key: ClaimKey) -> None:
        claim = self._facts.claim(key)
        if claim is None or self._comes_later(no, claim):
            return
        revealed = is_marking(name)
        sees = self._resolver.sees(no, claim) or self._resolver.goes_along(claim)
        if not sees and not (revealed and self._resolver.saw(no, claim)):
            return
        self._affect_claim(claim, (no,))
        if is_placed(claim):
            thing = self._facts.placements.of(key).get(no)
            if thing is not None:
                self._resolver.relationships.add(thing)
                self._affect(thing, (no,))
        if revealed:  # its audience has changed, so its id may mean something else now
            self._change_names(claim, (no,))

    def _comes_later(self, no: int, claim: ClaimHead) -> bool:
        """Whether a collection that is being filled does not show what a claim is about, and will look at it later."""
        later = self._filled_to is not None and fill_place(claim) > self._filled_to
        thing = self._resolver.thing_of(no, claim) if later else None
        return later and (thing is None or self._facts.views.shown_as(no, thing) is None)

    # ------------------------------------------------------------ objects that are shown because they are used

    def _update_uses(self) -> None:
        """Show the objects that shown views use, and end those that no view uses any more."""
        for place in self._uncounted:
            self._uses.count(place, self._pace.kept(place) or self._solution.content(place))
        self._uncounted.clear()
        names = self._uses.names() | {(no, marking): None for marking in self._markings for no in self._nos}
        for no, name in names:
            with suppress(Missing):
                if not self._uses.stays(no, name):
                    self._solution.set((no, object_key(name)), self._uses.content(no, name))
        self._note_changes()

    def _is_shown(self, place: Place) -> bool:
        return self._solution.shown_as(*place) is not None
