"""The projections of one step's claims, each computed once.

Audiences that see the same part of a claim share one projection, and audiences that see different parts have different
ones. Results computed from projections may therefore be cached by projection and shared between audiences.
"""

from __future__ import annotations

from collections.abc import Mapping

from hub.core.merge.facts import Facts
from hub.core.merge.project import (
    Part,
    Projection,
    as_definition,
    deciding_by,
    decision_of,
    part_for,
    projected,
)
from hub.core.merge.reach import Decided, Reach, reach
from hub.core.merge.runs import began
from hub.model.claims import ClaimHead, ClaimKey, claim_key
from hub.model.kept_out import KeptOut
from hub.model.markings import Marks
from hub.model.policy import Audience, Policy
from hub.model.words import StixId


class Projections:
    """See the module docstring. Every method may raise ``Missing``."""

    def __init__(
        self,
        policy: Policy,
        facts: Facts,
        before: Mapping[ClaimKey, ClaimHead | None],
        policy_before: Policy | None = None,
    ) -> None:
        """``before``: the claims that the step changes, before the change. ``policy_before``: the policy by which the
        stored views were computed, if the step computes claims again because it has changed.
        """
        self._policy = policy
        self._facts = facts
        self._before = before
        self._policy_before = policy_before
        self._decision = deciding_by(facts.claim)
        """The decision of the marking-definition that a source claims under an id."""
        self._redefined = any(claim is not None and claim.type == "marking-definition" for claim in before.values())
        self._reaches: dict[tuple[int, Marks, tuple[StixId, ...]], Reach | KeptOut] = {}
        self._reaches_before: dict[tuple[int, Marks], Reach | KeptOut] = {}
        """By source and markings, on which alone they depend."""
        self._parts: dict[tuple[int, Marks, tuple[StixId, ...], Audience], Part | KeptOut] = {}
        """The same for each audience."""
        self._seen: dict[tuple[ClaimKey, Audience, tuple[StixId, ...]], Projection | KeptOut] = {}
        self._made: dict[tuple[ClaimKey, Part, bytes], Projection] = {}

    def of(self, claim: ClaimHead, audience: Audience, unread: tuple[StixId, ...] = ()) -> Projection | None:
        """What an audience sees of a claim; None if nothing. ``unread``: markings that count as not defined."""
        found = self.seen(claim, audience, unread)
        return None if isinstance(found, KeptOut) else found

    def seen(self, claim: ClaimHead, audience: Audience, unread: tuple[StixId, ...] = ()) -> Projection | KeptOut:
        """The same, or what keeps the claim from the audience."""
        at = (claim.key, audience, unread)
        found = self._seen.get(at)
        if found is None:
            found = self._seen[at] = self._project(claim, audience, unread)
        return found

    def _project(self, claim: ClaimHead, audience: Audience, unread: tuple[StixId, ...]) -> Projection | KeptOut:
        if claim.state.is_withdrawn:
            return KeptOut.WITHDRAWN
        within = (claim.source, claim.marks, unread, audience)
        part = self._parts.get(within)
        if part is None:
            part = self._parts[within] = part_for(self._reach(claim, unread), audience)
        if isinstance(part, KeptOut):
            return part
        since = began(claim.since, audience)
        made = self._made.get((claim.key, part, since))
        if made is None:
            made = self._made[claim.key, part, since] = projected(claim, part, since, self._policy)
        return made

    def _reach(self, claim: ClaimHead, unread: tuple[StixId, ...]) -> Reach | KeptOut:
        within = (claim.source, claim.marks, unread)
        if within not in self._reaches:
            deciding = self._decision if not unread else lambda no, ref: self._decision_but(unread, no, ref)
            self._reaches[within] = reach(claim, self._policy, deciding)
        return self._reaches[within]

    def definition(self, claim: ClaimHead) -> Projection:
        """The projection of a marking-definition that is shown because an object uses it."""
        return as_definition(claim, self._policy)

    def was_visible(self, claim: ClaimHead, audience: Audience) -> bool:
        """Whether an audience saw, before this step, the claim that was stored under the same key."""
        if claim.key not in self._before and not self._redefined and self._policy_before is None:
            return self.of(claim, audience) is not None
        old = self._before.get(claim.key, claim)
        if old is None or old.state.is_withdrawn:
            return False
        at = (old.source, old.marks)
        if at not in self._reaches_before:
            self._reaches_before[at] = reach(old, self._policy_before or self._policy, self._decision_before)
        found = self._reaches_before[at]
        return not isinstance(found, KeptOut) and found.recipients.include(audience)

    def _decision_but(self, unread: tuple[StixId, ...], source: int, marking: StixId) -> Decided:
        return decision_of(None) if marking in unread else self._decision(source, marking)

    def _decision_before(self, source: int, marking: StixId) -> Decided:
        key = claim_key(source, marking)
        return decision_of(self._before[key]) if key in self._before else self._decision(source, marking)
