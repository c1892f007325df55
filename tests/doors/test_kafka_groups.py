"""How far members have come over Kafka, by the offsets that their consumer groups have committed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as KafkaPartition

from hub.doors import kafka_groups
from hub.doors.kafka_groups import GroupWatch, group_watch_of
from hub.model.journal import JournalEntry
from hub.registry.service import Registry
from tests.contracts.store_values import START_US, add_centres
from tests.doors.test_kafka_relay import Scene, a_scene, seen
from tests.servers.kafka import KafkaServer
from tests.waiting import until

TOPIC = "collection.public"
AT = KafkaPartition(TOPIC, 0)


@pytest.fixture
async def scene(tmp_path: Path, kafka: KafkaServer) -> AsyncIterator[Scene]:
    async with a_scene({"path": str(tmp_path / "hub.db")}, kafka) as found:
        await add_centres(found.store, 2)
        yield found


async def a_watch(scene: Scene) -> GroupWatch:
    options = dict(scene.options)
    bootstrap = options.pop("bootstrap")
    access = Registry(scene.store.registry, now_us=lambda: START_US).access
    return await group_watch_of(bootstrap, options, options, scene.store, access=access, now_us=lambda: START_US + 7)


@asynccontextmanager
async def consuming(scene: Scene, group: str) -> AsyncIterator[AIOKafkaConsumer]:
    options = {"group_id": group, "enable_auto_commit": False, "session_timeout_ms": 6_000}
    async with scene.reading(TOPIC, **options) as consumer:
        yield consumer


async def take(consumer: AIOKafkaConsumer, count: int) -> int:
    """Read so many records and commit after them; returns the number of the last change."""
    found: list[int] = []

    async def enough() -> bool:
        for records in (await consumer.getmany(timeout_ms=100, max_records=count - len(found))).values():
            found.extend(seen(record)[0] for record in records)
        return len(found) >= count

    await until(enough, what=f"{count} records")
    await consumer.commit({AT: await consumer.position(AT)})
    return found[-1]


async def entries(scene: Scene) -> list[JournalEntry]:
    return list(await scene.store.journal.entries(None, limit=100))


async def test_a_group_is_as_far_as_it_has_committed(scene: Scene) -> None:
    await scene.write(50)
    watch = await a_watch(scene)
    async with scene.relaying():
        await scene.read(TOPIC, 50)
        async with (
            consuming(scene, "c1.siem") as siem,
            consuming(scene, "c2.lake"),
            consuming(scene, "c10.x") as foreign,
        ):
            await take(foreign, 5)  # no principal has this name
            last = await take(siem, 20)
            await watch.look()
            (one,) = await entries(scene)
            assert (one.reader, one.door, one.collection, one.client) == (1, "kafka", "public", "c1.siem")
            assert (one.after, one.reached, one.at_us) == (None, last, START_US + 7)
            assert [(f.reader, f.collection, f.reached) for f in await scene.store.journal.fetched(None)] == [
                (1, 1, last)
            ]

            await take(siem, 30)
            await scene.write(40)  # not read: the rows after the committed offset
            await scene.read(TOPIC, 90)
            again = await a_watch(scene)  # after a restart
            await again.look()
            (one,) = await entries(scene)
            assert (one.after, one.reached) == (last, 50)

            await take(siem, 40)
            await again.look()
            (one,) = await entries(scene)
            assert one.reached == 90, "a group at the end has all that was relayed"


async def test_the_watch_looks_by_itself_and_ends_when_told(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_groups, "LOOK_EVERY_S", 0.1)
    await scene.write(10)
    watch, stop = await a_watch(scene), asyncio.Event()
    async with scene.relaying(), asyncio.TaskGroup() as tasks:
        tasks.create_task(watch.run(stop))
        await scene.read(TOPIC, 10)
        async with consuming(scene, "c2.any") as consumer:
            await take(consumer, 10)
            await until(lambda: entries(scene), what="an entry")
        stop.set()
