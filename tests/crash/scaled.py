"""A scaled hub from outside: doors, workers and relay as processes of their own, on real Kafka and PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer

from tests.running import RunningHub
from tests.servers.kafka import KafkaServer
from tests.servers.ports import free_ports
from tests.waiting import LONG_S, wait_until


class ScaledHub:
    """Roles by name: ``doors``, ``worker-1``, ``worker-2``, ``relay``. ``doors`` has the clients' side."""

    def __init__(self, folder: Path, kafka: KafkaServer, postgres_url: str, *, workers: int = 2) -> None:
        self.kafka = kafka
        environment = {
            "CTIHUB_KAFKA_BOOTSTRAP": kafka.bootstrap,
            "CTIHUB_KAFKA_USERNAME": kafka.admin_username,
            "CTIHUB_KAFKA_PASSWORD": kafka.admin_password,
            "CTIHUB_KAFKA_CA_FILE": str(kafka.ca_file),
            "CTIHUB_DATABASE_URL": postgres_url,
        }
        names = ["doors", *(f"worker-{n}" for n in range(1, workers + 1)), "relay"]
        ports = free_ports(len(names))
        self.roles = {
            name: RunningHub(folder / name, dict(environment), port) for name, port in zip(names, ports, strict=True)
        }

    @property
    def doors(self) -> RunningHub:
        """The process that clients talk to."""
        return self.roles["doors"]

    def start(self, name: str) -> None:
        """Start one role and wait until it is ready."""
        self.roles[name].start("--role", name.partition("-")[0])

    def kill(self, name: str) -> None:
        """kill -9 of one role."""
        self.roles[name].kill()

    @contextlib.contextmanager
    def running(self) -> Iterator[ScaledHub]:
        """All roles, for a block."""
        try:
            for name in self.roles:
                self.start(name)
            yield self
        finally:
            for role in self.roles.values():
                role.stop()

    def consumed(self, collection: str, reader: str, *, until_seq: int) -> list[tuple[int, str, dict[str, Any] | None]]:
        """What a plain read_committed consumer of a principal finds on ``collection.<name>``, up to this ``seq``."""
        return asyncio.run(self.consuming(collection, reader, until_seq=until_seq))

    async def consuming(
        self, collection: str, reader: str, *, until_seq: int
    ) -> list[tuple[int, str, dict[str, Any] | None]]:
        """See ``consumed``; for a test that has a loop already."""
        found: list[tuple[int, str, dict[str, Any] | None]] = []
        options = self.kafka.client_options(reader, self.doors.tokens[reader])
        consumer = AIOKafkaConsumer(
            f"collection.{collection}", group_id=f"{reader}.test", auto_offset_reset="earliest",
            isolation_level="read_committed", enable_auto_commit=False, **options,
        )  # fmt: skip
        await consumer.start()
        try:
            async with asyncio.timeout(LONG_S):
                while not found or found[-1][0] < until_seq:
                    record = await consumer.getone()
                    value = None if record.value is None else json.loads(record.value)
                    found.append((int(dict(record.headers)["seq"]), record.key.decode(), value))
        finally:
            await consumer.stop()
        return found


def ensure_equal(hub: ScaledHub, name: str, live: int) -> None:
    """Stream, Kafka and TAXII show the same, and it is what the centres claim."""
    reader = "ro" if name == "network" else "soc"
    last = wait_until(lambda: hub.doors.last_seq(name, reader))
    streamed = hub.doors.streamed(name, reader, lambda count: count >= last)
    assert [seq for seq, _ in streamed] == list(range(1, last + 1))
    state = folded((what, None) if isinstance(what, str) else (what["id"], what) for _, what in streamed)
    assert sum(obj["type"] == "indicator" for obj in state.values()) == live
    consumed = hub.consumed(name, reader, until_seq=last)
    numbers = [seq for seq, _, _ in consumed]
    assert numbers == sorted(set(numbers)), "a change came twice or out of order"
    assert folded((key, value) for _, key, value in consumed) == state
    pulled = {obj["id"]: obj for obj in hub.doors.pulled(name, reader, versions="last") if not obj.get("revoked")}
    assert pulled == state


def folded(changes: Iterable[tuple[str, dict[str, Any] | None]]) -> dict[str, dict[str, Any]]:
    """What is left after all changes."""
    state: dict[str, dict[str, Any]] = {}
    for key, value in changes:
        if value is None:
            state.pop(key, None)
        else:
            state[key] = value
    return state
