"""What became of each arrival, and the rows that follow from it: receipts, counts, held objects, rejections."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hub.core.admission import Admitted
from hub.core.arrivals import Arrival
from hub.core.sent import Sent, sent_of
from hub.model.held import HeldAs
from hub.model.policy import SourceKind
from hub.model.problems import Code, Problem
from hub.model.reads import WaitingVersion
from hub.model.record_headers import is_status_id
from hub.model.words import State, StixId, Withdrawal
from hub.model.writes import Held, ReceiptCounts, ReceiptPart, Superseding, Writes, without_superseded

_EXCERPT_BYTES = 512


@dataclass(frozen=True, slots=True)
class Outcome:
    """The state and the problems of one arrival."""

    admitted: Admitted
    state: State
    problems: tuple[Problem, ...]
    withdrawal: Withdrawal | None = None
    """If the breaker holds it: what it does if it is a withdrawal."""

    @property
    def is_held_by_breaker(self) -> bool:
        """Whether it waits because its source takes back too much."""
        return self.state is State.HELD and self.problems[0].code is Code.BREAKER_MASS_WITHDRAWAL

    @property
    def is_stored_as_held(self) -> bool:
        """Whether it waits with its original bytes, and is no claim yet."""
        return self.state is State.HELD and (self.is_held_by_breaker or not self.admitted.claims)

    @property
    def is_of_forgotten(self) -> bool:
        """Whether its record says something that was erased, and still has its content."""
        arrival = self.admitted.arrival
        has_content = arrival.released is None and (arrival.value is not None or arrival.stix_id is not None)
        return has_content and self.admitted.says_forgotten

    @property
    def superseding(self) -> Superseding | None:
        """Which held objects under the same id this arrival supersedes; None if none."""
        one = self.admitted
        if self.is_held_by_breaker:
            return superseding_of(one, HeldAs.BY_BREAKER)
        if withdraws(one):
            return None if one.arrival.withdrawal is Withdrawal.RESTORE else superseding_of(one)
        if self.state in (State.ACCEPTED, State.HELD) or one.retracts:
            return superseding_of(one)
        listed = any(problem.code in (Code.VERSION_OLDER, Code.VERSION_SAME) for problem in self.problems)
        return Superseding(one.arrival.stamp, None, HeldAs.NOT_LISTED) if listed else None


def withdraws(one: Admitted) -> bool:
    """Whether an arrival is a withdrawal that can be read."""
    return one.arrival.value is None and not one.problems


def superseding_of(one: Admitted, least: HeldAs = HeldAs.FOR_CONTENT) -> Superseding:
    """What an arrival supersedes if it counts."""
    said = (*one.claims, *one.would_claim)
    return Superseding(one.arrival.stamp, said[0].modified_us if said else None, least)


def waiting_version(outcome: Outcome) -> WaitingVersion:
    """What waits because an arrival is held."""
    one = outcome.admitted
    held = HeldAs.FOR_CONTENT
    if outcome.is_held_by_breaker:
        held = HeldAs.NOT_LISTED if outcome.withdrawal is Withdrawal.SOFT else HeldAs.BY_BREAKER
    said = (*one.claims, *one.would_claim)
    modified_us, digest = (said[0].modified_us, said[0].digest) if said else (None, b"")
    return WaitingVersion(one.arrival.stamp, modified_us, digest, held, outcome.withdrawal)


# ---------------------------------------------------------------- receipts, counts, held objects


def account(outcomes: Sequence[Outcome], writes: Writes, now_us: int) -> None:
    """Write the counts and problems of the receipts, the counts of the sources, and the held objects."""
    parts: dict[tuple[str, int], list[Outcome]] = {}
    totals: dict[int, Counter[State]] = {}
    for outcome in outcomes:
        arrival = outcome.admitted.arrival
        source = arrival.source.no
        if arrival.released is None:
            totals.setdefault(source, Counter())[outcome.state] += 1
        if arrival.receipt is not None:
            # also by source: the headers of a source's records can only affect its own receipts
            parts.setdefault((arrival.receipt, source), []).append(outcome)
    writes.receipts = [_part(receipt, source, some) for (receipt, source), some in parts.items()]
    writes.counts = {source: _counts(by_state) for source, by_state in totals.items()}
    writes.unwanted = [
        (one.admitted.arrival.topic, one.admitted.arrival.partition, one.admitted.arrival.offset)
        for one in outcomes
        if one.is_of_forgotten
    ]
    _hold(outcomes, writes, now_us)


def _hold(outcomes: Sequence[Outcome], writes: Writes, now_us: int) -> None:
    """Write which objects are held from now on, and which held objects are superseded by newer arrivals."""
    said: dict[tuple[int, StixId], list[Superseding]] = {}
    for outcome in outcomes:
        if outcome.superseding is not None:
            admitted = outcome.admitted
            at = (admitted.arrival.source.no, StixId(admitted.stix_id or ""))
            said.setdefault(at, []).append(outcome.superseding)
    writes.superseding = {at: without_superseded(some) for at, some in said.items()}
    held = [_held(one, now_us) for one in outcomes if one.is_stored_as_held]
    writes.held = [
        one
        for one in held
        if not any(
            each.supersedes(one.stamp, one.modified_us, one.held_as)
            for each in writes.superseding[one.source, StixId(one.stix_id)]
        )
    ]


def _part(receipt: str, source: int, outcomes: Sequence[Outcome]) -> ReceiptPart:
    return ReceiptPart(
        receipt,
        source,
        _counts(Counter(outcome.state for outcome in outcomes)),
        tuple(_problem(outcome, problem) for outcome in outcomes for problem in outcome.problems),
        tuple(map(_object, outcomes)) if is_status_id(receipt) else None,
    )


def _object(outcome: Outcome) -> tuple[int, str | None, str | None]:
    """The index of a pushed object, and its id and version as sent."""
    arrival = outcome.admitted.arrival
    if any(problem.code is Code.VALUE_FORGOTTEN for problem in outcome.problems):
        return (arrival.index, None, None)
    sent = sent_of(arrival.value) if arrival.value is not None else Sent(arrival.stix_id)
    return (arrival.index, sent.id, sent.version)


def _problem(outcome: Outcome, problem: Problem) -> dict[str, object]:
    return {
        "index": outcome.admitted.arrival.index,
        "id": _id_told(outcome, problem),
        "state": outcome.state.value,
        "code": problem.code.value,
        "message": problem.says,
    }


def _id_told(outcome: Outcome, problem: Problem) -> str | None:
    """The id that its source reads: none where it could be derived from what was erased."""
    return None if problem.code is Code.VALUE_FORGOTTEN else outcome.admitted.stix_id


def _held(outcome: Outcome, now_us: int) -> Held:
    admitted, problem = outcome.admitted, outcome.problems[0]
    arrival, waits = admitted.arrival, waiting_version(outcome)
    return Held(
        0, arrival.source.no, admitted.stix_id or "", problem.code.value,
        "" if outcome.is_held_by_breaker else admitted.held_on, problem.says,
        arrival.value or b"", arrival.stamp, arrival.receipt, arrival.index, arrival.at_us or now_us,
        waits.modified_us, waits.digest, waits.withdrawal,
        next((claim.thing for claim in (*admitted.claims, *admitted.would_claim)), None),
    )  # fmt: skip


def _counts(by_state: Mapping[State, int]) -> ReceiptCounts:
    return ReceiptCounts(
        *(by_state.get(state, 0) for state in (State.ACCEPTED, State.UNCHANGED, State.HELD, State.REJECTED))
    )


# ---------------------------------------------------------------- rejections


def rejections(outcomes: Sequence[Outcome], rules_url: str) -> dict[int, list[dict[str, object]]]:
    """New rows for the sources' logs of rejections, by source; without numbers and times."""
    found: dict[int, list[dict[str, object]]] = {}
    for outcome in outcomes:
        if outcome.state is State.REJECTED:
            found.setdefault(outcome.admitted.arrival.source.no, []).append(_rejection(outcome, rules_url))
    return found


def _position(arrival: Arrival) -> dict[str, object]:
    """The position of the record. Members do not see it: in a shared topic it tells how much others send."""
    if arrival.source.kind is SourceKind.MEMBER:
        return {"topic": None, "partition": None, "offset": None}
    return {"topic": arrival.topic, "partition": arrival.partition, "offset": arrival.offset}


def _rejection(outcome: Outcome, rules_url: str) -> dict[str, object]:
    arrival, problem = outcome.admitted.arrival, outcome.problems[0]
    quoted = b"" if problem.code is Code.VALUE_FORGOTTEN else (arrival.value or b"")[:_EXCERPT_BYTES]
    return {
        "centre": arrival.source.name,
        "receipt": arrival.receipt,
        **_position(arrival),
        "index": arrival.index,
        "id": _id_told(outcome, problem),
        "code": problem.code.value,
        "pointer": problem.at,
        "message": problem.says,
        "rule_url": rules_url + problem.code.value,
        "excerpt": quoted.decode("utf-8", "replace"),
    }
