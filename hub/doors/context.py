"""What every door uses: ports, access rights and settings; created once per process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from starlette.requests import Request

from hub.clock import wall_clock_us
from hub.doors import metrics
from hub.doors.auth import Gate
from hub.doors.journal import Journal
from hub.doors.log_watch import LogWatch
from hub.doors.rates import Rates
from hub.doors.settings import DoorSettings
from hub.intake import Budget, Intake
from hub.log.port import EventLog
from hub.registry.access import Access
from hub.store.port import Store


async def process_metrics() -> bytes:
    """Returns the metrics of the process only."""
    return await asyncio.to_thread(metrics.process_text)


@dataclass(frozen=True, slots=True)
class ProcessReports:
    """Functions that report the state of the process to the doors."""

    troubles: Callable[[], list[str]] = list
    """Returns failures of other parts of the process, one clause each."""
    notes: Callable[[], list[str]] = list
    """Returns warnings for the operator that do not stop the process, one clause each."""
    metrics: Callable[[], Awaitable[bytes]] = process_metrics
    """Returns the public metrics for ``/metrics``, as text."""
    relayed: Callable[[], Awaitable[Mapping[str, int]]] | None = None
    """Returns the last relayed row of each log, by the log's name; None without Kafka."""


class Doors:
    """Shared by all doors; has no state of a request."""

    def __init__(
        self,
        *,
        store: Store,
        log: EventLog,
        access: Access,
        key: bytes,
        settings: DoorSettings,
        process: ProcessReports | None = None,
        now_us: Callable[[], int] = wall_clock_us,
        now_s: Callable[[], float] = time.perf_counter,
    ) -> None:
        """``key`` is the hub's secret for signing what clients send back: cursors, receipts. ``now_us`` dates what the
        doors write in a source's name and in the journal of reads, in microseconds since 1970. ``now_s`` is the clock
        by which answers are measured, in seconds.
        """
        self.store = store
        self.log = log
        self.access = access
        self.settings = settings
        self.key = key
        self.gate = Gate(access, Rates(settings.requests_per_s), behind_proxy=settings.behind_proxy)
        self.log_watch = LogWatch(store)
        self.journal = Journal(store, now_us, now_s, behind_proxy=settings.behind_proxy)
        self.intake = Intake(log, key, settings.intake)
        self.answers = Budget(
            settings.answers_bytes,
            wait_s=settings.answers_wait_s,
            code="answers.overloaded",
            says="More answers are on their way at once than the hub has room for.",
        )
        self.process = process or ProcessReports()
        self.now_us = now_us
        self.now_s = now_s

    def troubles(self) -> list[str]:
        """Returns failures of this process, one clause each."""
        return [*self.process.troubles(), *(["this process is going down"] if self.log_watch.stopping else [])]

    def stop_streams(self) -> None:
        """End all live streams, and new ones immediately. Their readers reconnect later or to another process."""
        self.log_watch.stop()

    def base_url(self, request: Request) -> str:
        """Returns the address under which the client reaches the hub, without a slash at the end."""
        if self.settings.public_url:
            return self.settings.public_url.rstrip("/")
        scheme, host = request.url.scheme, request.url.netloc
        if self.settings.behind_proxy:
            scheme = _last(request.headers.get("x-forwarded-proto")) or scheme
            host = _last(request.headers.get("x-forwarded-host")) or host
        return f"{scheme}://{host}"


def _last(header: str | None) -> str:
    """Returns the last value of a header, which the nearest proxy has added: only that proxy is trusted."""
    return (header or "").rpartition(",")[2].strip()
