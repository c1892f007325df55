"""One list, created page by page from the change log in constant memory, and written to a file before it is sent.

So a list is complete or its answer is not a 200, and its length and counts are known before its first byte.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog

from hub.doors.context import Doors
from hub.doors.export.asked import Asked
from hub.doors.export.by_parts import ListByParts, has_parts
from hub.doors.export.collapse import Covering
from hub.doors.export.distinct import Best
from hub.doors.export.entry import Entry, ListItem
from hub.doors.export.format import About, Unit, Writer
from hub.doors.export.kept_lines import KeptLines
from hub.doors.export.lines import Lines
from hub.doors.export.log_pages import PAGE_ROWS, pages_of
from hub.doors.export.selection import Selection, Skipped
from hub.doors.export.spool import FinishedList, SpooledItems, UnfinishedList
from hub.model.policy import Collection
from hub.model.words import Seq
from hub.model.writes import Head
from hub.store.port import Filter, LogPage

T = TypeVar("T")
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Made:
    """What a list is made from."""

    collection: Collection
    head: Head
    """The end of the log, read before the list is begun."""
    asked: Asked
    about: About[Any]
    selection: Selection
    lines_key: str
    """Names all that the lines depend on but the rows of the log."""


class Listing:
    """One list. Call ``finish`` once."""

    def __init__(self, doors: Doors, made: Made, kept: KeptLines) -> None:
        self._doors = doors
        self._made = made
        self._asked = made.asked
        self._kept = kept
        self._folder = doors.settings.lists_folder

    async def finish(self) -> FinishedList:
        """Returns the list. Raises TryAgain, or Broken when the disk is full."""
        writer, file = await asyncio.to_thread(self._begun)
        with contextlib.closing(file):
            count = await (self._write_parts if has_parts(self._asked) else self._write_items)(writer, file)
            skipped = self._made.selection.skipped.count
            if skipped:
                _log.info("export.values_left_out", collection=self._made.collection.name, count=skipped)

            def end() -> FinishedList:
                file.write_each(writer.end())
                return file.finish(lines=count, skipped=skipped)

            return await asyncio.to_thread(end)

    def _begun(self) -> tuple[Writer, UnfinishedList]:
        writer = self._asked.format.begin(self._made.about)
        with contextlib.ExitStack() as unless_begun:
            file = unless_begun.enter_context(contextlib.closing(UnfinishedList(self._folder)))
            file.write(writer.head)
            unless_begun.pop_all()
        return writer, file

    async def _write_parts(self, writer: Writer, file: UnfinishedList) -> int:
        """Write the lines, most of which are kept; returns their number. If earlier rows are changed or deleted
        meanwhile, the list is made from all rows: nobody finds these lines any more, since their key has ``edits``.
        """
        made = self._made
        lines = Lines(self._asked.format, writer, Skipped())
        key = f"{made.lines_key} {made.head.edits}"
        async with self._kept.updating(key, made.head.seq) as found:
            by_parts = ListByParts(
                self._doors, made.collection.no, kept=self._kept, found=found, selection=made.selection, lines=lines
            )
            if await by_parts.update(made.head, self._filter):
                return await asyncio.to_thread(by_parts.copy, file.write)
        return await self._write_items(writer, file)

    async def _write_items(self, writer: Writer, file: UnfinishedList) -> int:
        """Write the lines; returns their number."""
        lines = Lines(self._asked.format, writer, self._made.selection.skipped)
        with contextlib.ExitStack() as spools:
            async for batch in self._chosen(lines, spools):
                await asyncio.to_thread(lambda some: file.write_each(lines.of(some)), batch)
        return lines.count

    # ---------------------------------------------------------------- the items, in their order

    async def _chosen(self, lines: Lines, spools: contextlib.ExitStack) -> AsyncIterator[Sequence[ListItem]]:
        """Yields the items of the list. What they take on the disk meanwhile is freed with ``spools``."""
        items = self._selected()
        removed = self._spool(spools) if self._asked.format.removed_days else None
        if removed is not None:
            items = self._live(items, removed)
        if self._asked.most is not None:
            items = self._best(items, self._asked.most, lines)
        if self._asked.collapse:  # after the choice: an entry that is not chosen covers nothing
            items = self._collapsed(items, lines, spools)
        async for batch in items:
            yield batch
        if removed is not None:  # at the end: each value comes once, and one that is live must not be called removed
            async for batch in _in_threads(removed.batches()):
                yield batch

    async def _selected(self) -> AsyncIterator[Sequence[ListItem]]:
        async for page in self._pages():
            yield await asyncio.to_thread(lambda some: list(self._made.selection.items(some)), page)

    async def _live(
        self, items: AsyncIterator[Sequence[ListItem]], removed: SpooledItems
    ) -> AsyncIterator[Sequence[ListItem]]:
        """Yields what is live, and puts aside what was removed: it covers nothing, and no limit leaves it out."""
        async for batch in items:
            await asyncio.to_thread(removed.add, [item for item in batch if _is_removed(item)])
            yield [item for item in batch if not _is_removed(item)]

    async def _collapsed(
        self, items: AsyncIterator[Sequence[ListItem]], lines: Lines, spools: contextlib.ExitStack
    ) -> AsyncIterator[Sequence[ListItem]]:
        spooled, covering = self._spool(spools), Covering(lines.fits)
        async for batch in items:
            await asyncio.to_thread(spooled.add, batch)
            await asyncio.to_thread(covering.add, batch)
        async for batch in _in_threads(spooled.batches()):
            yield await asyncio.to_thread(lambda some: [item for item in some if not covering.has(item)], batch)

    async def _best(
        self, items: AsyncIterator[Sequence[ListItem]], most: int, lines: Lines
    ) -> AsyncIterator[Sequence[ListItem]]:
        # what is beyond the products' limit is counted; a limit of the request is known to the reader
        counts_others = self._asked.limit is None
        best = Best(most, fits=lines.fits, with_type=self._asked.format.says_type, counts_others=counts_others)
        async for batch in items:
            await asyncio.to_thread(best.add, batch)
        chosen, others = await asyncio.to_thread(best.take)
        self._made.selection.skipped.count += others
        chosen.reverse()
        while chosen:  # the lines replace the items in memory
            yield chosen[: -PAGE_ROWS - 1 : -1]
            del chosen[-PAGE_ROWS:]

    def _spool(self, spools: contextlib.ExitStack) -> SpooledItems:
        return spools.enter_context(contextlib.closing(SpooledItems(self._folder)))

    @property
    def _filter(self) -> Filter:
        types = self._asked.kinds if self._asked.format.unit is Unit.OBJECT else frozenset({"indicator"})
        return Filter(types=types, after_us=self._asked.since.after_us)

    def _pages(self) -> AsyncIterator[LogPage]:
        """Yields all rows that may have something for the list."""
        logs, log = self._doors.store.logs, self._made.collection.no
        return pages_of(logs, log, self._filter, after=self._asked.since.seq or Seq(0))


def _is_removed(item: ListItem) -> bool:
    return isinstance(item, Entry) and item.removed


async def _in_threads(batches: Iterator[T]) -> AsyncIterator[T]:
    """Yields what an iterator yields that reads from the disk."""
    following: Callable[[], T | None] = lambda: next(batches, None)  # noqa: E731 - mypy needs its type
    while (batch := await asyncio.to_thread(following)) is not None:
        yield batch
