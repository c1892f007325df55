"""Promises of the Kafka log beside those of the port: a group, a broker that dies, what others may write.

Those of the port are tested on brokers of others: ``test_kafka_as_shipped.py``, ``test_kafka_as_managed.py``.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy as DefaultRecordBatchBuilderInPython
from confluent_kafka import ConsumerGroupState
from confluent_kafka.admin import AclOperation, AdminClient, ResourceType

from hub.log.kafka import GROUP, KafkaLog
from hub.log.kafka_batches import LIMIT_BYTES
from hub.log.port import Consumer, EventLog, Topic, TopicPartition
from hub.model.errors import Broken, TryAgain
from tests.contracts.event_log import Store, a_record, numbered, take, take_count, take_some, values
from tests.contracts.taker import FencedStore
from tests.servers.kafka import EVERY_ACL, KafkaServer
from tests.waiting import WITHIN_S, until


def address_of(kafka: KafkaServer, **options: object) -> dict[str, object]:
    return {
        "bootstrap": kafka.bootstrap,
        "username": kafka.admin_username,
        "password": kafka.admin_password,
        "ca_file": str(kafka.ca_file),
        "append_within_s": WITHIN_S,
        **options,
    }


@asynccontextmanager
async def opened(kafka: KafkaServer, **options: object) -> AsyncIterator[KafkaLog]:
    log = await KafkaLog.open(**address_of(kafka, **options))  # type: ignore[arg-type]
    try:
        yield log
    finally:
        await log.close()


# The group of workers


class Workers:
    """Processes that take and write to one store, to be killed."""

    def __init__(self, kafka: KafkaServer, path: Path) -> None:
        self._words = [sys.executable, "-m", "tests.contracts.taker", json.dumps(address_of(kafka)), str(path)]
        self.running: list[asyncio.subprocess.Process] = []

    async def start(self) -> None:
        self.running.append(await asyncio.create_subprocess_exec(*self._words))

    async def kill(self, worker: asyncio.subprocess.Process) -> None:
        worker.kill()
        await worker.wait()
        self.running.remove(worker)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for worker in tuple(self.running):
            await self.kill(worker)


async def append_everywhere(log: KafkaLog, sent: dict[Topic, int], count: int) -> None:
    """The next ``count`` numbers to each topic."""
    for topic, first in sent.items():
        await log.append(topic, numbered(count, first))
        sent[topic] = first + count


def all_applied(store: FencedStore, sent: dict[Topic, int]) -> bool:
    applied = store.applied()
    return all(len(applied.get(topic, ())) >= count for topic, count in sent.items())


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FencedStore]:
    store = FencedStore(tmp_path / "store.sqlite")
    yield store
    store.db.close()


async def test_a_dead_worker_s_share_is_taken_over(kafka: KafkaServer, tmp_path: Path, store: FencedStore) -> None:
    sent = {Topic(f"intake.c{number}"): 0 for number in range(4)}
    async with opened(kafka) as log, Workers(kafka, tmp_path / "store.sqlite") as workers:
        for topic in sent:
            await log.create(topic)
        for _ in range(2):
            await workers.start()
        await until(lambda: _group_has(kafka, 2))
        await append_everywhere(log, sent, 5)
        await until(lambda: all_applied(store, sent))
        await workers.kill(workers.running[0])
        await append_everywhere(log, sent, 5)
        await until(lambda: all_applied(store, sent))
    assert store.applied() == {topic: list(range(10)) for topic in sent}


async def _group_has(kafka: KafkaServer, members: int) -> bool:
    """Whether the group of workers is settled with so many members."""
    admin = AdminClient(kafka.admin_options())
    described = await asyncio.to_thread(lambda: admin.describe_consumer_groups([GROUP])[GROUP].result())
    return described.state is ConsumerGroupState.STABLE and len(described.members) == members


async def test_rebalances_kills_and_frozen_workers_lose_and_double_nothing(
    kafka: KafkaServer, tmp_path: Path, store: FencedStore
) -> None:
    sent = {Topic(f"intake.c{number}"): 0 for number in range(3)}
    async with opened(kafka) as log, Workers(kafka, tmp_path / "store.sqlite") as workers:
        for topic in sent:
            await log.create(topic)
        async with asyncio.TaskGroup() as tasks:
            over = asyncio.Event()
            tasks.create_task(_append_until(log, sent, over))
            await workers.start()
            await until(lambda: all_applied(store, dict.fromkeys(sent, 20)))
            await workers.start()
            await until(lambda: _group_has(kafka, 2))
            await workers.start()
            await workers.kill(workers.running[0])
            frozen = workers.running[0]
            frozen.send_signal(signal.SIGSTOP)
            await until(lambda: _group_has(kafka, 1))
            frozen.send_signal(signal.SIGCONT)  # a zombie: it goes on with the batch in hand
            await until(lambda: _group_has(kafka, 2))
            over.set()
        await until(lambda: all_applied(store, sent))
    assert store.applied() == {topic: list(range(count)) for topic, count in sent.items()}


async def _append_until(log: KafkaLog, sent: dict[Topic, int], over: asyncio.Event) -> None:
    while not over.is_set():
        await append_everywhere(log, sent, 3)


# A broker that dies


async def test_a_broker_that_is_away_is_told_and_passes(kafka: KafkaServer) -> None:
    topic = Topic("intake.ro")
    async with opened(kafka) as log:
        await log.create(topic)
        await log.append(topic, numbered(3))
        consumer = log.consumer(Store())
        assert len(await take_count(consumer, 3)) == 3
        log.append_within_s = 1.0
        kafka.kill()
        assert not await log.ready()
        async with asyncio.timeout(WITHIN_S):
            with pytest.raises(TryAgain):
                await log.append(topic, [a_record(b"100")])
        with pytest.raises(TryAgain):
            await take(consumer, wait_s=0.5)
        await asyncio.to_thread(kafka.restart)
        await until(log.ready)
        log.append_within_s = WITHIN_S
        # What was not acknowledged went nowhere or waits before what comes later: never behind it, never twice.
        await until(lambda: _appended(log, topic, b"101"))
        read = await until(lambda: _read_up_to(consumer, b"101"))
        assert read in ([b"101"], [b"100", b"101"])
        await consumer.close()


async def _appended(log: EventLog, topic: Topic, value: bytes) -> bool:
    try:
        await log.append(topic, [a_record(value)])
    except TryAgain:
        return False
    return True


async def _read_up_to(consumer: Consumer, last: bytes) -> list[bytes | None]:
    read: list[bytes | None] = []
    while last not in read:
        with suppress(TryAgain):
            read.extend(values((await take(consumer)).records))
    return read


async def test_no_acknowledged_record_is_lost_or_doubled_when_the_broker_is_killed(kafka: KafkaServer) -> None:
    topic = Topic("intake.ro")
    acknowledged: list[int] = []
    async with opened(kafka) as log:
        await log.create(topic)
        async with asyncio.TaskGroup() as tasks:
            over = asyncio.Event()
            tasks.create_task(_append_numbers_until(log, topic, acknowledged, over))
            for _ in range(2):
                there = len(acknowledged)
                await until(lambda there=there: len(acknowledged) > there + 100)  # type: ignore[misc]
                kafka.kill()
                await asyncio.to_thread(kafka.restart)
            there = len(acknowledged)
            await until(lambda: len(acknowledged) > there + 100)
            over.set()
        consumer = log.consumer(Store())
        read = [int(value or b"") for value in values(await take_count(consumer, len(acknowledged)))]
        await consumer.close()
    assert read == acknowledged


async def _append_numbers_until(log: EventLog, topic: Topic, acknowledged: list[int], over: asyncio.Event) -> None:
    while not over.is_set():
        await log.append(topic, numbered(10, len(acknowledged)))
        acknowledged.extend(range(len(acknowledged), len(acknowledged) + 10))


async def test_a_frozen_broker_is_told_and_passes(kafka: KafkaServer) -> None:
    topic = Topic("intake.ro")
    async with opened(kafka) as log:
        await log.create(topic)
        await log.append(topic, numbered(1))
        log.append_within_s = 2.0
        kafka.freeze()
        try:
            with pytest.raises(TryAgain):
                await log.append(topic, numbered(1, 1))
        finally:
            kafka.thaw()
            log.append_within_s = WITHIN_S
        await until(lambda: _appended(log, topic, b"2"))
        consumer = log.consumer(Store())
        assert values(await take_count(consumer, 3)) == [b"0", b"1", b"2"]
        await consumer.close()


async def test_what_is_sent_again_is_stored_once(
    kafka: KafkaServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A broker that answers too late: the client has given the request up and sends it again; both arrive."""
    monkeypatch.setattr("hub.log.kafka.REQUEST_TIMEOUT_MS", 1_000)
    topic = Topic("intake.ro")
    async with opened(kafka) as log:
        await log.create(topic)
        await log.append(topic, numbered(1))
        async with asyncio.TaskGroup() as tasks:
            kafka.freeze()
            try:
                appending = tasks.create_task(log.append(topic, numbered(1, 1)))
                await until(lambda: "Got error produce response" in caplog.text)
            finally:
                kafka.thaw()
            await appending
        await log.append(topic, numbered(1, 2))
        consumer = log.consumer(Store())
        assert values(await take_count(consumer, 3)) == [b"0", b"1", b"2"]
        await consumer.close()


# What others may do to an intake topic


async def test_the_time_of_a_record_is_the_log_s_whatever_its_sender_says(kafka: KafkaServer) -> None:
    topic = Topic("intake.ro")
    async with opened(kafka) as log:
        await log.create(topic)
        before = datetime.now(UTC)
        async with a_producer(kafka) as producer:
            await producer.send_and_wait(topic, b"{}", timestamp_ms=946_684_800_000)
        consumer = log.consumer(Store())
        (record,) = await take_count(consumer, 1)
        await consumer.close()
    assert before - timedelta(milliseconds=1) <= record.time <= datetime.now(UTC)


@pytest.mark.parametrize("compression", [None, "gzip", "snappy", "lz4", "zstd"])
async def test_records_of_any_producer_are_read(kafka: KafkaServer, compression: str | None) -> None:
    topic = Topic("intake.ro")
    async with opened(kafka) as log:
        await log.create(topic)
        async with a_producer(kafka, compression_type=compression) as producer:
            for number in range(20):
                await producer.send(topic, b"%d" % number)
        consumer = log.consumer(Store())
        assert values(await take_count(consumer, 20)) == [b"%d" % number for number in range(20)]
        await consumer.close()


@pytest.mark.parametrize("compression", ["gzip", "lz4", "zstd"])
async def test_a_batch_that_would_burst_the_memory_is_one_empty_record_and_stalls_nothing(
    kafka: KafkaServer, compression: str
) -> None:
    topic, store = Topic("intake.ro"), Store()
    sizes = {"compression_type": compression, "max_batch_size": 2 * LIMIT_BYTES, "max_request_size": 2 * LIMIT_BYTES}
    async with opened(kafka) as log:
        await log.create(topic)
        async with a_producer(kafka, **sizes) as producer:
            await producer.send_and_wait(topic, b"before")
            bomb = await producer.send(topic, bytes(LIMIT_BYTES + 1), b"indicator--1")
            await producer.send_and_wait(topic, b"in the same batch", b"indicator--2")
            await bomb
            await producer.send_and_wait(topic, b"just fits" + bytes(LIMIT_BYTES - 1000))
            await producer.send_and_wait(topic, b"after", headers=[("null", None)])
        consumer = log.consumer(store)
        read = await take_count(consumer, 4, limit=2, store=store)
        await consumer.close()
    assert [(record.key, (record.value or b"")[:9]) for record in read] == [
        (None, b"before"),
        (None, b""),
        (None, b"just fits"),
        (None, b"after"),
    ]
    assert read[1].value is None
    assert store.positions == {TopicPartition(topic, 0): 5}


class NotUtf8(str):
    """A name for a header as only a client of another make would write it."""

    def encode(self, *_: object) -> bytes:
        return b"\xff\xfe"


async def test_a_header_that_is_no_text_costs_the_rest_of_its_batch_and_stalls_nothing(kafka: KafkaServer) -> None:
    topic, store = Topic("intake.ro"), Store()
    async with opened(kafka) as log:
        await log.create(topic)
        async with a_producer(kafka) as producer:
            batch = producer.create_batch()
            batch._builder = DefaultRecordBatchBuilderInPython(2, 0, False, -1, -1, 0, 1 << 20)
            for value, headers in ((b"1", []), (b"2", [(NotUtf8("x"), b"v")]), (b"3", [])):
                batch.append(value=value, key=None, timestamp=None, headers=headers)
            batch.close()
            await (await producer.send_batch(batch, topic, partition=0))
            await producer.send_and_wait(topic, b"after")
        consumer = log.consumer(store)
        read = await take_count(consumer, 3, store=store)
        await consumer.close()
    assert [(record.offset, record.value) for record in read] == [(0, b"1"), (2, None), (3, b"after")]
    assert store.positions == {TopicPartition(topic, 0): 4}


async def test_a_worker_that_does_not_take_fetches_no_more(kafka: KafkaServer) -> None:
    """However long it waits, it has read ahead two pieces of each partition at most, not the whole backlog."""
    topics = [Topic(f"intake.c{number}") for number in range(2)]
    async with opened(kafka, compression="none") as log:
        for topic in topics:
            await log.create(topic)
            for _ in range(8):
                await log.append(topic, [a_record(random.randbytes(1000)) for _ in range(1000)])
        consumer = log.consumer(Store())
        await take_some(consumer, limit=1)
        positions = await _settled_positions(consumer)
        assert max(positions.values()) <= 2_000
        assert len(await take_count(consumer, 16_000 - 1, limit=5_000)) == 15_999
        await consumer.close()


async def _settled_positions(consumer: Consumer) -> dict[TopicPartition, int]:
    """How far the client has read ahead, once that does not change any more."""
    seen: list[dict[TopicPartition, int]] = []

    async def settled() -> bool:
        lag = await consumer.lag()
        client = consumer._kafka  # type: ignore[attr-defined] # nothing public says how far ahead it fetches
        seen.append({at: await client.position(KafkaPartition(*at)) for at in lag})
        return len(seen) > 10 and all(earlier == seen[-1] for earlier in seen[-10:])

    await until(settled)
    return seen[-1]


async def test_a_centre_s_transactions_leave_no_gap_and_what_it_aborted_is_not_read(kafka: KafkaServer) -> None:
    topic, store = Topic("intake.ro"), Store()
    async with opened(kafka) as log:
        await log.create(topic)
        async with a_producer(kafka, transactional_id="centre") as producer:
            for number in range(6):
                await producer.begin_transaction()
                await producer.send_and_wait(topic, b"%d" % number)
                await (producer.commit_transaction() if number % 3 else producer.abort_transaction())
        await log.append(topic, [a_record(b"last")])
        consumer = log.consumer(store)
        assert values(await take_count(consumer, 5, limit=2, store=store)) == [b"1", b"2", b"4", b"5", b"last"]
        await until(lambda: _nothing_waits(consumer))
        await consumer.close()
        again = log.consumer(store)
        await log.append(topic, [a_record(b"more")])
        assert values(await take_count(again, 1, store=store)) == [b"more"]
        await again.close()


async def _nothing_waits(consumer: Consumer) -> bool:
    return set((await consumer.lag()).values()) == {0}


async def test_records_of_one_key_keep_their_order_over_several_partitions(kafka: KafkaServer) -> None:
    topic, store = Topic("intake.ro"), Store()
    keys = [b"indicator--%d" % number for number in range(12)]
    async with opened(kafka, partitions=3) as log:
        await log.create(topic)
        positions = await log.append(topic, [a_record(b"%d" % turn, key) for turn in range(30) for key in keys])
        assert sum(positions.values()) == 360
        assert len(positions) == 3
        async with a_producer(kafka) as producer:  # a centre's own client chooses the same partition for a key
            for key in keys:
                await producer.send_and_wait(topic, b"30", key)
        consumer = log.consumer(store)
        read = await take_count(consumer, 372, limit=50, store=store)
        await consumer.close()
    for key in keys:
        own = [record for record in read if record.key == key]
        assert [int(record.value or b"") for record in own] == list(range(31))
        assert len({record.partition for record in own}) == 1


@asynccontextmanager
async def a_producer(kafka: KafkaServer, **options: object) -> AsyncIterator[AIOKafkaProducer]:
    """A plain client, as a centre would write it."""
    producer = AIOKafkaProducer(**kafka.client_options(), **options)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


# Rights


async def test_a_hub_without_its_grants_is_told_so(kafka: KafkaServer) -> None:
    topic = Topic("intake.ro")
    async with opened(kafka) as log:
        await log.create(topic)
    kafka.add_user("reader", "secret", (AclOperation.DESCRIBE, ResourceType.TOPIC, "intake.*"))
    async with opened(kafka, username="reader", password="secret") as log:
        with pytest.raises(Broken) as told:
            await log.append(topic, [a_record()])
        assert told.value.code == "log.not-allowed"
        consumer = log.consumer(Store())
        with pytest.raises(Broken) as told:
            await take(consumer, wait_s=10)
        assert told.value.code == "log.not-allowed"
        await consumer.close()


async def test_a_hub_that_gets_its_grants_back_goes_on(kafka: KafkaServer) -> None:
    """Kafka refuses what follows a batch that it refused: the producer has to be another one."""
    topic = Topic("intake.ro")
    grants = [(operation, ResourceType.TOPIC, "intake.*") for operation in (AclOperation.WRITE, AclOperation.CREATE)]
    kafka.add_user("hub", "secret", *grants)
    async with opened(kafka, username="hub", password="secret") as log:
        await log.create(topic)
        await log.append(topic, numbered(1))
        await _take_all_grants_away(kafka)
        await until(lambda: _refused(log, topic))
        kafka.add_user("hub", "secret", *grants)
        await until(lambda: _granted(log, topic))
        await log.append(topic, numbered(1, 2))


async def _take_all_grants_away(kafka: KafkaServer) -> None:
    admin = AdminClient(kafka.admin_options())
    await asyncio.to_thread(lambda: [future.result() for future in admin.delete_acls([EVERY_ACL]).values()])


async def _refused(log: EventLog, topic: Topic) -> bool:
    return not await _granted(log, topic)


async def _granted(log: EventLog, topic: Topic) -> bool:
    try:
        await log.append(topic, [a_record()])
    except Broken:
        return False
    return True


async def test_a_wrong_password_reads_as_a_log_that_is_away(kafka: KafkaServer) -> None:
    async with opened(kafka, password="guess", append_within_s=2.0) as log:
        assert not await log.ready()
        with pytest.raises(TryAgain):
            await log.append(Topic("intake.ro"), [a_record()])
