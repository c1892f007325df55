"""One watch on the store for all streams of a process. It wakes the streams that wait for new rows of a log.

Each commit costs one query, independent of the number of readers; a reader compares a number in memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import structlog

from hub.model.errors import HubError
from hub.model.words import Seq
from hub.store.port import LogEnd, Store

_RETRY_S = 0.5
_log = structlog.get_logger()


class LogWatch:
    """The end of every log after the last commit; ``run`` updates it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._told: list[Callable[[int, LogEnd | None, LogEnd], None]] = []
        self._ends: Mapping[int, LogEnd] = {}
        self._alerts: frozenset[int] = frozenset()
        self._grown = asyncio.Event()
        self._alert_grown = asyncio.Event()
        self.stopping = False

    async def run(self) -> None:
        """Follow the store until cancelled; continues when it was not available."""
        while True:
            try:
                async for _ in self._store.logs.watch():
                    before, self._ends = self._ends, await self._store.logs.ends()
                    self._alerts = frozenset(no for no, end in self._ends.items() if end.alert)
                    if self._ends != before:  # other commits, such as those of the journal, concern no reader
                        self._tell(before)
                        self._ring()
            except HubError as error:
                _log.info("stream.store_away", code=error.code)
            await asyncio.sleep(_RETRY_S)

    def stop(self) -> None:
        """Wake all waiting streams, since the process is stopping."""
        self.stopping = True
        self._ring()

    def tell(self, told: Callable[[int, LogEnd | None, LogEnd], None]) -> None:
        """Call ``told`` after each commit for each log that it has changed: its number, its old and its new end."""
        self._told.append(told)

    def edits(self, log: int) -> int:
        """Returns how often earlier rows of a log have been changed or deleted, after the last commit."""
        end = self._ends.get(log)
        return end.edits if end else 0

    @property
    def alerts(self) -> frozenset[int]:
        """The logs of alert lanes, after the last commit."""
        return self._alerts

    def seq(self, log: int) -> Seq:
        """Returns the end of a log after the last commit."""
        end = self._ends.get(log)
        return end.seq if end else Seq(0)

    async def beyond(self, log: int, seq: Seq, *, within_s: float) -> bool:
        """Waits up to ``within_s`` for a row after ``seq``; returns False if there is none or the process stops."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within_s
        while self.seq(log) <= seq and not self.stopping:
            grown = self._alert_grown if log in self._alerts else self._grown
            try:
                async with asyncio.timeout_at(deadline):
                    await grown.wait()
            except TimeoutError:
                return False
        return not self.stopping

    def _tell(self, before: Mapping[int, LogEnd]) -> None:
        for log, end in self._ends.items():
            if end != before.get(log):
                for told in self._told:
                    told(log, before.get(log), end)

    def _ring(self) -> None:
        """Wake the readers, those of alert lanes first: the loop runs them in the order in which they were woken."""
        alert_grown, self._alert_grown = self._alert_grown, asyncio.Event()
        alert_grown.set()
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()
