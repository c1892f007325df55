"""One list, created page by page from the change log, in constant memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import structlog

from hub.doors.context import Doors
from hub.doors.export.asked import Asked
from hub.doors.export.blockable import Selection
from hub.doors.export.distinct import Best
from hub.doors.export.format import Writer
from hub.doors.export.lines import Lines
from hub.model.errors import NotAuthenticated
from hub.model.policy import Collection
from hub.model.words import Seq
from hub.store.port import Filter, LogPage

_log = structlog.get_logger()
_PAGE_ROWS = 1_000
_PAGE_BYTES = 2 << 20
_INDICATORS = Filter(types=frozenset({"indicator"}))


class Listing:
    """One list. Call ``chunks`` once."""

    def __init__(
        self, doors: Doors, collection: Collection, asked: Asked, *, writer: Writer, selection: Selection
    ) -> None:
        self._doors = doors
        self._log = collection.no
        self._name_of_collection = collection.name
        self._asked = asked
        self._writer = writer
        self._selection = selection
        self._lines = Lines(asked.format, writer, selection.skipped)
        self.has_chosen = False
        """Whether all entries have been processed, so that the count of values left out is final."""

    async def chunks(self, still_open: Callable[[], Awaitable[bool]]) -> AsyncIterator[bytes]:
        """Yields the list in parts. Raises NotAuthenticated in the middle if the reader loses access."""
        loop = asyncio.get_running_loop()
        asked_s = loop.time()
        async for chunk in self._parts():
            if loop.time() - asked_s > self._doors.settings.recheck_s:
                asked_s = loop.time()
                if not await still_open():
                    raise NotAuthenticated("auth.ended", "These credentials are not valid any more.")
            if chunk:
                yield chunk

    async def _parts(self) -> AsyncIterator[bytes]:
        yield self._writer.head
        most = self._asked.most
        async for chunk in self._all() if most is None else self._best(most):
            yield chunk
        yield self._writer.tail()

    async def _all(self) -> AsyncIterator[bytes]:
        def lines(page: LogPage) -> bytes:
            return self._lines.of(self._selection.entries(page))

        async for page in self._pages():
            yield await asyncio.to_thread(lines, page)
        self._choose()

    async def _best(self, most: int) -> AsyncIterator[bytes]:
        # values beyond the products' limit are counted; a limit of the request is known to the reader
        best = Best(most, counts_others=self._asked.limit is None)

        def add(page: LogPage) -> None:
            best.add(self._selection.entries(page))

        async for page in self._pages():
            await asyncio.to_thread(add, page)
        chunks = await asyncio.to_thread(self._written, best)
        self._choose()
        for chunk in chunks:
            yield chunk

    def _written(self, best: Best) -> list[bytes]:
        """Returns the lines of the best entries, which replace the entries in memory."""
        entries, others = best.take()
        self._selection.skipped.count += others
        entries.reverse()
        chunks = []
        while entries:
            chunks.append(self._lines.of(reversed(entries[-_PAGE_ROWS:])))
            del entries[-_PAGE_ROWS:]
        return chunks

    def _choose(self) -> None:
        self.has_chosen = True
        if count := self._selection.skipped.count:
            _log.info("export.values_left_out", collection=self._name_of_collection, count=count)

    async def _pages(self) -> AsyncIterator[LogPage]:
        """Yields all indicators."""
        logs = self._doors.store.logs
        after, more = Seq(0), True
        while more:
            page = await logs.page(self._log, after, limit=_PAGE_ROWS, limit_bytes=_PAGE_BYTES, by=_INDICATORS)
            if page.rows:
                yield page
                after = page.rows[-1].seq
            more = page.more
