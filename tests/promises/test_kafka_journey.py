"""The mission's shape: plain Kafka clients on both sides, no code of ours, and the merged result arrives."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import GroupAuthorizationFailedError, TopicAuthorizationFailedError

from tests.crash.scaled import ScaledHub
from tests.servers.kafka import KafkaServer
from tests.story import an_indicator, an_object, said_of
from tests.waiting import WITHIN_S


async def _publish(hub: ScaledHub, centre: str, value: bytes | None, key: bytes | None = None) -> None:
    options = hub.kafka.client_options(centre, hub.doors.tokens[centre])
    producer = AIOKafkaProducer(acks="all", enable_idempotence=True, **options)
    await producer.start()
    try:
        await producer.send_and_wait(f"intake.{centre}", value, key=key)
    finally:
        await producer.stop()


def test_what_plain_clients_publish_arrives_merged_at_plain_clients(
    tmp_path: Path, kafka: KafkaServer, postgres_url: str
) -> None:
    hub = ScaledHub(tmp_path, kafka, postgres_url, workers=1)
    hub.doors.register(("ro", "it"))
    with hub.running():
        mine = an_indicator("198.51.100.7", "ro", confidence=60)
        other = an_indicator("[ ipv4-addr:value IN ('198.51.100.7/32') ]", "it", confidence=50)
        bundle = {"type": "bundle", "id": "bundle--5d0092c5-5f74-4287-9642-33f4c354e56d", "objects": [mine]}
        asyncio.run(_publish(hub, "ro", json.dumps(bundle).encode()))
        asyncio.run(_publish(hub, "it", json.dumps(other).encode(), key=str(other["id"]).encode()))
        asyncio.run(_publish(hub, "it", b"not json at all"))

        async def until_merged() -> dict[str, object]:
            seq = 0
            while True:
                seq += 1
                rows = await hub.consuming("community", "soc", until_seq=seq)
                newest = [value for _, _, value in rows if value is not None and value["type"] == "indicator"]
                if newest and len(said_of(newest[-1])["sources"]) == 2:
                    return newest[-1]
                seq = rows[-1][0]

        merged = asyncio.run(until_merged())
        assert merged["pattern"] == "[ipv4-addr:value = '198.51.100.7']"
        assert merged["confidence"] == 80
        assert asyncio.run(_first(hub, "rejected.it", "it"))["code"] == "json.malformed"
        _sees_and_takes_back(hub, "soc", merged)

        asyncio.run(_publish(hub, "ro", None, key=str(mine["id"]).encode()))
        asyncio.run(_publish(hub, "it", None, key=str(other["id"]).encode()))

        async def until_gone() -> None:
            seq = 0
            while True:
                rows = await hub.consuming("community", "soc", until_seq=seq + 1)
                if any(key == merged["id"] and value is None for _, key, value in rows):
                    return
                seq = rows[-1][0]

        asyncio.run(until_gone())


def _sees_and_takes_back(hub: ScaledHub, member: str, merged: dict[str, object]) -> None:
    """A member says over HTTP that it saw what it is shown, which a worker takes from the topic of all members."""
    sighting = an_object("sighting", "seen", sighting_of_ref=merged["id"])
    with hub.doors.client(member) as client:
        taken = client.completed(client.push([json.dumps(sighting).encode()]).status_url, within_s=WITHIN_S)
        assert (taken.accepted, taken.problems) == (1, [])
        last = hub.doors.last_seq("community", member)
        rows = asyncio.run(hub.consuming("community", member, until_seq=last))
        (shown,) = [value for _, _, value in rows if value is not None and value["type"] == "sighting"]
        assert shown["sighting_of_ref"] == merged["id"]
        taken = client.completed(client.withdraw([str(sighting["id"])]).status_url, within_s=WITHIN_S)
        assert taken.accepted == 1
        last = hub.doors.last_seq("community", member)
        rows = asyncio.run(hub.consuming("community", member, until_seq=last))
        assert (shown["id"], None) in [(key, value) for _, key, value in rows]


async def _first(hub: ScaledHub, topic: str, reader: str, group: str = "test") -> dict[str, object]:
    consumer = AIOKafkaConsumer(
        topic, group_id=f"{reader}.{group}", auto_offset_reset="earliest", isolation_level="read_committed",
        **hub.kafka.client_options(reader, hub.doors.tokens[reader]),
    )  # fmt: skip
    await consumer.start()
    try:
        async with asyncio.timeout(WITHIN_S):
            record = await consumer.getone()
        found = json.loads(record.value)
        assert isinstance(found, dict)
        return found
    finally:
        await consumer.stop()


def test_the_broker_refuses_what_nobody_granted(tmp_path: Path, kafka: KafkaServer, postgres_url: str) -> None:
    hub = ScaledHub(tmp_path, kafka, postgres_url, workers=1)
    hub.doors.register(("ro", "it"))

    async def writes(name: str, topic: str) -> None:
        options = hub.kafka.client_options(name, hub.doors.tokens[name])
        producer = AIOKafkaProducer(acks="all", enable_idempotence=False, **options)
        await producer.start()
        try:
            with pytest.raises(TopicAuthorizationFailedError):
                await producer.send_and_wait(topic, b"{}")
        finally:
            await producer.stop()

    async def reads(topic: str, group: str, error: type[Exception]) -> None:
        options = hub.kafka.client_options("soc", hub.doors.tokens["soc"])
        consumer = AIOKafkaConsumer(topic, group_id=group, auto_offset_reset="earliest", **options)

        async def start_and_read() -> None:
            async with asyncio.timeout(WITHIN_S):
                await consumer.start()
                await consumer.getone()

        with pytest.raises(error):
            await start_and_read()
        await consumer.stop()

    for name, topic in (("ro", "intake.it"), ("ro", "intake.members"), ("soc", "intake.members")):
        asyncio.run(writes(name, topic))
    asyncio.run(reads("collection.network", "soc.x", TopicAuthorizationFailedError))
    asyncio.run(reads("intake.ro", "soc.x", TopicAuthorizationFailedError))
    asyncio.run(reads("collection.community", "ro.x", GroupAuthorizationFailedError))
