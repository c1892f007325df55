"""Metrics that are measured on request: whether servers answer, free disk space, what waits for the operator.

They are measured at most every few seconds. Free space and held objects are shown only on the internal port.
"""

from __future__ import annotations

import asyncio
import math
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from hub.model.breaker import Trip
from hub.questions.servers import Server, answers, asked

FRESH_S = 2.0
"""For how many seconds a measurement is reused."""


class AskedIntake(Protocol):
    """The part of ``hub/store/port.IntakeReader`` that is used here."""

    async def waiting(self) -> int:
        """See ``IntakeReader``."""
        ...

    async def trips(self) -> Sequence[Trip]:
        """See ``IntakeReader``."""
        ...


class AskedStore(Server, Protocol):
    """The part of the store that is used here."""

    @property
    def intake(self) -> AskedIntake:
        """See ``hub/store/port.Store``."""
        ...


class Gauges:
    """The measured metrics of a process."""

    def __init__(self, store: AskedStore, log: Server, data_dir: Path) -> None:
        self._store = store
        self._log = log
        self._data_dir = data_dir
        self._open, self._registry = CollectorRegistry(), CollectorRegistry()
        self._measured_at = -math.inf
        self._measuring = asyncio.Lock()
        self._up = self._gauge(
            "ctihub_server_up", "Whether a server that this process needs answers", "server", shown=self._open
        )
        self._free = self._gauge("ctihub_data_dir_free_bytes", "Room that is left where DATA_DIR is")
        self._size = self._gauge("ctihub_data_dir_size_bytes", "Size of the file system where DATA_DIR is")
        self._held = self._gauge("ctihub_held_waiting", "Objects that wait for the operator")
        self._tripped = self._gauge("ctihub_breakers_tripped", "Centres whose mass withdrawal waits for a confirmation")

    async def text(self) -> bytes:
        """Returns all metrics in Prometheus' text format. Never raises: a failed measurement is NaN."""
        return await self.open_text() + generate_latest(self._registry)

    async def open_text(self) -> bytes:
        """Returns the public metrics: whether the servers answer."""
        async with self._measuring:
            if time.monotonic() - self._measured_at >= FRESH_S:
                await self._measure()
                self._measured_at = time.monotonic()
        return generate_latest(self._open)

    async def _measure(self) -> None:
        self._up.labels("store").set(await answers(self._store.ready))
        self._up.labels("log").set(await answers(self._log.ready))
        waiting = await asked(self._store.intake.waiting)
        self._held.set(math.nan if waiting is None else waiting)
        trips = await asked(self._store.intake.trips)
        self._tripped.set(math.nan if trips is None else len(trips))
        try:
            usage = await asyncio.to_thread(shutil.disk_usage, self._data_dir)
        except OSError:  # a process on PostgreSQL and Kafka needs no DATA_DIR
            self._free.set(math.nan)
            self._size.set(math.nan)
        else:
            self._free.set(usage.free)
            self._size.set(usage.total)

    def _gauge(self, name: str, says: str, *labels: str, shown: CollectorRegistry | None = None) -> Gauge:
        return Gauge(name, says, labels, registry=self._registry if shown is None else shown)
