"""The relay on a real broker: exactly once for readers of what is committed, whoever dies, sleeps or runs twice."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import UnknownTopicOrPartitionError
from confluent_kafka.admin import (
    AclOperation,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)
from prometheus_client import REGISTRY

from hub.doors import kafka as relaying
from hub.doors import kafka_back
from hub.doors.kafka import Relay, relay_of
from hub.doors.metrics import RELAY_FENCES
from hub.log.kafka_connection import stop_producer
from hub.model.claims import Change
from hub.model.policy import Audience, Collection
from hub.model.words import PUBLIC as PUBLIC_GROUP
from hub.model.words import CollectionName, Level, Seq
from hub.model.writes import Writes
from hub.registry.acls import Resource, acls_of_the_hub
from hub.registry.broker import KafkaBroker
from hub.store.sql import SqlStore
from tests.contracts.store_values import START_US, a_change, add_centres, an_id, append, head_after
from tests.contracts.store_writer import open_store
from tests.servers.kafka import KafkaServer
from tests.waiting import WITHIN_S, until

PUBLIC, COMMUNITY = 1, 2
KEYS = 40
Relayed = tuple[int, str, bytes | None]
"""A record as a member may see it: its number, its key, its value."""


class Scene:
    """A store, the broker, and relays between them."""

    def __init__(self, address: dict[str, str], kafka: KafkaServer, store: SqlStore) -> None:
        self.address = address
        self.kafka = kafka
        self.store = store
        self.options = {
            "bootstrap": kafka.bootstrap, "username": kafka.admin_username, "password": kafka.admin_password,
            "ca_file": str(kafka.ca_file),
        }  # fmt: skip

    async def write(self, count: int, log: int = PUBLIC) -> None:
        """One step that appends so many rows, some of them withdrawals."""
        async with self.store.transaction() as tx:
            await tx.policy()
            head = (await tx.heads([log]))[log]
            rows = [self._row(head.seq + i, log) for i in range(1, count + 1)]
            await tx.write(Writes(changes=rows, heads=head_after(rows)))

    def _row(self, seq: int, log: int) -> Change:
        gone = seq % 7 == 0
        return a_change(seq, f"{seq % KEYS}", log, withdrawn=gone, body=b"" if gone else b'{"seq":%d}' % seq)

    async def expected(self, log: int = PUBLIC) -> list[Relayed]:
        page = await self.store.logs.page(log, Seq(0), limit=10_000_000, limit_bytes=1 << 40)
        return [(row.seq, row.object_id, None if row.withdrawn else body) for row, body in page.with_bodies()]

    @asynccontextmanager
    async def relaying(self, **more: object) -> AsyncIterator[Relay]:
        options = dict(self.options)
        relay = await relay_of(options.pop("bootstrap"), options, self.store.logs, **more)
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(relay.run(stop))
            try:
                yield relay
            finally:
                stop.set()

    @asynccontextmanager
    async def a_process(self) -> AsyncIterator[asyncio.subprocess.Process]:
        """A relay in a process of its own, killed at the end."""
        words = [sys.executable, "-m", "tests.doors.relay_process", json.dumps(self.address), json.dumps(self.options)]
        pipes = {"stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.DEVNULL}
        child = await asyncio.create_subprocess_exec(*words, **pipes)  # type: ignore[arg-type]
        try:
            assert child.stdout is not None
            await child.stdout.readline()
            yield child
        finally:
            if child.returncode is None:
                child.kill()
            await child.communicate()

    @asynccontextmanager
    async def reading(self, *topics: str, **options: object) -> AsyncIterator[AIOKafkaConsumer]:
        settings = {"isolation_level": "read_committed", "auto_offset_reset": "earliest"}
        consumer = AIOKafkaConsumer(**self.kafka.client_options() | settings | options)
        await consumer.start()
        try:
            if topics:
                await until(lambda: self._known(consumer, topics[0]), what=f"a topic {topics[0]}")
                consumer.assign([KafkaPartition(topic, 0) for topic in topics])
            yield consumer
        finally:
            await consumer.stop()

    async def read(self, topic: str, count: int, within_s: float = WITHIN_S) -> list[Relayed]:
        """All that the topic holds, once it holds so many records; no more may follow."""
        found: list[Relayed] = []

        async def enough() -> bool:
            for records in (await consumer.getmany(timeout_ms=100)).values():
                found.extend(seen(record) for record in records)
            return len(found) >= count

        at = KafkaPartition(topic, 0)
        async with self.reading(topic) as consumer:
            await until(enough, within_s=within_s, what=f"{count} records in {topic}")
            end = (await consumer.end_offsets([at]))[at]
            await until(lambda: self._is_at(consumer, at, end, found), what="the end of the topic")
        return found

    async def read_some(self, topic: str, count: int) -> None:
        """Wait until the topic holds so many records."""
        at = KafkaPartition(topic, 0)

        async def holds() -> bool:
            return bool((await consumer.end_offsets([at]))[at] >= count)

        async with self.reading() as consumer:
            await until(lambda: self._known(consumer, topic), what=f"a topic {topic}")
            await until(holds, what=f"{count} records in {topic}")

    async def _known(self, consumer: AIOKafkaConsumer, topic: str) -> bool:
        return topic in await consumer.topics()

    async def _is_at(self, consumer: AIOKafkaConsumer, at: KafkaPartition, end: int, found: list[Relayed]) -> bool:
        for records in (await consumer.getmany(timeout_ms=50)).values():
            found.extend(seen(record) for record in records)
        return bool(await consumer.position(at) >= end)

    async def relayed(self, log: int = PUBLIC, topic: str = "collection.public") -> list[Relayed]:
        """All that was relayed, when it is as much as the log holds."""
        expected = await self.expected(log)
        return await self.read(topic, len(expected))


def seen(record: object) -> Relayed:
    (name, seq), *others = record.headers  # type: ignore[attr-defined]
    assert (name, [name for name, _ in others]) in [("seq", []), ("seq", ["too-large"])]
    key = record.key  # type: ignore[attr-defined]
    return int(seq), "" if key is None else key.decode(), record.value  # type: ignore[attr-defined]


@pytest.fixture
async def scene(tmp_path: Path, kafka: KafkaServer) -> AsyncIterator[Scene]:
    async with a_scene({"path": str(tmp_path / "hub.db")}, kafka) as found:
        yield found


@asynccontextmanager
async def a_scene(address: dict[str, str], kafka: KafkaServer) -> AsyncIterator[Scene]:
    store = await open_store(address)
    try:
        yield Scene(address, kafka, store)
    finally:
        await store.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Relays that look again soon."""
    monkeypatch.setattr(relaying, "RECHECK_S", 0.2)
    monkeypatch.setattr(relaying, "FENCED_BACKOFF_S", (2.0,))


# What members get


async def test_each_row_becomes_one_record_of_its_topic_in_order(scene: Scene) -> None:
    await scene.write(2_500)
    await scene.write(30, COMMUNITY)
    async with scene.relaying():
        assert await scene.relayed() == await scene.expected()
        assert await scene.relayed(COMMUNITY, "collection.community") == await scene.expected(COMMUNITY)
        await scene.write(5)
        assert await scene.relayed() == await scene.expected()


async def test_a_new_row_wakes_the_relay_before_it_would_look_by_itself(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relaying, "IDLE_S", 10 * WITHIN_S)
    async with asyncio.timeout(WITHIN_S), scene.relaying():
        await scene.write(1)
        await scene.relayed()
        async with scene.reading("collection.public") as consumer:
            await consumer.getone()
            for _ in range(20):
                await scene.write(1)
                await consumer.getone()


async def test_a_topic_folds_to_what_the_collection_holds_also_when_compacted(scene: Scene) -> None:
    for _ in range(5):
        await scene.write(200)
    async with scene.relaying():
        held = {key: value for _, key, value in await scene.relayed()}
    rows = {key: value for _, key, value in await scene.expected()}
    assert held == rows


async def test_rejections_go_to_their_centre_s_topic_with_and_without_an_id(scene: Scene) -> None:
    await add_centres(scene.store, 1)
    ends = await scene.store.logs.ends()
    log = next(no for no, end in ends.items() if end.name == "rejected.c1")
    rows = [a_change(1, "a", log, type="rejection"), a_change(2, log=log, type="rejection")]
    rows[1] = a_change(2, log=log, type="rejection", object_id="")
    async with scene.store.transaction() as tx:
        await tx.policy()
        await tx.write(Writes(changes=rows, heads=head_after(rows)))
    async with scene.relaying():
        assert await scene.read("rejected.c1", 2) == [(1, an_id("a"), b"a"), (2, "", b"2")]


@pytest.mark.parametrize("topic", ["collection.public", "rejected.c1"])
async def test_what_others_read_needs_no_library_but_aiokafka(scene: Scene, topic: str) -> None:
    """lz4, zstd and snappy are extras of most clients; gzip is in all of them."""
    await add_centres(scene.store, 1)
    log = next(no for no, end in (await scene.store.logs.ends()).items() if end.name == topic)
    rows = [a_change(seq, f"{seq}", log, body=b'{"all": "alike"}' * 100) for seq in range(1, 101)]
    async with scene.store.transaction() as tx:
        await tx.policy()
        await tx.write(Writes(changes=rows, heads=head_after(rows)))
    async with scene.relaying():
        await scene.read_some(topic, 100)
        options = {name: value for name, value in scene.kafka.client_options().items() if isinstance(value, str)} | {
            "ca_file": scene.options["ca_file"]
        }
        words = [sys.executable, "-m", "tests.doors.plain_reader", json.dumps(options), topic, "100"]
        reader = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
        async with asyncio.timeout(WITHIN_S):
            said, _ = await reader.communicate()
    assert said.decode().split() == [row.object_id for row in rows]


# Whoever dies


async def test_kill_9_of_the_relay_at_random_moments_neither_loses_doubles_nor_reorders(scene: Scene) -> None:
    await kill_again_and_again(scene)


async def test_kill_9_of_a_relay_on_postgresql_does_no_more(kafka: KafkaServer, postgres_url: str) -> None:
    async with a_scene({"url": postgres_url}, kafka) as scene:
        await kill_again_and_again(scene)


async def kill_again_and_again(scene: Scene) -> None:
    for _ in range(6):
        async with scene.a_process():
            for _ in range(random.randrange(1, 6)):
                await scene.write(random.randrange(1, 1_500))
                await asyncio.sleep(random.random() * 0.3)  # a random moment, not a wait for something
    async with scene.relaying():
        assert await scene.relayed() == await scene.expected()


async def test_two_relays_by_mistake_neither_lose_double_nor_reorder(scene: Scene, impatient: None) -> None:
    before = fences()
    async with scene.relaying(), scene.relaying():
        while fences() < before + 3:
            await scene.write(random.randrange(1, 300))
            assert await scene.relayed() == await scene.expected()


def fences() -> int:
    return int(next(iter(RELAY_FENCES.collect())).samples[0].value)


async def test_a_frozen_relay_that_wakes_after_another_took_over_writes_nothing(scene: Scene) -> None:
    async with scene.a_process() as first:
        for _ in range(8):
            await scene.write(2_000)
        await scene.read_some("collection.public", 1)
        first.send_signal(signal.SIGSTOP)
        async with scene.a_process():
            await scene.write(100)
            assert await scene.relayed() == await scene.expected()
            first.send_signal(signal.SIGCONT)
            for _ in range(5):
                await scene.write(100)
                assert await scene.relayed() == await scene.expected()


async def test_kill_9_of_the_broker_neither_loses_doubles_nor_reorders(scene: Scene) -> None:
    async with scene.relaying():
        for _ in range(2):
            for _ in range(4):
                await scene.write(1_000)
            await scene.read_some("collection.public", 1)
            scene.kafka.kill()
            await scene.write(500)
            await asyncio.to_thread(scene.kafka.restart)
        assert await scene.relayed() == await scene.expected()


async def test_a_producer_whose_coordinator_is_gone_is_let_go_of(scene: Scene) -> None:
    """Its sender looks for the coordinator for as long as it lives, also when its client is closed."""
    async with scene.relaying():
        await scene.write(1)
        await scene.read_some("collection.public", 1)
    producer = AIOKafkaProducer(**scene.kafka.client_options(), transactional_id="_ctihub.relay.9")
    await producer.start()
    try:
        await producer.partitions_for("collection.public")
        await producer.begin_transaction()
        await asyncio.to_thread(scene.kafka.kill)
        await producer.send("collection.public", b"{}", partition=0)
        await until(lambda: not producer._sender._coordinators, what="the sender to miss its coordinator")
    finally:
        async with asyncio.timeout(WITHIN_S):
            await stop_producer(producer, within_s=1)
        await asyncio.to_thread(scene.kafka.restart)
    assert producer._sender.sender_task.done()


# What the operator gets wrong


async def delete_topic(scene: Scene, name: str) -> None:
    admin = AIOKafkaAdminClient(**scene.kafka.client_options())
    await admin.start()
    await admin.delete_topics([name])
    await until(lambda: is_gone(admin, name), what=f"{name} to be gone")
    await admin.close()


async def is_gone(admin: AIOKafkaAdminClient, name: str) -> bool:
    return name not in await admin.list_topics()


async def test_a_topic_that_was_made_anew_is_filled_again(scene: Scene) -> None:
    await scene.write(300)
    async with scene.relaying():
        await scene.relayed()
    await delete_topic(scene, "collection.public")
    async with scene.relaying():
        assert await scene.relayed() == await scene.expected()


async def test_a_topic_that_is_deleted_while_it_is_read_back_stalls_nothing(scene: Scene) -> None:
    await scene.write(3)
    async with scene.relaying():
        await scene.relayed()
    await delete_topic(scene, "collection.public")
    async with asyncio.timeout(WITHIN_S), scene.reading() as reader:
        assert "collection.public" not in await reader.topics()
        with pytest.raises(UnknownTopicOrPartitionError):
            await kafka_back.committed_records(reader, KafkaPartition("collection.public", 0), 0, 3)


async def test_positions_that_kafka_has_forgotten_are_read_from_the_topics(scene: Scene) -> None:
    await scene.write(2_300)
    async with scene.relaying():
        await scene.relayed()
    admin = AdminClient(scene.kafka.admin_options())
    for future in admin.delete_consumer_groups([kafka_back.GROUP]).values():
        await asyncio.to_thread(future.result)
    await scene.write(20)
    async with scene.relaying():
        assert await scene.relayed() == await scene.expected()


async def test_a_topic_with_records_of_another_hub_is_set_aside_and_others_go_on(scene: Scene, impatient: None) -> None:
    await scene.write(5)
    async with scene.relaying():
        await scene.relayed()
    producer = AIOKafkaProducer(**scene.kafka.client_options())
    await producer.start()
    await producer.send_and_wait("collection.public", b"{}", key=b"x", headers=[("seq", b"5")])
    await producer.stop()
    await scene.write(5)
    await scene.write(5, COMMUNITY)
    async with scene.relaying() as relay:
        await until(lambda: relay.problems)
        assert "collection.public" in relay.problems[0]
        assert await scene.relayed(COMMUNITY, "collection.community") == await scene.expected(COMMUNITY)
        assert len(await scene.read("collection.public", 6)) == 6
        await delete_topic(scene, "collection.public")
        assert await scene.relayed() == await scene.expected()
        assert not relay.problems


async def test_an_object_that_the_topic_does_not_take_is_left_out_for_all_to_see_and_the_rest_goes_on(
    scene: Scene,
) -> None:
    large = random.randbytes(200_000)
    await append(scene.store, 1, body=b"small")
    async with scene.relaying():
        await scene.relayed()
    await set_largest(scene, 100_000)
    await append(scene.store, 1, body=large)
    await append(scene.store, 900, body=random.randbytes(1_000))  # one batch of them is more than the topic takes
    async with scene.relaying():
        said = [(seq, key, None if value == large else value) for seq, key, value in await scene.expected()]
        assert await scene.relayed() == said
    async with scene.reading("collection.public") as consumer:
        headers = [await consumer.getone() for _ in range(2)][1].headers
    assert headers == (("seq", b"2"), ("too-large", b"200000"))
    await set_largest(scene, 1_000_000)
    await scene.write(3)
    async with scene.relaying() as relay:
        assert len(await scene.relayed()) == 905
        assert not relay.problems
    await delete_topic(scene, "collection.public")
    async with scene.relaying():
        assert await scene.relayed() == await scene.expected()


async def set_largest(scene: Scene, size: int) -> None:
    entry = ConfigEntry("max.message.bytes", str(size), incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ConfigResource.Type.TOPIC, "collection.public", incremental_configs=[entry])
    admin = AdminClient(scene.kafka.admin_options())
    for future in admin.incremental_alter_configs([resource]).values():
        await asyncio.to_thread(future.result)


KINDS = {
    Resource.TOPIC: ResourceType.TOPIC,
    Resource.GROUP: ResourceType.GROUP,
    Resource.TRANSACTION: ResourceType.TRANSACTIONAL_ID,
}


async def test_a_topic_that_the_relay_may_not_make_is_relayed_once_it_is_there(scene: Scene, impatient: None) -> None:
    grants = [
        (AclOperation[a.operation.name], KINDS[a.resource], a.name + "*" * a.prefixed) for a in acls_of_the_hub("_hub")
    ]
    await asyncio.to_thread(scene.kafka.add_user, "_hub", "secret", *grants)
    administrator = dict(scene.options)
    scene.options |= {"username": "_hub", "password": "secret"}
    await scene.write(5)
    async with scene.relaying() as relay:
        await until(lambda: len(relay.problems) == 3)
        broker = KafkaBroker(**administrator)  # type: ignore[arg-type]
        await broker.make_topics([], [CollectionName(name) for name in ("public", "community", "network")])
        assert await scene.relayed() == await scene.expected()
        await until(lambda: not relay.problems)


async def test_a_collection_that_is_removed_and_made_again_begins_at_one(scene: Scene) -> None:
    await scene.write(12)
    async with scene.relaying():
        await scene.relayed()
        async with scene.store.registry.change() as directory:
            await directory.remove_collection(PUBLIC)
        await delete_topic(scene, "collection.public")
        new = Collection(0, CollectionName("public"), str(uuid4()), Audience(Level.CLEAR, PUBLIC_GROUP))
        async with scene.store.registry.change() as directory:
            log = (await directory.add_collection(new, START_US)).no
        await scene.write(8, log)
        assert await scene.relayed(log) == await scene.expected(log)


# ---------------------------------------------------------------- alert lanes


class PagesInOrder:
    """The logs of a store, which remember in what order their pages were asked for."""

    def __init__(self, logs: Any) -> None:
        self._logs = logs
        self.pages: list[int] = []
        self.before_page: Callable[[int], Awaitable[None]] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._logs, name)

    async def page(self, log: int, after: Seq, **more: Any) -> Any:
        """See ``LogReader``."""
        if more["limit"] == relaying.PAGE_ROWS:
            self.pages.append(log)
            if self.before_page is not None:
                await self.before_page(log)
        return await self._logs.page(log, after, **more)


async def test_an_alert_lane_is_relayed_before_a_backlog_and_before_what_is_left_of_a_round(scene: Scene) -> None:
    network = 3
    async with scene.store.registry.change() as directory:
        await directory.set_alert(COMMUNITY, True)
    for log in (PUBLIC, network):
        await scene.write(2_500, log)
    await scene.write(1, COMMUNITY)
    logs = PagesInOrder(scene.store.logs)
    options = dict(scene.options)
    relay = await relay_of(options.pop("bootstrap"), options, logs)

    async def write_an_alert(log: int) -> None:
        if log == PUBLIC and logs.pages.count(PUBLIC) == 1:
            await scene.write(1, COMMUNITY)
            await until(relay.woken.is_set, what="the relay to be told")

    logs.before_page = write_an_alert
    before = REGISTRY.get_sample_value("ctihub_delivery_seconds_count", {"door": "kafka", "alert": "true"})
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(relay.run(stop))
        await until(lambda: logs.pages.count(network) == 3 and logs.pages.count(PUBLIC) == 3, what="the backlog")
        stop.set()
    assert logs.pages[:4] == [COMMUNITY, PUBLIC, COMMUNITY, network]
    assert REGISTRY.get_sample_value("ctihub_delivery_seconds_count", {"door": "kafka", "alert": "true"}) == before


async def test_the_time_to_a_topic_is_counted_for_what_was_received(scene: Scene) -> None:
    said = {"door": "kafka", "alert": "false"}
    before = REGISTRY.get_sample_value("ctihub_delivery_seconds_count", said) or 0.0
    async with scene.store.transaction() as tx:
        await tx.policy()
        await tx.heads([PUBLIC])
        rows = [a_change(seq, log=PUBLIC) for seq in (1, 2, 3)]
        await tx.write(Writes(changes=rows, heads=head_after(rows), received={(PUBLIC, Seq(2)): START_US}))
    async with scene.relaying():
        await until(
            lambda: REGISTRY.get_sample_value("ctihub_delivery_seconds_count", said) == before + 1, what="one delivery"
        )
