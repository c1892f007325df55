"""The circuit breaker: holds what a source takes back when that is more within an hour than policy allows.

It counts claims, by the log's times of receipt: those that a withdrawal or a revocation ends, and those that fewer may
see after another version. A marking-definition that hides more than before counts for all claims that carry it. Uses
only what the source itself has sent, and the policy.
Source: docs/semantics.md, section 3, "Circuit breaker".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from hub.core.merge.project import decision_of
from hub.core.merge.reach import Deciding, reach
from hub.model.breaker import WINDOW_MIN, BreakerLimits, BreakerRecord, BreakerState, Minute, minute_of
from hub.model.claims import Claim, ClaimState
from hub.model.kept_out import KeptOut
from hub.model.policy import Policy
from hub.model.problems import Code, Problem


class TakenBack(NamedTuple):
    """How many claims an arrival takes back."""

    taken: int = 0
    ended: int = 0
    """Of these those that are live no more."""


class Breaker:
    """Counts what each source takes back."""

    def __init__(self, limits: BreakerLimits, records: Mapping[int, BreakerRecord]) -> None:
        """``records``: of all sources of the step that may take something back."""
        self._limits = limits
        self._states = {source: record.state for source, record in records.items()}
        self._live = Counter({source: record.live for source, record in records.items()})
        self.changed: dict[int, BreakerState] = {}
        """What was counted in this step, by source."""
        self.tripped: list[int] = []
        """The sources whose breaker has tripped in this step."""

    def note(self, claims: Iterable[tuple[Claim | None, Claim]]) -> None:
        """Note what an arrival has changed: claims before and after."""
        self._live.update(live_changes(claims))

    def lets_pass(self, source: int, time_us: int, what: TakenBack) -> bool:
        """Whether the source may take this back; then it is counted. ``time_us``: the time of receipt."""
        if not what.taken:
            return True
        state = self._states[source]
        if state.tripped_us is not None:
            return False
        before = state.minutes
        now = max(minute_of(time_us), before[-1].minute if before else 0)  # the times of some logs step back
        recent = [one for one in before if one.minute > now - WINDOW_MIN]
        taken = sum(one.taken for one in recent) + what.taken
        claims = self._live[source] + sum(one.ended for one in recent)
        if taken > self._limits.most(claims):
            self.tripped.append(source)
            self._put(source, replace(state, tripped_us=time_us))
            return False
        last = recent.pop() if recent and recent[-1].minute == now else Minute(now, 0, 0)
        recent.append(Minute(now, last.taken + what.taken, last.ended + what.ended))
        self._put(source, replace(state, minutes=tuple(recent)))
        return True

    def _put(self, source: int, state: BreakerState) -> None:
        self._states[source] = self.changed[source] = state

    def problem(self) -> Problem:
        """What the source is told about an arrival that is held."""
        limits = self._limits
        says = (
            f"More than {limits.share}% of your live claims, and more than {limits.least:,}, were withdrawn, revoked or"
            " marked more strictly within an hour; this waits until it is confirmed."
        )
        return Problem(Code.BREAKER_MASS_WITHDRAWAL, "", says)


# ---------------------------------------------------------------- what is taken back


def live_changes(claims: Iterable[tuple[Claim | None, Claim]]) -> Counter[int]:
    """How many claims more are live, by source, of these claims before and after."""
    found: Counter[int] = Counter()
    for old, new in claims:
        found[new.source] += _is_live(new) - _is_live(old)
    return found


def taken_back(old: Claim | None, new: Claim, policy: Policy, deciding: Deciding) -> TakenBack:
    """Whether a change of a claim takes it back. The claims that carry a marking-definition are not counted here."""
    if old is None or not _is_live(old):
        return TakenBack()
    if not _is_live(new):
        return TakenBack(1, 1)
    return TakenBack(int(old.marks != new.marks and _narrows(old, new, policy, deciding)))


def hides_more(old: Claim | None, new: Claim) -> bool:
    """Whether the claims that carry a marking may have fewer readers after this change of its definition."""
    before, now = decision_of(old), decision_of(new)
    if old is None or new.type != "marking-definition" or not before.readable:
        return False
    if not now.readable or now.level is None or before.level is None:
        return not now.readable or now.level != before.level
    return now.level > before.level


def _is_live(claim: Claim | None) -> bool:
    return claim is not None and claim.state is ClaimState.LIVE


def _narrows(old: Claim, new: Claim, policy: Policy, deciding: Deciding) -> bool:
    """Whether somebody who may see the old version may not see the new one."""
    before, now = reach(old, policy, deciding), reach(new, policy, deciding)
    if isinstance(before, KeptOut):
        return False
    readers = [group for group in policy.groups if before.recipients.reach_group(group)]
    return bool(readers) and (
        isinstance(now, KeptOut)
        or now.recipients.level > before.recipients.level
        or not all(now.recipients.reach_group(group) for group in readers)
    )
