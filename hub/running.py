"""What one process of the hub has opened, whether it is ready, and its metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from hub import worker_metrics
from hub.clock import Clock
from hub.config import Config
from hub.doors import metrics
from hub.doors.gauges import Gauges
from hub.log.port import EventLog
from hub.questions.servers import silent
from hub.role import Role
from hub.store.sql import SqlStore
from hub.worker_child import WorkerChild


@dataclass(slots=True)
class Running:
    """What the tasks of one process share."""

    config: Config
    store: SqlStore
    log: EventLog
    clock: Clock
    gauges: Gauges
    role: Role
    child: WorkerChild | None = None
    """The worker process, if this process starts one besides the doors."""
    relay_problems: Callable[[], list[str]] = list

    async def open_metrics(self) -> bytes:
        """Metrics for everybody: only those of the process itself, none that depend on what centres push."""
        return await asyncio.to_thread(metrics.process_text) + await self.gauges.open_text()

    async def metrics(self) -> bytes:
        """All metrics, including those by centre, for a port that is only reachable internally."""
        return await asyncio.to_thread(metrics.text) + await self.gauges.text() + self._worker_metrics()

    def _worker_metrics(self) -> bytes:
        if self.role is Role.WORKER:
            return worker_metrics.text(by_centre=True)
        return b"" if self.child is None else self.child.metrics

    async def why_not_ready(self) -> list[str]:
        """Why this process cannot work, one clause each. A worker cannot while its clock is in doubt."""
        notes = self.notes() if self.role is Role.WORKER else []
        return [*await silent(self.store, self.log), *self.troubles(), *notes]

    def notes(self) -> list[str]:
        """What the operator should correct although the doors work, one clause each."""
        found = self.clock.doubt
        if found is None:
            return []
        return [f"Nothing is processed or dated. {found.says} {found.way_out}".removesuffix(".")]

    def troubles(self) -> list[str]:
        """Which parts of this process do not work, one clause each."""
        worker_up = self.child is None or self.child.is_up
        return [*([] if worker_up else ["the worker has died and is started again"]), *self.relay_problems()]
