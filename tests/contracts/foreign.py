"""What runs on brokers of others: the log's contract, and a whole hub whose parts are killed while centres push."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from hub.log.kafka import KafkaLog
from hub.log.port import EventLog
from tests.contracts.event_log import EventLogContract
from tests.contracts.test_kafka_log import address_of
from tests.crash.scaled import ScaledHub, ensure_equal
from tests.running import in_threads, push_all
from tests.servers.kafka import KafkaServer
from tests.synthetic import indicators
from tests.waiting import WITHIN_S


class KafkaLogContract(EventLogContract):
    """The port's promises; whoever runs it sets ``kafka``."""

    kafka: KafkaServer

    async def address(self) -> dict[str, object]:
        return address_of(self.kafka)

    async def open(self) -> EventLog:
        return await KafkaLog.open(**await self.address())  # type: ignore[arg-type]

    async def test_when_a_consumer_leaves_another_takes_over_at_once(self) -> None:
        """Since it says so: its session would last longer than the test waits."""
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("hub.log.kafka_consumer.SESSION_TIMEOUT_MS", int(5 * WITHIN_S * 1000))
            await super().test_when_a_consumer_leaves_another_takes_over_at_once()


CENTRES = ("ro", "it")
OBJECTS = 1_000
PARTS = ("worker-1", "kafka", "relay")


def killed_and_equal(
    folder: Path, kafka: KafkaServer, postgres_url: str, *, then: Callable[[ScaledHub], None] = lambda _: None
) -> None:
    """kill -9 of each part while centres push: nothing is lost or doubled on any door. ``then``: with all of it up."""
    lines, truth = indicators(OBJECTS, centres=len(CENTRES), seed=17)
    hub = ScaledHub(folder, kafka, postgres_url)
    hub.doors.register(CENTRES)

    def kill_and_restart() -> None:
        for part in PARTS:
            if part == "kafka":
                kafka.kill()
                kafka.restart()
            else:
                hub.kill(part)
                hub.start(part)

    def push_everything() -> None:
        pairs = zip(CENTRES, lines, strict=True)
        in_threads(*(partial(push_all, hub.doors, name, some, batch=50) for name, some in pairs))

    with hub.running():
        in_threads(kill_and_restart, push_everything)
        for name in ("public", "community", "network"):
            ensure_equal(hub, name, truth.live[name])
        then(hub)
