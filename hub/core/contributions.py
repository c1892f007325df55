"""Decides which claim now counts under each key, and the state of each arrival.

Source: docs/semantics.md, sections 1 ("contribution") and 3.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from hub.core.admission import Admitted
from hub.core.breaker import Breaker, TakenBack, hides_more, live_changes, taken_back
from hub.core.contribution_reads import own_markings, parts_of
from hub.core.judge import revoking
from hub.core.merge.facts import indexed_references, marked_with
from hub.core.merge.newest import newest, no_claim, restored, standing_withdrawal, superseded, withdrawal
from hub.core.merge.project import deciding_by
from hub.core.merge.reach import decided_by
from hub.core.merge.references import read_as_keys
from hub.core.merge.runs import runs_on
from hub.core.outcomes import Outcome, superseding_of, waiting_version, withdraws
from hub.core.revoke import revoked
from hub.model.claims import Claim, ClaimKey, ClaimState, claim_key
from hub.model.policy import Policy
from hub.model.problems import Code, Problem, cut
from hub.model.reads import BREAKER, CLAIM, HELD, ISSUED, REFERRING, REPLACED, Answers, HeldRecord, WaitingVersion
from hub.model.words import CanonicalKey, Stamp, State, StixId, Withdrawal
from hub.model.writes import Superseding, Writes


class Contributions:
    """The claims that a batch concerns, after each of its arrivals."""

    def __init__(self, policy: Policy, answers: Answers) -> None:
        """``answers``: to the reads of ``reads_for`` and ``further_reads``."""
        self._policy = policy
        self.breaker = Breaker(policy.breaker, answers.of(BREAKER))
        self._referring = answers.of(REFERRING)
        replaced, others = answers.of(REPLACED), answers.of(CLAIM)
        self._before: Mapping[ClaimKey, Claim | None] = replaced
        self._now = {key: claim for some in (others, replaced) for key, claim in some.items() if claim is not None}
        self._held: dict[tuple[int, StixId], HeldRecord] = dict(answers.of(HELD))
        issued = answers.of(ISSUED)
        self._issued: dict[StixId, CanonicalKey] = {ref: key for ref, key in issued.items() if key is not None}
        self.changed: dict[ClaimKey, tuple[Claim | None, Claim]] = {}
        """Old and new claim, by key."""
        self._replaced: dict[ClaimKey, Claim | None] = {}
        """The claims that the current arrival has replaced, as they were before it."""

    def take(self, one: Admitted) -> Outcome:
        """Apply one arrival, after those before it."""
        if self._issued:
            one = replace(one, claims=self._as_keys(one.claims), would_claim=self._as_keys(one.would_claim))
        self._replaced = {}
        outcome = self._outcome(one)
        if not self._may_count(one):
            self._undo()
            outcome = Outcome(one, State.HELD, (self.breaker.problem(),), self._kind_of_withdrawal(one))
        elif self._replaced:
            self.breaker.note((old, self._now[key]) for key, old in self._replaced.items())
        self._note_waiting(outcome)
        return outcome

    def count(self, writes: Writes) -> None:
        """Write how many claims are live, and what the breaker has counted."""
        writes.live = dict(live_changes(self.changed.values()))
        writes.breakers, writes.tripped = self.breaker.changed, self.breaker.tripped

    def _note_waiting(self, outcome: Outcome) -> None:
        """Keep what is held under an id as it is after an arrival."""
        one = outcome.admitted
        at = (one.arrival.source.no, StixId(one.stix_id or ""))
        if at not in self._held:
            return
        gone = self._superseded_at(at, outcome.superseding)
        left = tuple(waits for waits in self._held[at].waiting if waits not in gone)
        if outcome.is_stored_as_held:
            left = (*left, waiting_version(outcome))
        self._held[at] = self._held[at]._replace(waiting=left)

    def _as_keys(self, claims: Sequence[Claim]) -> tuple[Claim, ...]:
        return tuple(read_as_keys(claim, self._issued) for claim in claims)

    def _outcome(self, one: Admitted) -> Outcome:
        if withdraws(one):
            return self._restore(one) if one.arrival.withdrawal is Withdrawal.RESTORE else self._withdraw(one)
        stands = self._stands_already(one)
        if stands is not None:
            return Outcome(one, State.UNCHANGED, (stands,))
        if one.claims:
            return self._accept(one)
        if self._takes_back(one):
            self._take_back(one)
        refused = self._was_refused(one)
        if refused is not None:
            return Outcome(one, State.UNCHANGED, (refused,))
        return Outcome(one, one.problems[0].state if one.problems else State.REJECTED, one.problems)

    def _put(self, claim: Claim) -> None:
        old = self._now.get(claim.key)
        if old is not None:
            claim = replace(claim, since=runs_on(old, claim, self._policy))
        self._replaced.setdefault(claim.key, old)
        self._now[claim.key] = claim
        self.changed[claim.key] = (self._before.get(claim.key), claim)

    # ------------------------------------------------------------ the breaker

    def _may_count(self, one: Admitted) -> bool:
        """Whether the breaker lets pass what an arrival has taken back."""
        if one.arrival.released is not None or not self._replaced or not self._policy.breaker.share:
            return True
        deciding = deciding_by(self._now.get)
        found = [taken_back(old, self._now[key], self._policy, deciding) for key, old in self._replaced.items()]
        hidden = sum(self._carrying(key) for key, old in self._replaced.items() if hides_more(old, self._now[key]))
        what = TakenBack(sum(each.taken for each in found) + hidden, sum(each.ended for each in found))
        return self.breaker.lets_pass(one.arrival.source.no, one.arrival.at_us, what)

    def _carrying(self, key: ClaimKey) -> int:
        """How many claims of its source carry a marking-definition, after the arrivals so far."""
        definition = self._now[key]
        name = marked_with(definition.source, definition.id)
        return self._referring[name] + sum(
            (name in indexed_references(new, self._policy))
            - (old is not None and name in indexed_references(old, self._policy))
            for old, new in self.changed.values()
        )

    def _undo(self) -> None:
        """Take back what the current arrival has changed."""
        for key, old in self._replaced.items():
            if old is None:
                del self._now[key]
            else:
                self._now[key] = old
            if old is self._before.get(key):
                del self.changed[key]
            elif old is not None:
                self.changed[key] = (self._before.get(key), old)
        self._replaced = {}

    def _kind_of_withdrawal(self, one: Admitted) -> Withdrawal | None:
        """How an arrival that the breaker holds withdraws. One that stands is not weakened by a later soft one."""
        if one.arrival.value is not None:
            return None
        return Withdrawal.STANDS if self._holds_standing(one) else one.arrival.withdrawal

    def _holds_standing(self, one: Admitted) -> bool:
        """Whether the breaker holds a withdrawal under the same id that stands."""
        at = (one.arrival.source.no, StixId(one.stix_id or ""))
        return at in self._held and any(each.withdrawal is Withdrawal.STANDS for each in self._held[at].waiting)

    # ------------------------------------------------------------ withdrawals

    def _withdraw(self, one: Admitted) -> Outcome:
        stamp, at = one.arrival.stamp, (one.arrival.source.no, StixId(one.stix_id or ""))
        old = self._now.get(claim_key(*at))
        held = self._superseded_at(at, superseding_of(one))
        gone = None
        if one.arrival.withdrawal is Withdrawal.STANDS and (old is not None or held):
            objects = [each for each in held if each.withdrawal is None]
            gone = standing_withdrawal(old or no_claim(*at, stamp), stamp, objects)
        elif old is not None:
            gone = withdrawal(old, stamp)
        if gone is not None:
            self._put(gone)
            self._withdraw_parts(parts_of(old), stamp)
        elif not held:
            says = f"You have nothing live under {cut(one.stix_id)}; nothing was withdrawn."
            return Outcome(one, State.UNCHANGED, (Problem(Code.WITHDRAWAL_UNKNOWN, "", says),))
        return Outcome(one, State.ACCEPTED, _as_meant(one))

    def _restore(self, one: Admitted) -> Outcome:
        old = self._now.get(claim_key(one.arrival.source.no, one.stix_id or ""))
        again = None if old is None else restored(old, one.arrival.stamp)
        if again is None and self._holds_standing(one):
            return Outcome(one, State.HELD, (self.breaker.problem(),), Withdrawal.SOFT)
        if again is None:
            says = f"No withdrawal of yours stands under {cut(one.stix_id)}; nothing was changed."
            return Outcome(one, State.UNCHANGED, (Problem(Code.WITHDRAWAL_UNKNOWN, "", says),))
        self._put(again)
        return Outcome(one, State.ACCEPTED, _as_meant(one))

    def _take_back(self, one: Admitted) -> None:
        """Withdraw the current claim, which a refused or a held version would have replaced."""
        by = one.would_claim[0]
        old = self._now.get(by.key)
        if old is None:
            return
        gone = superseded(old, by) if one.retracts else withdrawal(old, by.stamp)
        if gone is not None:
            self._put(gone)
            self._withdraw_parts(parts_of(old), by.stamp)

    def _withdraw_parts(self, parts: Iterable[ClaimKey], stamp: Stamp) -> None:
        for key in parts:
            part = self._now.get(key)
            gone = None if part is None else withdrawal(part, max(stamp, part.stamp))
            if gone is not None:
                self._put(gone)

    # ------------------------------------------------------------ what is held or refused

    def _superseded_at(self, at: tuple[int, StixId], by: Superseding | None) -> list[WaitingVersion]:
        """The held objects of a source under an id that are superseded."""
        if by is None or at not in self._held:
            return []
        return [one for one in self._held[at].waiting if by.supersedes(one.stamp, one.modified_us, one.held_as)]

    def _stands_already(self, one: Admitted) -> Problem | None:
        """Why the object need not be held: an operator has released this exact claim, or a newer one counts already.

        Otherwise a feed that sends everything every day would ask the operator again about decided objects.
        """
        if one.retracts or not one.would_claim:
            return None
        replaces, code = newest(self._now.get(one.would_claim[0].key), one.would_claim[0])
        return None if replaces is not None or code is None else _said(code, one.would_claim[0])

    def _was_refused(self, one: Admitted) -> Problem | None:
        """Why the operator is not asked again: an operator has refused this exact claim."""
        if not one.held_on:
            return None
        at = (one.arrival.source.no, one.would_claim[0].id)
        if at not in self._held or one.would_claim[0].digest not in self._held[at].refused:
            return None
        says = f"An operator of this hub has refused this object ({one.problems[0].says.rstrip('.')}); it stays out."
        return Problem(Code.HELD_REFUSED, "", says)

    def _takes_back(self, one: Admitted) -> bool:
        """Whether the current claim is withdrawn although the new one does not count: the new one is refused for its
        marking, or for something that was erased, and would have replaced it; or it is held with other markings, and
        the operator has not decided yet.
        """
        if one.retracts:
            return newest(self._now.get(one.would_claim[0].key), one.would_claim[0])[0] is not None
        return any(
            not old.state.is_withdrawn and old.marks != claim.marks
            for claim in one.would_claim
            if (old := self._now.get(claim.key)) is not None
        )

    # ------------------------------------------------------------ what is accepted

    def _accept(self, one: Admitted) -> Outcome:
        whole, *parts = one.claims
        old = self._now.get(whole.key)
        if one.only_revokes:
            whole = revoked(whole, old, one.arrival.source.default_level)
        replaces, code = newest(old, whole)
        followed = [_following(self._now.get(part.key), part) for part in parts]
        moved = [part for part, _ in followed if part is not None]
        if replaces is None and code is Code.VERSION_SAME and moved:
            replaces, code = whole, Code.VERSION_NOT_INCREMENTED
        said = () if code is None else (_said(code, whole),)
        if replaces is None:
            return Outcome(one, State.UNCHANGED, said)
        if kept_out := sum(code is Code.WITHDRAWAL_STANDS for _, code in followed):
            says = f"You have withdrawn {kept_out} of the objects inside; they stay withdrawn."
            said = (*said, Problem(Code.WITHDRAWAL_PART_STANDS, "/objects", says))
        for claim in (replaces, *moved):
            self._put(claim)
        left_out = set(parts_of(old)) - {part.key for part in parts}
        self._withdraw_parts(sorted(left_out), one.arrival.stamp)
        trouble = None if one.only_revokes else self._marking_trouble(whole)
        if trouble is not None and whole.state is ClaimState.REVOKED:
            return Outcome(one, State.ACCEPTED, (*one.problems, *revoking(whole.obj, trouble).warnings, *said))
        if trouble is not None:
            return Outcome(one, State.HELD, (trouble,))
        return Outcome(one, State.ACCEPTED, (*one.problems, *self._hidden_parts(whole), *said))

    def _marking_trouble(self, claim: Claim) -> Problem | None:
        """Why a claim is hidden from everyone until its source defines its marking, or corrects the definition."""
        if claim.marks.unreadable:
            says = "A label states an unknown TLP level; this object is hidden from everyone until it is corrected."
            return Problem(Code.MARKING_UNKNOWN, "/labels", says)
        taking = {one.ref for one in claim.marks.granular if one.takes_all}
        for ref in own_markings(claim, self._policy):
            if ref not in claim.marks.own and ref not in taking:
                continue
            hides = self._hides(claim.source, ref, "this object")
            if hides is not None:
                at = "/object_marking_refs" if ref in claim.marks.own else "/granular_markings"
                return Problem(Code.MARKING_UNKNOWN, at, hides)
        return None

    def _hidden_parts(self, claim: Claim) -> list[Problem]:
        """Warnings for granular markings whose parts are hidden from everyone for the same reasons."""
        parts = {one.ref for one in claim.marks.granular if one.level is None and not one.takes_all}
        hidden = [
            says
            for ref in own_markings(claim, self._policy)
            if ref in parts and (says := self._hides(claim.source, ref, "what it marks")) is not None
        ]
        return [Problem(Code.MARKING_PART_HIDDEN, "/granular_markings", says) for says in hidden]

    def _hides(self, source: int, marking: StixId, what: str) -> str | None:
        """Why one of a source's own markings hides ``what`` carries it."""
        definition = self._now.get(claim_key(source, marking))
        if definition is None or definition.state.is_withdrawn:
            return f"You have not defined the marking {cut(marking)}; {what} is hidden from everyone until you do."
        decided = decided_by(definition.obj)
        name = f"Your marking {cut(marking)}"
        if not decided.readable:
            return f"{name} states an unknown TLP level, or nothing; {what} is hidden from everyone."
        if decided.level is not None and decided.level > self._policy.sources[source].ceiling:
            return f"{name} is TLP:{decided.level.label.upper()}, above your ceiling; {what} is hidden."
        return None


def _as_meant(one: Admitted) -> tuple[Problem, ...]:
    """The warning for a withdrawal that names an id in another spelling."""
    if one.arrival.value is not None or one.stix_id == one.arrival.stix_id:
        return ()
    says = f"{cut(one.arrival.stix_id)} was read as {cut(one.stix_id)}."
    return (Problem(Code.WITHDRAWAL_LENIENT, "", says),)


def _following(old: Claim | None, part: Claim) -> tuple[Claim | None, Code | None]:
    """The claim of a part that is accepted with its whole, even if the stored claim has a later stamp; None if it is
    unchanged, and why.
    """
    return newest(old, part if old is None else replace(part, stamp=max(part.stamp, old.stamp)))


def _said(code: Code, claim: Claim) -> Problem:
    says = {
        Code.VERSION_OLDER: "A newer version, or a withdrawal, is already stored.",
        Code.VERSION_SAME: "The same claim is already stored.",
        Code.WITHDRAWAL_STANDS: "You have withdrawn this version, or a newer one; it stays withdrawn until you send"
        " a newer version, or take the withdrawal back.",
        Code.VERSION_NOT_INCREMENTED: "It differs from the previous version with the same modified, and replaces it.",
    }[code]
    return Problem(code, "/modified" if claim.modified_us is not None else "", says)
