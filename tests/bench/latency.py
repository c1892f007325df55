"""From a push to a subscriber: how long an object takes, at a steady rate.

    python -m tests.bench.latency [--rate 200] [--seconds 20] [--kafka]

The clock of each object runs from just before its push until the member has it: over the live stream, or, on Kafka and
PostgreSQL (``--kafka``, with worker, doors and relay as processes of their own), as a plain consumer of
``collection.community``. Objects are pushed one by one over a few connections, as sensors would.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from aiokafka import AIOKafkaConsumer

from connectors.sdk.stream import Follower
from tests.crash.scaled import ScaledHub
from tests.running import RunningHub, in_threads
from tests.servers.java import fetch
from tests.servers.session import servers
from tests.story import an_indicator, uid
from tests.waiting import wait_until

MOST_MS = 150
MOST_KAFKA_MS = 250
"""What 99 of 100 objects take at most."""


def main(argv: Sequence[str] | None = None) -> int:
    """Print percentiles; 1 when it takes too long."""
    said = argparse.ArgumentParser()
    said.add_argument("--rate", type=int, default=200)
    said.add_argument("--seconds", type=int, default=20)
    said.add_argument("--kafka", action="store_true")
    options = said.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="ctihub-bench-") as folder, contextlib.ExitStack() as stack:
        if options.kafka:
            hub, seen = stack.enter_context(_on_kafka(Path(folder)))
        else:
            hub, seen = stack.enter_context(_embedded(Path(folder)))
        measured, rate = _measure(hub, seen, options.rate, options.rate * options.seconds)
    took_ms = sorted(measured)
    where = "push → collection.community consumer, Kafka + PostgreSQL" if options.kafka else "push → SSE, embedded"
    at = {share: took_ms[len(took_ms) * share // 100] for share in (50, 90, 99)}
    shares = ", ".join(f"p{share} {took:.0f} ms" for share, took in at.items())
    print(f"latency, {where}, {rate:.0f}/s for {options.seconds} s: {shares}, worst {took_ms[-1]:.0f} ms")
    return 0 if at[99] < (MOST_KAFKA_MS if options.kafka else MOST_MS) else 1


class Seen:
    """When a member had which name."""

    def __init__(self) -> None:
        self.at: dict[str, float] = {}
        self.ready = threading.Event()

    def note(self, body: bytes) -> None:
        """One object has arrived."""
        now = time.monotonic()
        obj = json.loads(body)
        if obj["type"] == "indicator":
            self.at[obj["name"]] = now


@contextlib.contextmanager
def _embedded(folder: Path) -> Iterator[tuple[RunningHub, Seen]]:
    hub, seen = RunningHub(folder), Seen()
    hub.register(["ro"])

    async def follow() -> None:
        async for change in Follower(hub.url, "community", hub.tokens["soc"]).changes():
            if change.object is not None:
                seen.note(change.object)

    with hub.running(), _following(follow):
        yield hub, seen


@contextlib.contextmanager
def _on_kafka(folder: Path) -> Iterator[tuple[RunningHub, Seen]]:
    fetch()
    with servers() as session:
        session.begin(["kafka", "postgres"])
        hub = ScaledHub(folder, session.kafka, session.postgres.create_database("bench"), workers=1)
        hub.doors.register(["ro"])
        seen = Seen()

        async def follow() -> None:
            consumer = AIOKafkaConsumer(
                "collection.community", group_id="soc.bench", auto_offset_reset="earliest",
                isolation_level="read_committed", **hub.kafka.client_options("soc", hub.doors.tokens["soc"]),
            )  # fmt: skip
            await consumer.start()
            try:
                async for record in consumer:
                    if record.value is not None:
                        seen.note(record.value)
            finally:
                await consumer.stop()

        with hub.running(), _following(follow):
            yield hub.doors, seen


@contextlib.contextmanager
def _following(follow: object) -> Iterator[None]:
    """Run the member's side in a thread of its own, for a block."""
    stop = threading.Event()

    async def until_stop() -> None:
        reading = asyncio.ensure_future(follow())  # type: ignore[operator]
        await asyncio.to_thread(stop.wait)
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reading

    thread = threading.Thread(target=lambda: asyncio.run(until_stop()))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


_SENSORS = 4
"""Connections that push side by side; one alone waits for each acknowledgement."""


def _measure(hub: RunningHub, seen: Seen, rate: int, count: int) -> tuple[list[float], float]:
    """Milliseconds of each object but the first second's, in which connections are made; and the rate reached."""
    sent: dict[str, float] = {}
    with hub.client("ro") as client:
        client.push([json.dumps(an_indicator("46.0.0.1", "warm-up", name="warm-up")).encode()])
    wait_until(lambda: "warm-up" in seen.at, within_s=60)
    begun = time.monotonic()

    def push_share(sensor: int) -> None:
        with hub.client("ro") as client:
            for i in range(sensor, count, _SENSORS):
                time.sleep(max(0.0, begun + i / rate - time.monotonic()))
                name = uid("latency", i)
                value = f"46.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}"
                body = json.dumps(an_indicator(value, name, name=name)).encode()
                sent[name] = time.monotonic()
                client.push([body])

    in_threads(*(partial(push_share, sensor) for sensor in range(_SENSORS)))
    took_s = time.monotonic() - begun
    wait_until(lambda: sent.keys() <= seen.at.keys(), within_s=60)
    late = sorted(sent.items(), key=lambda pair: pair[1])[rate:]
    return [1000 * (seen.at[name] - at) for name, at in late], count / took_s


if __name__ == "__main__":
    sys.exit(main())
