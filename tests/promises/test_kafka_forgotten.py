"""Erasing a value of a hub on Kafka and PostgreSQL, from outside: what can be read from the brokers is clean."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from hub.store.postgres import open_postgres
from tests.crash.scaled import ScaledHub
from tests.servers.kafka import KafkaServer
from tests.story import START_US, an_indicator, malware
from tests.traces import traces_in, traces_in_tables
from tests.waiting import LONG_S, wait_until

MAIL = "alice.muster@mail.example"


def test_nothing_of_a_value_can_be_read_from_brokers_and_tables(
    tmp_path: Path, kafka: KafkaServer, postgres_url: str
) -> None:
    hub = ScaledHub(tmp_path, kafka, postgres_url, workers=1)
    hub.doors.register(("ro", "it"), default_tlp="green")
    told = an_indicator(f"[email-addr:value = '{MAIL}']", "mail")
    with hub.running():
        bundle = {"type": "bundle", "id": "bundle--5d0092c5-5f74-4287-9642-33f4c354e56d", "objects": [told, malware()]}
        publish(hub, "ro", bundle, {"type": "indicator", "name": MAIL}, an_indicator("203.0.113.9", "other"))
        wait_until(lambda: counts(hub) == (3, 1), within_s=LONG_S)
        shown = next(one for one in hub.doors.pulled("community", "soc") if one.get("pattern", "").startswith("[email"))
        wait_until(lambda: [b for b in topic(hub, "rejected.ro") if b is not None], within_s=LONG_S)

        done = forget(hub, MAIL, "--reason", "asked for")
        assert (done["claims"], done["rejections"], done["state"]) == (1, 1, "done")
        assert done["records"] >= 2
        for name in ("intake.ro", "rejected.ro"):
            assert not [one for one in topic(hub, name) if traces_in(one or b"", MAIL)]
        assert asyncio.run(traces(postgres_url)) == []

        hub.kill("relay")  # it goes on although topics have what the change logs do not have any more
        hub.start("relay")
        publish(hub, "it", told | {"id": "indicator--00000000-0000-4000-8000-000000000001"}, malware("later"))
        wait_until(lambda: counts(hub) == (4, 2), within_s=LONG_S)
        last = hub.doors.last_seq("community", "soc")
        rows = hub.consumed("community", "soc", until_seq=last)
        assert [value for _, key, value in rows if key == shown["id"]][-1] is None
        assert any(value is not None and value.get("name") == "later" for _, _, value in rows)
        wait_until(lambda: [b for b in topic(hub, "rejected.it") if b is not None], within_s=LONG_S)
        code = json.loads(next(one for one in topic(hub, "rejected.it") if one is not None))["code"]
        assert code == "value.forgotten"
        forget(hub, "--resume")
        assert not [one for one in topic(hub, "intake.it") if traces_in(one or b"", MAIL)]


def publish(hub: ScaledHub, centre: str, *said: dict[str, Any]) -> None:
    """Send objects or bundles with a plain client, one record each."""

    async def send() -> None:
        options = hub.kafka.client_options(centre, hub.doors.tokens[centre])
        producer = AIOKafkaProducer(acks="all", enable_idempotence=True, compression_type="gzip", **options)
        await producer.start()
        try:
            for one in said:
                await producer.send_and_wait(f"intake.{centre}", json.dumps(one).encode())
        finally:
            await producer.stop()

    asyncio.run(send())


def counts(hub: ScaledHub) -> tuple[int, int]:
    """How many objects of all centres were accepted, and how many rejected."""
    with hub.doors.client("watch") as client:
        found = client.status().centres
    return sum(one.flow.accepted for one in found), sum(one.flow.rejected for one in found)


def forget(hub: ScaledHub, *words: str) -> Any:
    """Run the command beside the running hub."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CTIHUB_")}
    environment |= hub.doors.environment | {"CTIHUB_DATA_DIR": str(hub.doors.folder)}
    command = [sys.executable, "-m", "hub.cli", "forget", *words, "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=LONG_S, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def topic(hub: ScaledHub, name: str) -> list[bytes | None]:
    """The values of all records that anybody can read from a topic."""

    async def read() -> list[bytes | None]:
        at, found = TopicPartition(name, 0), []
        consumer = AIOKafkaConsumer(
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            **hub.kafka.client_options(hub.kafka.admin_username, hub.kafka.admin_password),
        )
        await consumer.start()
        try:
            consumer.assign([at])
            end = (await consumer.end_offsets([at]))[at]
            async with asyncio.timeout(LONG_S):
                while await consumer.position(at) < end:
                    for records in (await consumer.getmany(at, timeout_ms=200)).values():
                        found += [record.value for record in records]
        finally:
            await consumer.stop()
        return found

    return asyncio.run(read())


async def traces(url: str) -> list[str]:
    """What of the value is in the tables."""
    store = await open_postgres(url, now_us=START_US)
    try:
        async with store.reading() as conn:
            return await traces_in_tables(conn, MAIL)
    finally:
        await store.close()
