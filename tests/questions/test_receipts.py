"""What became of what a centre sent, without a door."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.intake.receipts import ReceiptCodec, ReceiptName
from hub.model.errors import NotFound
from hub.model.principals import Principal, PrincipalKind
from hub.model.words import Seq, Topic, TopicPartition
from hub.model.writes import ReceiptCounts, ReceiptPart, Writes
from hub.questions import receipts
from hub.questions.receipts import PROBLEM_PAGE, ProblemPlace
from hub.store.sql import SqlStore
from tests.stores import a_store
from tests.story import START_US

CODEC = ReceiptCodec(b"k" * 32)
RO, IT = Principal(1, "ro", PrincipalKind.CENTRE), Principal(2, "it", PrincipalKind.CENTRE)
UID = "0123456789abcdef01234567"


def a_part(*indexes: int) -> ReceiptPart:
    problems = tuple({"index": i, "id": None, "state": "rejected", "code": "x", "message": f"{i}"} for i in indexes)
    return ReceiptPart(UID, RO.no, ReceiptCounts(rejected=len(indexes)), problems)


async def a_store_with(path: Path, *parts: ReceiptPart, reached: int = 0) -> SqlStore:
    store = await a_store(path / "hub.db", now_us=START_US)
    async with store.transaction() as tx:
        at = TopicPartition(Topic("intake.ro"), 0)
        await tx.advance({at: 0}, {at: reached}, START_US)
        await tx.write(Writes(receipts=list(parts)))
    return store


def test_places_are_ordered_by_index_and_count() -> None:
    assert ProblemPlace() < ProblemPlace(0, 1) < ProblemPlace(0, 2) < ProblemPlace(1, 1)
    assert str(ProblemPlace(3, 2)) == "3.2"


@pytest.mark.parametrize(("reached", "complete"), [(4, False), (5, True), (6, True)])
async def test_a_receipt_is_complete_when_the_store_has_passed_its_records(
    tmp_path: Path, reached: int, complete: bool
) -> None:
    store = await a_store_with(tmp_path, a_part(0, 3), reached=reached)
    told = await receipts.receipt(store, CODEC, RO, CODEC.encode(ReceiptName(RO.no, UID, 5, {0: 5})))
    assert (told.complete, told.received, told.counts) == (complete, 5, ReceiptCounts(rejected=2))
    assert [problem.index for problem in told.first.problems] == [0, 3]
    await store.close()


async def test_problems_of_several_partitions_come_by_index_page_by_page(tmp_path: Path) -> None:
    """The parts overlap, and one object may have several problems."""
    even, odd = range(0, 3 * PROBLEM_PAGE, 2), range(1, 3 * PROBLEM_PAGE, 2)
    store = await a_store_with(tmp_path, a_part(*odd), a_part(*even[:100]), a_part(*even[100:]), a_part(8, 8, 2_001))
    text = CODEC.encode(ReceiptName(RO.no, UID, 3 * PROBLEM_PAGE, {0: 1, 1: 1}))
    found: list[int] = []
    after: ProblemPlace | None = ProblemPlace()
    while after is not None:
        told = await receipts.problems(store, CODEC, RO, text, after=after)
        assert len(told.problems) <= PROBLEM_PAGE
        found += [problem.index for problem in told.problems]
        after = told.more
    assert found == sorted([*even, *odd, 8, 8, 2_001])
    await store.close()


async def test_a_receipt_of_another_centre_is_like_one_that_never_was(tmp_path: Path) -> None:
    store = await a_store_with(tmp_path, a_part(0))
    text = CODEC.encode(ReceiptName(RO.no, UID, 1, {0: 1}))
    said = []
    for of, by in ((text, IT), ("nonsense", RO)):
        with pytest.raises(NotFound) as not_found:
            await receipts.receipt(store, CODEC, by, of)
        said.append(str(not_found.value))
    assert said[0] == said[1]
    await store.close()


async def test_a_centre_without_a_log_of_rejections_has_none(tmp_path: Path) -> None:
    store = await a_store_with(tmp_path)
    told = await receipts.rejections(store, RO, Seq(7), limit=10, limit_bytes=1 << 20)
    assert (list(told.rejections), told.next_after, told.more) == ([], 7, False)
    await store.close()
