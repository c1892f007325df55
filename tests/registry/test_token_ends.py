"""A process with the relay takes tokens off the brokers when they end, and goes on while the brokers are away."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from hub import serving
from hub.config import Config
from hub.model.errors import Broken, HubError, TryAgain
from hub.role import Role
from tests.waiting import WITHIN_S


class Looks:
    """Stands for ``BrokerEnds``: gives these answers, then tells the process to stop."""

    def __init__(self, stop: asyncio.Event, *answers: int | HubError) -> None:
        self._stop = stop
        self._answers: Iterator[int | HubError] = iter(answers)

    async def look(self) -> int:
        answer = next(self._answers, None)
        if answer is None:
            self._stop.set()
            return 0
        if isinstance(answer, HubError):
            raise answer
        return answer


async def test_it_looks_again_after_a_failure_and_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "LOOK_EVERY_S", 0.001)
    stop = asyncio.Event()
    looks: Any = Looks(
        stop, 0, TryAgain("broker.away", "Away."), Broken("broker.open", "Open."), Broken("broker.no", "No.", "Do."), 2
    )
    with capture_logs() as logs:
        async with asyncio.timeout(WITHIN_S):
            await serving._watch_ends(looks, stop)
    assert [(one["event"], one.get("code"), one.get("count")) for one in logs] == [
        ("tokens.not_ended_on_broker", "broker.away", None),
        ("tokens.not_ended_on_broker", "broker.no", None),
        ("tokens.ended_on_broker", None, 2),
    ]


@pytest.mark.parametrize(
    ("role", "kafka", "watches"),
    [
        (Role.ALL, None, False),
        (Role.ALL, "kafka:9092", True),
        (Role.RELAY, "kafka:9092", True),
        (Role.DOORS, "kafka:9092", False),
        (Role.WORKER, "kafka:9092", False),
    ],
)
async def test_the_process_with_the_relay_does_it(tmp_path: Path, role: Role, kafka: str | None, watches: bool) -> None:
    config = Config(data_dir=tmp_path, kafka_bootstrap=kafka)
    running: Any = SimpleNamespace(role=role, config=config, child=None, store=None, log=None, clock=None)
    registry: Any = SimpleNamespace(access=None, ends_on_broker=lambda: object() if kafka else None)
    parts = list(serving._parts(running, registry, asyncio.Event()))
    names = [getattr(part, "__name__", "") for part in parts]
    for part in parts:
        part.close()
    assert ("_watch_ends" in names) == watches
