"""How far the relay got, by the end of a topic, compared with the change log.

The relay's position and its records are in one transaction. They are still compared: aiokafka
speaks only the first versions of the transaction protocol, an operator may restore an older store, and Kafka forgets
positions that have not moved for a week.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from hub.model.claims import digest_of
from hub.model.words import Seq
from hub.store.port import LogRow

TAIL_RECORDS = 1_000
"""So many offsets of a topic's end are read back: a transaction at its fullest."""
CHECK_ROWS = 2_000
"""So many rows at the end of what was relayed are compared. Compaction leaves holes: records may reach further back."""

SEQ = "seq"
"""The header with the number of the change, decimal."""
LEFT_OUT = "too-large"
"""The header of a record that stands for an object larger than the topic takes: its size in bytes, and no value."""
_ANY_DIGEST = b""


class TailRecord(NamedTuple):
    """A record of a topic, as far as it is compared."""

    seq: int
    """-1 where the header is missing or none of ours."""
    key: bytes | None
    digest: bytes | None
    """None for a tombstone, empty for an object that was left out."""


def tail_record(key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes]]) -> TailRecord:
    """What is kept of a record for comparison."""
    said = next((text for name, text in headers if name == SEQ), b"")
    seq = int(said) if said.isdigit() else -1
    if any(name == LEFT_OUT for name, _ in headers):
        return TailRecord(seq, key, _ANY_DIGEST)
    return TailRecord(seq, key, None if value is None else digest_of(value))


class RelayedRow(NamedTuple):
    """A row of the change log, as its record must be."""

    seq: int
    object_id: str
    digest: bytes | None
    """None for a withdrawal."""


def relayed_row(row: LogRow, body: bytes) -> RelayedRow:
    """What is kept of a row for comparison."""
    return RelayedRow(row.seq, row.object_id, None if row.withdrawn else digest_of(body))


@dataclass(frozen=True, slots=True)
class TailComparison:
    """What ``compare_tail`` found: where the relay goes on, or why it must not."""

    place: Seq
    """The last row that the topic has."""
    differs: str = ""
    """What is in the topic and not in the change log: its relay must not go on."""
    noted: str = ""
    """What is wrong but cannot be repaired by the relay: members are told to ignore any number not above the last."""


def last_seq(records: Sequence[TailRecord], position: int | None) -> int:
    """The last row that the topic or the position speaks of."""
    return max([position or 0, *(record.seq for record in records)])


def compare_tail(
    records: Sequence[TailRecord], position: int | None, rows: Sequence[RelayedRow], *, head: Seq, compacted: bool
) -> TailComparison:
    """Compare a topic's end with the change log.

    ``records``: the last of the topic, in their order. ``position``: the last row by Kafka's account of the relay, None
    where it has forgotten. ``rows``: the last ``CHECK_ROWS`` rows up to ``last_seq``, in their order.
    """
    by_seq = {row.seq: row for row in rows}
    foreign = next((record for record in records if not _is_ours(record, by_seq, rows, head)), None)
    if foreign is not None:
        return TailComparison(
            Seq(0), differs=f"a record with the number {foreign.seq} that the change log does not know"
        )
    if position is not None and position > head:
        return TailComparison(Seq(0), differs=f"a position of {position}, beyond the end of the change log at {head}")
    seqs = [record.seq for record in records]
    last = max(seqs, default=0)
    let_go = not compacted and not records  # by their age
    if position is not None and position > last and (let_go or not _lost(rows, after=last, compacted=compacted)):
        last = position
    noted = _disorder(seqs) or _hole(seqs, rows, compacted=compacted)
    return TailComparison(Seq(last), noted=noted)


def _is_ours(record: TailRecord, by_seq: dict[int, RelayedRow], rows: Sequence[RelayedRow], head: Seq) -> bool:
    if not 0 < record.seq <= head:
        return False
    row = by_seq.get(record.seq)
    if row is None:  # further back than is compared
        return bool(rows) and record.seq < rows[0].seq
    return (record.key or b"") == row.object_id.encode() and record.digest in (row.digest, _ANY_DIGEST)


def _lost(rows: Sequence[RelayedRow], *, after: int, compacted: bool) -> bool:
    """Whether a row above ``after`` must be in the topic. Of a compacted one tombstones may have gone, and what they
    cover; in another nothing goes from the end.
    """
    later = [row for row in rows if row.seq > after]
    if not compacted:
        return bool(later)
    newest = {row.object_id: row.digest is None for row in later}
    return not all(newest.values())


def _disorder(seqs: Sequence[int]) -> str:
    for before, seq in pairwise(seqs):
        if seq <= before:
            return f"number {seq} stands after {before}"
    return ""


def _hole(seqs: Sequence[int], rows: Sequence[RelayedRow], *, compacted: bool) -> str:
    """A row between the first and the last of these records that is missing and that no compaction took."""
    if not seqs:
        return ""
    there, covered = set(seqs), set[str]()
    for row in reversed(rows):
        may_be_gone = compacted and (row.digest is None or row.object_id in covered)
        if min(seqs) < row.seq < max(seqs) and row.seq not in there and not may_be_gone:
            return f"number {row.seq} is missing"
        covered.add(row.object_id)
    return ""
