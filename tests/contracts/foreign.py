"""A whole hub on brokers of others: processes of their own, killed while centres push, and every door equal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.crash.scaled import ScaledHub, ensure_equal
from tests.running import in_threads, push_all
from tests.servers.kafka import KafkaServer
from tests.synthetic import indicators

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
        in_threads(*(lambda n=name, some=some: push_all(hub.doors, n, some, batch=50) for name, some in pairs))  # type: ignore[misc]

    with hub.running():
        in_threads(kill_and_restart, push_everything)
        for name in ("public", "community", "network"):
            ensure_equal(hub, name, truth.live[name])
        then(hub)
