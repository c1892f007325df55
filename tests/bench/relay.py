"""Carry a change log to Kafka: rows per second, and how long a new row takes to a reader of what is committed.

    python -m tests.bench.relay [--rows 60000] [--per-second 200] [--seconds 15] [--store postgres|sqlite] [--json]

Broker, database and relay are real and share this machine. Rows hold about 1,200 bytes, no two alike. Exits with 1 when
the relay carries fewer than 10,000 rows a second, or when one in a hundred new rows takes 250 ms or more.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as KafkaPartition
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from hub.doors.kafka import Relay, relay_of
from hub.model.claims import Change
from hub.model.words import Seq, StixId
from hub.model.writes import Head, Writes
from hub.store.postgres import open_postgres
from hub.store.sql import SqlStore
from hub.store.sqlite import open_sqlite
from tests.servers.kafka import ADMIN, KafkaServer
from tests.servers.session import Servers, servers

LEAST_PER_S = 10_000
MOST_S = 0.250
START_US = 1_767_225_600_000_000
LOG, TOPIC = 2, "collection.community"
STEP = 2_000


def a_row(seq: int) -> Change:
    """A row of the size of a real indicator."""
    text = "".join(hashlib.sha256(b"%d %d" % (seq, part)).hexdigest() for part in range(12))
    body = json.dumps(
        {
            "type": "indicator",
            "spec_version": "2.1",
            "name": f"thing {seq}",
            "description": text,
            "labels": ["botnet", "c2"],
            "pattern": f"[ipv4-addr:value = '{seq}']",
            "confidence": seq % 100,
            "indicator_types": ["malicious-activity"],
            "pattern_type": "stix",
        }
    )
    stix_id = StixId(f"indicator--00000000-0000-4000-8000-{seq:012x}")
    at_us = START_US + seq * 1000
    return Change(LOG, Seq(seq), stix_id, "indicator", False, at_us, at_us, body.encode())


async def append(store: SqlStore, first: int, count: int) -> None:
    """One step of a worker that appends rows."""
    rows = [a_row(seq) for seq in range(first, first + count)]
    async with store.transaction() as tx:
        await tx.policy()
        await tx.heads([LOG])
        await tx.write(Writes(changes=rows, heads={LOG: Head(rows[-1].seq, rows[-1].date_added_us)}))


@asynccontextmanager
async def relaying(kafka: KafkaServer, store: SqlStore) -> AsyncIterator[Relay]:
    """A relay that runs meanwhile."""
    credentials = {"username": kafka.admin_username, "password": kafka.admin_password, "ca_file": str(kafka.ca_file)}
    relay = await relay_of(kafka.bootstrap, credentials, store.logs)
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(relay.run(stop))
        yield relay
        stop.set()


@asynccontextmanager
async def reading(kafka: KafkaServer) -> AsyncIterator[AIOKafkaConsumer]:
    """A member's reader, once the topic is there."""
    options = kafka.client_options() | {"isolation_level": "read_committed", "auto_offset_reset": "earliest"}
    consumer = AIOKafkaConsumer(**options)
    await consumer.start()
    while TOPIC not in await consumer.topics():  # noqa: ASYNC110 - Kafka has no event for it
        await asyncio.sleep(0.05)
    consumer.assign([KafkaPartition(TOPIC, 0)])
    yield consumer
    await consumer.stop()


async def rate(kafka: KafkaServer, store: SqlStore, rows: int) -> float:
    """Rows per second of a backlog, from the first that a member can read to the last."""
    for first in range(1, rows + 1, STEP):
        await append(store, first, min(STEP, rows + 1 - first))
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        loop = asyncio.get_running_loop()
        member = loop.run_in_executor(pool, read_all, kafka.bootstrap, str(kafka.ca_file), kafka.admin_password, rows)
        async with relaying(kafka, store):
            return await member


def read_all(bootstrap: str, ca_file: str, password: str, rows: int) -> float:
    """A member in a process of its own, with librdkafka: the rate at which it gets the rows."""
    options = {
        "bootstrap.servers": bootstrap,
        "security.protocol": "SASL_SSL",
        "ssl.ca.location": ca_file,
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": ADMIN,
        "sasl.password": password,
        "group.id": "bench",
        "isolation.level": "read_committed",
        "auto.offset.reset": "earliest",
        "topic.metadata.refresh.interval.ms": "100",
    }
    consumer = Consumer(options)
    while TOPIC not in consumer.list_topics(timeout=10).topics:
        time.sleep(0.05)
    consumer.assign([TopicPartition(TOPIC, 0, OFFSET_BEGINNING)])
    moments: list[tuple[float, int]] = []
    read = 0
    while read < rows:
        read += sum(message.error() is None for message in consumer.consume(1000, timeout=0.1))
        if read:
            moments.append((time.perf_counter(), read))
    consumer.close()
    (began, first), (ended, last) = moments[0], moments[-1]
    return (last - first) / (ended - began)


async def delays(kafka: KafkaServer, store: SqlStore, first: int, per_s: int, seconds: int) -> list[float]:
    """Seconds from before the commit of each new row until a member has it."""
    said: dict[int, float] = {}
    took: list[float] = []

    async def write() -> None:
        began = time.perf_counter()
        for no in range(per_s * seconds // 10):  # ten rows in a step
            await asyncio.sleep(max(0.0, began + no * 10 / per_s - time.perf_counter()))
            at = first + no * 10
            said.update(dict.fromkeys(range(at, at + 10), time.perf_counter()))
            await append(store, at, 10)

    async with relaying(kafka, store), reading(kafka) as consumer, asyncio.TaskGroup() as tasks:
        await consumer.seek_to_end()
        await consumer.position(KafkaPartition(TOPIC, 0))
        await append(store, first, 1)
        await consumer.getone()  # the relay has started
        first += 1
        tasks.create_task(write())
        while len(took) < per_s * seconds // 10 * 10:
            for records in (await consumer.getmany(timeout_ms=100)).values():
                now = time.perf_counter()
                took.extend(now - said[int(dict(record.headers)["seq"])] for record in records)
    return sorted(took)


async def measure(started: Servers, options: Any, folder: Path) -> dict[str, object]:
    """Both figures on one store."""
    kafka = started.kafka
    if options.store == "postgres":
        store: SqlStore = await open_postgres(started.postgres.create_database("relay"), now_us=START_US)
    else:
        store = await open_sqlite(folder / "hub.db", now_us=START_US)
    per_s = await rate(kafka, store, options.rows)
    took = await delays(kafka, store, options.rows + 1, options.per_second, options.seconds)
    await store.close()
    return {
        "store": options.store,
        "rows_per_s": round(per_s),
        "delay_p50_ms": round(statistics.median(took) * 1000, 1),
        "delay_p99_ms": round(took[int(len(took) * 0.99)] * 1000, 1),
    }


def main() -> int:
    """Measure, print, and say whether it is good enough."""
    said = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    said.add_argument("--rows", type=int, default=60_000)
    said.add_argument("--per-second", type=int, default=200)
    said.add_argument("--seconds", type=int, default=15)
    said.add_argument("--store", choices=["postgres", "sqlite"], default="postgres")
    said.add_argument("--json", action="store_true")
    options = said.parse_args()
    with servers() as started, tempfile.TemporaryDirectory() as folder:
        started.begin(["kafka", options.store])
        found = asyncio.run(measure(started, options, Path(folder)))
    print(json.dumps(found) if options.json else "\n".join(f"{k.replace('_', ' '):14} {v}" for k, v in found.items()))
    good = int(str(found["rows_per_s"])) >= LEAST_PER_S and float(str(found["delay_p99_ms"])) < MOST_S * 1000
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
