"""The promises of ``hub/log/port.py``, each a test. An adapter's suite says how to open one, and nothing else."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
import uuid
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from hub.log.port import Batch, Consumer, EventLog, Positions, Record, StoredRecord, Topic, TopicPartition
from hub.model.errors import Broken, NotFound
from tests.contracts.appender import MOST_PER_APPEND
from tests.waiting import WITHIN_S, until

"""How long a reader may take to find a topic or to join its group on a busy machine; never slept, only waited for."""


class Store:
    """The part of the store that a consumer asks: the positions of what was taken and written."""

    def __init__(self, positions: Positions | None = None) -> None:
        self.positions: dict[TopicPartition, int] = dict(positions or {})
        self.asked: list[frozenset[TopicPartition]] = []

    async def __call__(self, partitions: Collection[TopicPartition]) -> Positions:
        self.asked.append(frozenset(partitions))
        return {at: self.positions[at] for at in partitions if at in self.positions}

    def write(self, batch: Batch) -> None:
        """Take over the positions of a batch, unless it does not go on where the store stands."""
        for at, position in batch.start.items():
            assert self.positions.get(at, position) == position, f"{at}: from {position}, not {self.positions[at]}"
        self.positions.update(batch.end)


def a_record(value: bytes | None = b"{}", key: bytes | None = None, **headers: bytes) -> Record:
    return Record(key, value, tuple(headers.items()))


def numbered(count: int, first: int = 0) -> list[Record]:
    return [a_record(b"%d" % number) for number in range(first, first + count)]


def values(records: Iterable[StoredRecord], topic: Topic | None = None) -> list[bytes | None]:
    return [record.value for record in records if topic is None or record.topic == topic]


async def take(consumer: Consumer, *, limit: int = 1000, limit_bytes: int = 1 << 20, wait_s: float = 0.5) -> Batch:
    return await consumer.take(limit=limit, limit_bytes=limit_bytes, wait_s=wait_s)


async def take_some(consumer: Consumer, *, limit: int = 1000, limit_bytes: int = 1 << 20) -> Batch:
    """The next batch that is not empty."""
    return await until(lambda: _if_any(take(consumer, limit=limit, limit_bytes=limit_bytes)), what="a record")


async def take_count(
    consumer: Consumer, count: int, *, limit: int = 1000, store: Store | None = None
) -> list[StoredRecord]:
    """As many batches as hold ``count`` records, and then none more."""
    records: list[StoredRecord] = []

    async def enough() -> bool:
        batch = await take(consumer, limit=limit)
        if store is not None:
            store.write(batch)
        records.extend(batch.records)
        return len(records) >= count

    await until(enough, what=f"{count} records")
    assert len(records) == count
    return records


async def _if_any(taking: object) -> Batch | None:
    batch = await taking  # type: ignore[misc]
    return batch if batch.records else None


class EventLogContract(ABC):
    """One test per promise. Names are made up per test: many tests may share one server."""

    @abstractmethod
    async def address(self) -> dict[str, object]:
        """What ``tests.contracts.appender.open_log`` needs to open the log under test, in any process."""

    @abstractmethod
    async def open(self) -> EventLog:
        """The log under test, opened once more; closed by the test."""

    @pytest.fixture(autouse=True)
    def _names(self) -> None:
        self.prefix = f"intake.t{uuid.uuid4().hex[:8]}-"

    def topic(self, centre: str = "ro") -> Topic:
        return Topic(self.prefix + centre)

    @asynccontextmanager
    async def opened(self, *topics: Topic) -> AsyncIterator[EventLog]:
        """The log with these topics."""
        log = await self.open()
        try:
            for topic in topics:
                await log.create(topic)
            yield log
        finally:
            await log.close()

    @asynccontextmanager
    async def reading(self, log: EventLog, store: Store | None = None) -> AsyncIterator[Consumer]:
        consumer = log.consumer(store or Store())
        try:
            yield consumer
        finally:
            await consumer.close()

    # Appending

    async def test_a_topic_may_be_made_twice(self) -> None:
        async with self.opened(self.topic()) as log:
            await log.append(self.topic(), [a_record(b"1")])
            await log.create(self.topic())
            async with self.reading(log) as consumer:
                assert values(await take_count(consumer, 1)) == [b"1"]

    async def test_an_append_to_a_topic_that_was_not_made_is_refused(self) -> None:
        async with self.opened() as log:
            with pytest.raises(NotFound):
                await log.append(self.topic("nobody"), [a_record()])

    async def test_an_append_gives_the_positions_after_it(self) -> None:
        async with self.opened(self.topic()) as log:
            first = await log.append(self.topic(), numbered(3))
            second = await log.append(self.topic(), numbered(2))
            assert first.keys() == second.keys() == {TopicPartition(self.topic(), 0)}
            (before,), (after,) = first.values(), second.values()
            assert after == before + 2
            store = Store(first)
            async with self.reading(log, store) as consumer:
                assert values(await take_count(consumer, 2, store=store)) == [b"0", b"1"]
            assert store.positions == second

    async def test_an_append_of_nothing_is_nothing(self) -> None:
        async with self.opened(self.topic()) as log:
            assert await log.append(self.topic(), []) == {}

    async def test_a_record_comes_out_as_it_went_in(self) -> None:
        said = [
            a_record(b'{"type": "indicator"}', b"indicator--1", source="ré".encode(), trace=b"\x00\xff"),
            a_record(None, b"indicator--1"),
            a_record(b"", b""),
            a_record(b"\x00\xff\xfe", None),
            Record(None, b"x" * 900_000, (("twice", b"1"), ("twice", b"2"), ("empty", b""))),
        ]
        async with self.opened(self.topic()) as log:
            await log.append(self.topic(), said)
            async with self.reading(log) as consumer:
                read = await take_count(consumer, len(said))
        assert [Record(record.key, record.value, record.headers) for record in read] == said
        assert {record.topic for record in read} == {self.topic()}

    async def test_records_are_read_in_the_order_of_their_appends(self) -> None:
        async with self.opened(self.topic()) as log:
            for first in range(0, 3000, 500):
                await log.append(self.topic(), numbered(500, first))
            async with self.reading(log) as consumer:
                read = await take_count(consumer, 3000, limit=700)
        assert [int(record.value or b"") for record in read] == list(range(3000))
        assert [record.offset for record in read] == sorted({record.offset for record in read})

    async def test_appends_at_the_same_time_keep_each_writer_s_order(self) -> None:
        async def write(log: EventLog, writer: int) -> None:
            for number in range(40):
                await log.append(self.topic(), [a_record(b"%d %d" % (writer, number)), a_record(b"%d -" % writer)])

        async with self.opened(self.topic()) as log:
            async with asyncio.TaskGroup() as tasks:
                for writer in range(8):
                    tasks.create_task(write(log, writer))
            async with self.reading(log) as consumer:
                read = [(value or b"").split() for value in values(await take_count(consumer, 640))]
        for writer in range(8):
            own = [rest for who, rest in read if int(who) == writer]
            assert own == [word for number in range(40) for word in (b"%d" % number, b"-")]

    async def test_times_are_utc_to_the_millisecond_and_never_fall(self) -> None:
        before = datetime.now(UTC)
        async with self.opened(self.topic()) as log:
            for _ in range(5):
                await log.append(self.topic(), numbered(20))
            async with self.reading(log) as consumer:
                times = [record.time for record in await take_count(consumer, 100)]
        assert times == sorted(times)
        assert all(time.utcoffset() == timedelta(0) and time.microsecond % 1000 == 0 for time in times)
        assert before - timedelta(milliseconds=1) <= times[0] <= times[-1] <= datetime.now(UTC)

    # Taking

    async def test_topics_that_are_made_later_are_read_too(self) -> None:
        async with self.opened(self.topic("ro")) as log, self.reading(log) as consumer:
            await log.append(self.topic("ro"), [a_record(b"ro")])
            await take_count(consumer, 1)
            await log.create(self.topic("it"))
            await log.append(self.topic("it"), [a_record(b"it")])
            assert values(await take_count(consumer, 1)) == [b"it"]

    async def test_only_intake_topics_are_read(self) -> None:
        other = Topic(f"rejected.{uuid.uuid4().hex[:8]}")
        async with self.opened(self.topic(), other) as log, self.reading(log) as consumer:
            await log.append(other, [a_record(b"rejected")])
            await log.append(self.topic(), [a_record(b"intake")])
            assert values(await take_count(consumer, 1)) == [b"intake"]
            assert not (await take(consumer)).records

    async def test_a_new_consumer_goes_on_at_the_stored_positions(self) -> None:
        store = Store()
        async with self.opened(self.topic("ro"), self.topic("it")) as log:
            await log.append(self.topic("ro"), numbered(10))
            await log.append(self.topic("it"), numbered(4, 100))
            async with self.reading(log, store) as consumer:
                await take_count(consumer, 14, store=store)
                await log.append(self.topic("ro"), numbered(3, 10))
                await take_some(consumer)  # taken and not written: it is given again
            async with self.reading(log, store) as consumer:
                assert values(await take_count(consumer, 3)) == [b"10", b"11", b"12"]

    async def test_each_batch_goes_on_where_the_one_before_ended(self) -> None:
        store = Store()
        async with self.opened(self.topic("ro"), self.topic("it")) as log, self.reading(log, store) as consumer:
            await log.append(self.topic("ro"), numbered(50))
            await log.append(self.topic("it"), numbered(70))
            await take_count(consumer, 120, limit=17, store=store)  # the store asserts that the batches join up
            for topic, count in (("ro", 50), ("it", 70)):
                assert store.positions[TopicPartition(self.topic(topic), 0)] == count

    async def test_a_rewound_consumer_goes_on_at_the_stored_positions(self) -> None:
        store = Store()
        async with self.opened(self.topic()) as log, self.reading(log, store) as consumer:
            await log.append(self.topic(), numbered(20))
            await until(lambda: self._taken(consumer, store, 5), what="five records")
            assert values(await take_count(consumer, 15)) == [b"%d" % number for number in range(5, 20)]
            await consumer.rewind()
            assert values(await take_count(consumer, 15)) == [b"%d" % number for number in range(5, 20)]

    async def _taken(self, consumer: Consumer, store: Store, limit: int) -> bool:
        batch = await take(consumer, limit=limit)
        store.write(batch)
        return bool(batch.records)

    async def test_a_batch_keeps_to_the_number_asked_for(self) -> None:
        async with self.opened(self.topic("ro"), self.topic("it")) as log, self.reading(log) as consumer:
            await log.append(self.topic("ro"), numbered(30))
            await log.append(self.topic("it"), numbered(30))
            batches = [await take_some(consumer, limit=7) for _ in range(8)]
            assert all(1 <= len(batch.records) <= 7 for batch in batches)

    async def test_a_batch_keeps_to_about_the_bytes_asked_for_but_holds_one(self) -> None:
        async with self.opened(self.topic()) as log, self.reading(log) as consumer:
            await log.append(self.topic(), [a_record(b"x" * 10_000) for _ in range(20)])
            batch = await take_some(consumer, limit_bytes=25_000)
            assert 1 <= len(batch.records) <= 4
            batch = await take_some(consumer, limit_bytes=1)
            assert len(batch.records) == 1

    async def test_an_empty_batch_comes_when_nothing_does(self) -> None:
        async with self.opened(self.topic()) as log, self.reading(log) as consumer:
            await log.append(self.topic(), [a_record()])
            await take_count(consumer, 1)
            began = asyncio.get_running_loop().time()
            batch = await take(consumer, wait_s=0.2)
            assert (batch.records, batch.start, batch.end) == ((), {}, {})
            assert asyncio.get_running_loop().time() - began >= 0.15

    async def test_a_waiting_consumer_gets_an_append_at_once(self) -> None:
        async with self.opened(self.topic()) as log, self.reading(log) as consumer:
            await log.append(self.topic(), [a_record(b"first")])
            await take_count(consumer, 1)
            async with asyncio.TaskGroup() as tasks, asyncio.timeout(WITHIN_S):
                waiting = tasks.create_task(take(consumer, wait_s=10 * WITHIN_S))
                await log.append(self.topic(), [a_record(b"second")])
                assert values((await waiting).records) == [b"second"]

    async def test_a_take_that_was_cancelled_has_taken_nothing(self) -> None:
        async with self.opened(self.topic()) as log, self.reading(log) as consumer:
            await log.append(self.topic(), numbered(1))
            await take_count(consumer, 1)
            read: list[StoredRecord] = []
            for number in range(1, 41):
                async with asyncio.TaskGroup() as tasks:
                    taking = tasks.create_task(take(consumer, wait_s=5))
                    tasks.create_task(self._append_then_cancel(log, taking, number))
                if not taking.cancelled():
                    read.extend(taking.result().records)
            read.extend(await take_count(consumer, 40 - len(read)) if len(read) < 40 else ())
            assert values(read) == [b"%d" % number for number in range(1, 41)]

    async def _append_then_cancel(self, log: EventLog, taking: asyncio.Task[Batch], number: int) -> None:
        await log.append(self.topic(), [a_record(b"%d" % number)])
        for _ in range(random.randrange(6)):  # somewhere between the wake-up and the end
            await asyncio.sleep(0)
        taking.cancel()

    async def test_a_long_backlog_keeps_no_other_centre_waiting(self) -> None:
        store = Store()
        async with self.opened(self.topic("ro"), self.topic("it"), self.topic("zz")) as log:
            for _ in range(20):  # of the size of real objects, and as hard to compress as they can be
                await log.append(self.topic("it"), [a_record(random.randbytes(1_000)) for _ in range(1_000)])
            async with self.reading(log, store) as consumer:
                store.write(await take_some(consumer, limit=200))
                await log.append(self.topic("ro"), numbered(3))
                await log.append(self.topic("zz"), numbered(3))
                backlog = 0
                waiting_for = {self.topic("ro"), self.topic("zz")}
                while waiting_for:
                    batch = await take_some(consumer, limit=200)
                    store.write(batch)
                    backlog += len(values(batch.records, self.topic("it")))
                    waiting_for -= {record.topic for record in batch.records}
        assert backlog < 10_000

    async def test_lag_counts_what_waits_in_each_partition(self) -> None:
        store = Store()
        async with self.opened(self.topic("ro"), self.topic("it")) as log, self.reading(log, store) as consumer:
            await log.append(self.topic("ro"), numbered(8))
            await log.append(self.topic("it"), numbered(5))
            await take_count(consumer, 13, store=store)
            await log.append(self.topic("it"), numbered(4))
            expected = {TopicPartition(self.topic("ro"), 0): 0, TopicPartition(self.topic("it"), 0): 4}

            async def counted() -> bool:
                lag = await consumer.lag()
                return {at: lag.get(at) for at in expected} == expected

            await until(counted)

    async def test_ends_say_where_each_intake_topic_ends_whoever_appended(self) -> None:
        async with self.opened(self.topic("ro"), self.topic("it")) as log, self.opened() as other:
            await other.append(self.topic("ro"), numbered(8))
            await other.append(self.topic("ro"), numbered(2))
            ends = await log.ends()
            assert ends[TopicPartition(self.topic("ro"), 0)] == 10
            assert ends[TopicPartition(self.topic("it"), 0)] == 0
            assert all(at.topic.startswith("intake.") for at in ends)

    async def test_when_a_consumer_leaves_another_takes_over_at_once(self) -> None:
        store = Store()
        async with self.opened(self.topic()) as log:
            await log.append(self.topic(), numbered(6))
            async with self.reading(log, store) as first:
                await take_count(first, 6, store=store)
            await log.append(self.topic(), numbered(1, 6))
            async with self.reading(log, store) as second, asyncio.timeout(WITHIN_S):
                assert values(await take_count(second, 1, store=store)) == [b"6"]

    # Trimming

    async def test_only_what_was_taken_and_is_old_is_let_go(self) -> None:
        at = TopicPartition(self.topic(), 0)
        hence = datetime.now(UTC) + timedelta(hours=1)
        async with self.opened(self.topic()) as log:
            await log.append(self.topic(), numbered(10))
            assert await log.trim({at: 10}, older_than=datetime(2020, 1, 1, tzinfo=UTC)) == 0
            assert await log.trim({at: 4}, older_than=hence) == 4
            assert await log.trim({at: 4}, older_than=hence) == 0
            async with self.reading(log, Store({at: 4})) as consumer:
                assert values(await take_count(consumer, 6)) == [b"%d" % number for number in range(4, 10)]

    async def test_old_records_are_let_go_by_their_time(self) -> None:
        at = TopicPartition(self.topic(), 0)
        store = Store()
        async with self.opened(self.topic()) as log:
            async with self.reading(log, store) as consumer:
                await log.append(self.topic(), numbered(3))
                first = (await take_count(consumer, 3, store=store))[-1]
                later = await until(lambda: self._appended_after(log, consumer, store, first.time))
            assert await log.trim(store.positions, older_than=later.time) == later.offset
            async with self.reading(log, Store({at: later.offset})) as again:
                assert (await take_some(again)).records[0] == later

    async def _appended_after(
        self, log: EventLog, consumer: Consumer, store: Store, moment: datetime
    ) -> StoredRecord | None:
        await log.append(self.topic(), numbered(1))
        (record,) = await take_count(consumer, 1, store=store)
        return record if record.time > moment else None

    async def test_offsets_go_on_after_everything_was_let_go(self) -> None:
        at = TopicPartition(self.topic(), 0)
        async with self.opened(self.topic()) as log:
            await log.append(self.topic(), numbered(10))
            assert await log.trim({at: 10}, older_than=datetime.now(UTC) + timedelta(hours=1)) == 10
            assert await log.append(self.topic(), [a_record(b"next")]) == {at: 11}
            async with self.reading(log) as fresh:
                batch = await take_some(fresh)
                assert (values(batch.records), batch.start, batch.end) == ([b"next"], {at: 10}, {at: 11})

    async def test_what_was_erased_is_nowhere_and_the_rest_is_read(self) -> None:
        at, wanted = TopicPartition(self.topic(), 0), (b"2", b"7")
        async with self.opened(self.topic()) as log:
            await log.append(self.topic(), numbered(10))
            found = await log.find(lambda record: record.topic == at.topic and record.value in wanted)
            assert [(one.value, one.offset) for one in found] == [(b"2", 2), (b"7", 7)]
            assert list(await log.erase([(at, 2)], {at: 5})) == [(at, 2)]
            await log.clean()
            left = await log.find(lambda record: record.topic == at.topic)
            assert b"2" not in values(left)
            assert values(left)[-7:] == [b"%d" % number for number in range(3, 10)]
            async with self.reading(log, Store({at: 5})) as consumer:
                assert values(await take_count(consumer, 5)) == [b"%d" % number for number in range(5, 10)]

    @pytest.mark.parametrize("position", [1, 99])
    async def test_a_position_that_the_log_does_not_hold_is_an_error_and_not_a_gap(self, position: int) -> None:
        at = TopicPartition(self.topic(), 0)
        async with self.opened(self.topic()) as log:
            await log.append(self.topic(), numbered(10))
            await log.trim({at: 5}, older_than=datetime.now(UTC) + timedelta(hours=1))
            async with self.reading(log, Store({at: position})) as consumer:
                with pytest.raises(Broken):
                    await take_some(consumer)

    # Lasting

    async def test_it_says_when_an_append_would_work(self) -> None:
        async with self.opened() as log:
            assert await log.ready()

    async def test_what_was_appended_is_there_when_the_log_is_opened_again(self) -> None:
        async with self.opened(self.topic()) as log:
            await log.append(self.topic(), numbered(5))
        async with self.opened() as log, self.reading(log) as consumer:
            assert len(await take_count(consumer, 5)) == 5

    async def test_what_was_acknowledged_is_there_after_kill_9_of_the_writer(self) -> None:
        """A real process appends and says what was acknowledged; it is killed at a random moment, five times."""
        boundaries = [0]
        async with self.opened(self.topic()) as log:
            for _ in range(5):
                boundaries.append(await self._append_until_killed(boundaries[-1]))
            store = Store()
            async with self.reading(log, store) as consumer:
                read = await self._drain(consumer, store, boundaries[-1])
        numbers = [int(value or b"") for value in values(read)]
        assert set(numbers) >= set(range(boundaries[-1]))
        # An append in flight at a kill may be there or not; the next writer begins again at what was acknowledged.
        assert {first for first, before in zip(numbers, [-1, *numbers], strict=False) if first != before + 1} <= set(
            boundaries
        )
        assert len(numbers) <= boundaries[-1] + 5 * MOST_PER_APPEND

    async def _append_until_killed(self, first: int) -> int:
        """How many numbers are acknowledged after a process that goes on at ``first`` was killed."""
        words = [sys.executable, "-m", "tests.contracts.appender", json.dumps(await self.address()), self.topic()]
        child = await asyncio.create_subprocess_exec(*words, str(first), stdout=asyncio.subprocess.PIPE)
        assert child.stdout is not None
        async with asyncio.timeout(WITHIN_S):
            last = int(await child.stdout.readline())
            for _ in range(random.randrange(60)):
                last = int(await child.stdout.readline())
            os.kill(child.pid, signal.SIGKILL)
            whole_lines = (await child.stdout.read()).split(b"\n")[:-1]
            await child.wait()
        return int(whole_lines[-1]) if whole_lines else last

    async def _drain(self, consumer: Consumer, store: Store, at_least: int) -> list[StoredRecord]:
        records: list[StoredRecord] = []

        async def drained() -> bool:
            batch = await take(consumer)
            store.write(batch)
            records.extend(batch.records)
            return not batch.records and len(records) >= at_least

        await until(drained, what=f"at least {at_least} records, then none")
        return records
