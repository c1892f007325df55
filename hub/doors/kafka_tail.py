"""Determines the progress of the relay by comparing the end of a topic with the change log.

The relay's position and its records are in one transaction. They are still compared: aiokafka supports only the first
versions of the transaction protocol, an operator may restore an older store, and Kafka deletes positions that have not
moved for a week.
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
"""How many offsets at the end of a topic are read: the largest transaction."""
CHECK_ROWS = 2_000
"""How many relayed rows are compared. Because of compaction, the records that were read may be older than these."""

SEQ = "seq"
"""The header with the number of the change, decimal."""
LEFT_OUT = "too-large"
"""The header of a record without value for an object that is too large for the topic: its size in bytes."""
_ANY_DIGEST = b""


class TailRecord(NamedTuple):
    """The compared parts of a record."""

    seq: int
    """-1 if the header is missing or invalid."""
    key: bytes | None
    digest: bytes | None
    """None for a tombstone, empty for an object that was left out."""


def tail_record(key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes]]) -> TailRecord:
    """Returns the compared parts of a record."""
    said = next((text for name, text in headers if name == SEQ), b"")
    seq = int(said) if said.isdigit() else -1
    if any(name == LEFT_OUT for name, _ in headers):
        return TailRecord(seq, key, _ANY_DIGEST)
    return TailRecord(seq, key, None if value is None else digest_of(value))


class RelayedRow(NamedTuple):
    """The expected record of a row of the change log."""

    seq: int
    object_id: str
    digest: bytes | None
    """None for a withdrawal."""
    is_erased: bool = False
    """Whether the row has lost its content since it was relayed, so that any content may be in the topic."""


def relayed_row(row: LogRow, body: bytes) -> RelayedRow:
    """Returns the expected record of a row."""
    return RelayedRow(row.seq, row.object_id, None if row.withdrawn else digest_of(body), row.is_erased)


@dataclass(frozen=True, slots=True)
class TailComparison:
    """The result of ``compare_tail``: where the relay continues, or why it must not."""

    place: Seq
    """The last row in the topic."""
    differs: str = ""
    """What the topic has but the change log has not. If set, the relay must not continue."""
    noted: str = ""
    """A fault that the relay cannot repair. Members have to ignore records whose number is not above the last."""


def last_seq(records: Sequence[TailRecord], position: int | None) -> int:
    """Returns the greatest number in the records or the position."""
    return max([position or 0, *(record.seq for record in records)])


def compare_tail(
    records: Sequence[TailRecord], position: int | None, rows: Sequence[RelayedRow], *, head: Seq, compacted: bool
) -> TailComparison:
    """Compare a topic's end with the change log.

    ``records``: the last records of the topic, in order. ``position``: the relay's position in Kafka, None if there is
    none. ``rows``: the last ``CHECK_ROWS`` rows up to ``last_seq``, in order.
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
    let_go = not compacted and not records  # deleted by age
    if position is not None and position > last and (let_go or not _lost(rows, after=last, compacted=compacted)):
        last = position
    noted = _disorder(seqs) or _hole(seqs, rows, compacted=compacted)
    return TailComparison(Seq(last), noted=noted)


def _is_ours(record: TailRecord, by_seq: dict[int, RelayedRow], rows: Sequence[RelayedRow], head: Seq) -> bool:
    if not 0 < record.seq <= head:
        return False
    row = by_seq.get(record.seq)
    if row is None:  # older than the compared rows
        return bool(rows) and record.seq < rows[0].seq
    if row.is_erased:
        return True
    return (record.key or b"") == row.object_id.encode() and record.digest in (row.digest, _ANY_DIGEST)


def _lost(rows: Sequence[RelayedRow], *, after: int, compacted: bool) -> bool:
    """Returns whether rows after ``after`` are missing. A compacted topic may lack tombstones and the records that they
    replace; other topics lack no records at the end.
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
    """Describes a row that is missing between the first and the last record and was not removed by compaction."""
    if not seqs:
        return ""
    there, covered = set(seqs), set[str]()
    for row in reversed(rows):
        may_be_gone = compacted and (row.digest is None or row.object_id in covered)
        if min(seqs) < row.seq < max(seqs) and row.seq not in there and not may_be_gone:
            return f"number {row.seq} is missing"
        covered.add(row.object_id)
    return ""
