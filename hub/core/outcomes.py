"""Turns the outcomes of a batch into rows: parts of receipts, counts, held objects, rejections."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from hub.core.arrivals import Arrival
from hub.core.contributions import Outcome
from hub.model.policy import SourceKind
from hub.model.problems import Problem
from hub.model.words import State, StixId
from hub.model.writes import Held, ReceiptCounts, ReceiptPart, Superseding, Writes, is_superseded, without_superseded

_EXCERPT_BYTES = 512


def account(outcomes: Sequence[Outcome], writes: Writes, now_us: int) -> None:
    """Write the counts and problems of the receipts, the counts of the sources, and the held objects."""
    parts: dict[tuple[str, int], tuple[Counter[State], list[dict[str, object]]]] = {}
    totals: dict[int, Counter[State]] = {}
    for outcome in outcomes:
        arrival = outcome.admitted.arrival
        source = arrival.source.no
        if not arrival.released:
            totals.setdefault(source, Counter())[outcome.state] += 1
        if arrival.receipt is not None:
            # also by source: the headers of a source's records can only affect its own receipts
            by_state, said = parts.setdefault((arrival.receipt, source), (Counter(), []))
            by_state[outcome.state] += 1
            said.extend(_problem(outcome, problem) for problem in outcome.problems)
    for (receipt, source), (by_state, said) in parts.items():
        writes.receipts.append(ReceiptPart(receipt, source, _counts(by_state), tuple(said)))
    writes.counts = {source: _counts(by_state) for source, by_state in totals.items()}
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
    held = [_held(one, now_us) for one in outcomes if one.state is State.HELD and not one.admitted.claims]
    writes.held = [
        one
        for one in held
        if not is_superseded(writes.superseding[one.source, StixId(one.stix_id)], one.stamp, one.modified_us)
    ]


def _problem(outcome: Outcome, problem: Problem) -> dict[str, object]:
    return {
        "index": outcome.admitted.arrival.index,
        "id": outcome.admitted.stix_id,
        "state": outcome.state.value,
        "code": problem.code.value,
        "message": problem.says,
    }


def _held(outcome: Outcome, now_us: int) -> Held:
    admitted, problem = outcome.admitted, outcome.problems[0]
    arrival = admitted.arrival
    return Held(
        0, arrival.source.no, admitted.stix_id or "", problem.code.value, admitted.held_on, problem.says,
        arrival.value or b"", arrival.stamp, arrival.receipt, arrival.index, arrival.at_us or now_us,
        admitted.would_claim[0].modified_us, admitted.would_claim[0].digest,
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
    return {
        "centre": arrival.source.name,
        "receipt": arrival.receipt,
        **_position(arrival),
        "index": arrival.index,
        "id": outcome.admitted.stix_id,
        "code": problem.code.value,
        "pointer": problem.at,
        "message": problem.says,
        "rule_url": rules_url + problem.code.value,
        "excerpt": (arrival.value or b"")[:_EXCERPT_BYTES].decode("utf-8", "replace"),
    }
