"""What every door works with: ports, access rights, settings; made once per process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from starlette.requests import Request

from hub.doors import metrics
from hub.doors.auth import Gate
from hub.doors.log_watch import LogWatch
from hub.doors.settings import DoorSettings
from hub.intake import Budget, Intake, ReceiptCodec
from hub.log.port import EventLog
from hub.registry.access import Access
from hub.store.port import Store


async def process_metrics() -> bytes:
    """The metrics of the process alone."""
    return await asyncio.to_thread(metrics.process_text)


@dataclass(frozen=True, slots=True)
class ProcessReports:
    """What the doors are told of the process around them, asked anew each time."""

    troubles: Callable[[], list[str]] = list
    """What does not work of its other parts, a clause each."""
    notes: Callable[[], list[str]] = list
    """What an operator should see to although the process does its work, a clause each."""
    metrics: Callable[[], Awaitable[bytes]] = process_metrics
    """What ``/metrics`` shows to anybody, as text."""
    relayed: Callable[[], Awaitable[Mapping[str, int]]] | None = None
    """The last row of each log that is on its Kafka topic, by the log's name; None without Kafka."""


class Doors:
    """Shared by all doors; holds no state of a request."""

    def __init__(
        self,
        *,
        store: Store,
        log: EventLog,
        access: Access,
        key: bytes,
        settings: DoorSettings,
        process: ProcessReports | None = None,
    ) -> None:
        """``key`` is the hub's secret for what clients bring back: cursors, receipts."""
        self.store = store
        self.log = log
        self.settings = settings
        self.key = key
        self.gate = Gate(access)
        self.log_watch = LogWatch(store)
        self.intake = Intake(log, ReceiptCodec(key), settings.intake)
        self.answers = Budget(
            settings.answers_bytes,
            wait_s=settings.answers_wait_s,
            code="answers.overloaded",
            says="More answers are on their way at once than the hub has room for.",
        )
        self.process = process or ProcessReports()

    def troubles(self) -> list[str]:
        """What does not work of this process itself, a clause each."""
        return [*self.process.troubles(), *(["this process is going down"] if self.log_watch.stopping else [])]

    def stop_streams(self) -> None:
        """End all live streams: their readers come back, to another process or later. New ones end at once."""
        self.log_watch.stop()

    def base_url(self, request: Request) -> str:
        """Under which address the asker reaches the hub, without a slash at its end."""
        if self.settings.public_url:
            return self.settings.public_url.rstrip("/")
        scheme, host = request.url.scheme, request.url.netloc
        if self.settings.behind_proxy:
            scheme = _last(request.headers.get("x-forwarded-proto")) or scheme
            host = _last(request.headers.get("x-forwarded-host")) or host
        return f"{scheme}://{host}"


def _last(header: str | None) -> str:
    """Of several proxies' words that of the nearest, the only one that we know."""
    return (header or "").rpartition(",")[2].strip()
