"""One list, created page by page from the change log in constant memory, and written to a file before it is sent.

So a list is complete or its answer is not a 200, and its length and counts are known before its first byte.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import structlog

from hub.doors.context import Doors
from hub.doors.export.asked import Asked
from hub.doors.export.collapse import Covering
from hub.doors.export.distinct import Best
from hub.doors.export.entry import Entry, ListItem
from hub.doors.export.format import About, Unit
from hub.doors.export.lines import Lines
from hub.doors.export.selection import Selection
from hub.doors.export.spool import FinishedList, SpooledItems, disk_error, open_file
from hub.model.policy import Collection
from hub.model.words import Seq
from hub.store.port import Filter, LogPage

T = TypeVar("T")
_log = structlog.get_logger()
_PAGE_ROWS = 1_000
_PAGE_BYTES = 2 << 20


class Listing:
    """One list. Call ``finish`` once."""

    def __init__(
        self, doors: Doors, collection: Collection, asked: Asked, *, about: About[Any], selection: Selection
    ) -> None:
        self._doors = doors
        self._collection = collection
        self._asked = asked
        self._about = about
        self._selection = selection
        self._folder = doors.settings.lists_folder

    async def finish(self) -> FinishedList:
        """Returns the list. Raises TryAgain, or Broken when the disk is full."""
        writer = await asyncio.to_thread(self._asked.format.begin, self._about)
        lines = Lines(self._asked.format, writer, self._selection.skipped)
        with contextlib.ExitStack() as stack, contextlib.ExitStack() as spools:
            file = stack.enter_context(open_file(self._folder))

            def write(parts: Iterable[bytes]) -> None:
                try:
                    file.writelines(parts)
                except OSError as error:
                    raise disk_error(error) from error

            await asyncio.to_thread(write, [writer.head])
            async for batch in self._chosen(spools):
                await asyncio.to_thread(lambda some: write([lines.of(some)]), batch)
            await asyncio.to_thread(lambda: write(writer.end()))
            skipped = self._selection.skipped.count
            if skipped:
                _log.info("export.values_left_out", collection=self._collection.name, count=skipped)
            return FinishedList(file, lines=lines.count, skipped=skipped)

    # ---------------------------------------------------------------- the items, in their order

    async def _chosen(self, spools: contextlib.ExitStack) -> AsyncIterator[Sequence[ListItem]]:
        """Yields the items of the list. What they take on the disk meanwhile is freed with ``spools``."""
        items = self._selected()
        if self._asked.format.removed_days:
            items = self._removed_last(items, spools)
        if self._asked.collapse:
            items = self._collapsed(items, spools)
        if self._asked.most is not None:
            items = self._best(items, self._asked.most)
        async for batch in items:
            yield batch

    async def _selected(self) -> AsyncIterator[Sequence[ListItem]]:
        async for page in self._pages():
            yield await asyncio.to_thread(lambda some: list(self._selection.items(some)), page)

    async def _removed_last(
        self, items: AsyncIterator[Sequence[ListItem]], spools: contextlib.ExitStack
    ) -> AsyncIterator[Sequence[ListItem]]:
        """Yields what is live first: each value comes once, and one that is live must not be called removed."""
        removed = self._spool(spools)
        async for batch in items:
            await asyncio.to_thread(removed.add, [item for item in batch if _is_removed(item)])
            yield [item for item in batch if not _is_removed(item)]
        async for batch in _in_threads(removed.batches()):
            yield batch

    async def _collapsed(
        self, items: AsyncIterator[Sequence[ListItem]], spools: contextlib.ExitStack
    ) -> AsyncIterator[Sequence[ListItem]]:
        spooled, covering = self._spool(spools), Covering()
        async for batch in items:
            await asyncio.to_thread(spooled.add, batch)
            await asyncio.to_thread(covering.add, batch)
        async for batch in _in_threads(spooled.batches()):
            yield await asyncio.to_thread(lambda some: [item for item in some if not covering.has(item)], batch)

    async def _best(self, items: AsyncIterator[Sequence[ListItem]], most: int) -> AsyncIterator[Sequence[ListItem]]:
        # what is beyond the products' limit is counted; a limit of the request is known to the reader
        best = Best(most, with_type=self._asked.format.says_type, counts_others=self._asked.limit is None)
        async for batch in items:
            await asyncio.to_thread(best.add, batch)
        chosen, others = await asyncio.to_thread(best.take)
        self._selection.skipped.count += others
        chosen.reverse()
        while chosen:  # the lines replace the items in memory
            yield chosen[: -_PAGE_ROWS - 1 : -1]
            del chosen[-_PAGE_ROWS:]

    def _spool(self, spools: contextlib.ExitStack) -> SpooledItems:
        return spools.enter_context(contextlib.closing(SpooledItems(self._folder)))

    async def _pages(self) -> AsyncIterator[LogPage]:
        """Yields all rows that may have something for the list."""
        logs, asked = self._doors.store.logs, self._asked
        types = asked.kinds if asked.format.unit is Unit.OBJECT else frozenset({"indicator"})
        by = Filter(types=types, after_us=asked.since.after_us)
        after, more = asked.since.seq or Seq(0), True
        while more:
            page = await logs.page(self._collection.no, after, limit=_PAGE_ROWS, limit_bytes=_PAGE_BYTES, by=by)
            if page.rows:
                yield page
                after = page.rows[-1].seq
            more = page.more


def _is_removed(item: ListItem) -> bool:
    return isinstance(item, Entry) and item.removed


async def _in_threads(batches: Iterator[T]) -> AsyncIterator[T]:
    """Yields what an iterator yields that reads from the disk."""
    following: Callable[[], T | None] = lambda: next(batches, None)  # noqa: E731 - mypy needs its type
    while (batch := await asyncio.to_thread(following)) is not None:
        yield batch
