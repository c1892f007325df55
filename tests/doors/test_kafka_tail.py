"""The end of a topic, compared with the change log."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from hub.doors.kafka_tail import RelayedRow, TailRecord, compare_tail, relayed_row, tail_record
from hub.model.words import Seq
from hub.store.port import LogRow
from tests.contracts.store_values import START_US, an_id


def a_row(seq: int, *, withdrawn: bool = False) -> RelayedRow:
    body = b"" if withdrawn else b"%d" % seq
    object_id = an_id(f"{seq % 5}")
    return relayed_row(LogRow(Seq(seq), START_US, START_US, object_id, "indicator", withdrawn, False, len(body)), body)


def rows_up_to(last: int) -> list[RelayedRow]:
    return [a_row(seq) for seq in range(1, last + 1)]


def records_of(rows: list[RelayedRow], *seqs: int) -> list[TailRecord]:
    def record(row: RelayedRow) -> TailRecord:
        value = None if row.digest is None else b"%d" % row.seq
        return tail_record(row.object_id.encode(), value, [("seq", b"%d" % row.seq)])

    return [record(rows[seq - 1]) for seq in seqs]


@pytest.mark.parametrize(
    ("there", "position", "place"),
    [
        ((), None, 0),
        (range(1, 11), 10, 10),
        (range(6, 11), 10, 10),
        (range(1, 11), None, 10),
        (range(1, 11), 8, 10),
        (range(1, 8), 10, 7),  # three rows were not stored although their transaction was committed
        ((6, 7, 8, 9, 10), 10, 10),  # 1 to 5 have been compacted away
        ((), 10, 0),  # a topic whose records somebody has deleted
    ],
)
def test_the_relay_goes_on_after_the_last_row_that_the_topic_has(
    there: Iterable[int], position: int | None, place: int
) -> None:
    rows = rows_up_to(10)
    verdict = compare_tail(records_of(rows, *there), position, rows, head=Seq(12), compacted=True)
    assert (verdict.place, verdict.differs, verdict.noted) == (place, "", "")


def test_tombstones_at_the_end_may_have_been_compacted_away_with_what_they_cover() -> None:
    rows = [*rows_up_to(8), *(a_row(seq, withdrawn=True) for seq in (9, 10))]
    there = records_of(rows, 6, 7, 8)
    assert compare_tail(there, 10, rows, head=Seq(10), compacted=True).place == 10
    assert compare_tail(there, 10, rows, head=Seq(10), compacted=False).place == 8
    assert compare_tail([], 10, rows, head=Seq(10), compacted=False).place == 10  # let go by their age


def test_a_row_that_no_compaction_took_is_missed() -> None:
    rows = rows_up_to(10)
    missing = records_of(rows, 1, 2, 3, 4, 5, 6, 7, 9, 10)
    compact = records_of(rows, 1, 6, 7, 8, 9, 10)
    assert "8 is missing" in compare_tail(missing, 10, rows, head=Seq(10), compacted=True).noted
    assert "8 is missing" in compare_tail(missing, 10, rows, head=Seq(10), compacted=False).noted
    assert not compare_tail(compact, 10, rows, head=Seq(10), compacted=True).noted
    assert "5 is missing" in compare_tail(compact, 10, rows, head=Seq(10), compacted=False).noted


def test_numbers_that_fall_or_repeat_are_noted() -> None:
    rows = rows_up_to(5)
    for seqs in ((1, 2, 3, 3, 4, 5), (1, 2, 4, 3, 5)):
        verdict = compare_tail(records_of(rows, *seqs), 5, rows, head=Seq(5), compacted=True)
        assert "stands after" in verdict.noted
        assert verdict.place == 5


def test_a_record_that_the_change_log_does_not_know_stops_the_relay_of_its_topic() -> None:
    rows = rows_up_to(5)
    *before, last = records_of(rows, 1, 2, 3, 4, 5)
    for wrong in ({"digest": b"other"}, {"digest": None}, {"key": b"other"}, {"seq": 9}, {"seq": -1}, {"seq": 4}):
        assert compare_tail([*before, last._replace(**wrong)], 5, rows, head=Seq(6), compacted=True).differs, wrong
    assert compare_tail([*before, last], 9, rows, head=Seq(5), compacted=True).differs


def test_an_object_that_was_left_out_is_one_that_the_topic_has() -> None:
    rows = rows_up_to(5)
    left_out = tail_record(rows[4].object_id.encode(), None, [("seq", b"5"), ("too-large", b"2000000")])
    verdict = compare_tail([*records_of(rows, 1, 2, 3, 4), left_out], 5, rows, head=Seq(5), compacted=True)
    assert (verdict.place, verdict.differs, verdict.noted) == (5, "", "")


@pytest.mark.parametrize("said", [[], [("seq", b"-1")], [("seq", b"x")], [("other", b"5")]])
def test_a_record_without_a_number_of_ours_has_none(said: list[tuple[str, bytes]]) -> None:
    assert tail_record(b"x", b"y", said).seq == -1
