"""One list whose lines are kept by parts of the log: writes the parts that have changed, and joins all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from hub.doors.context import Doors
from hub.doors.export.asked import Asked
from hub.doors.export.format import Writer
from hub.doors.export.kept_lines import AsOfRow, KeptLines
from hub.doors.export.log_pages import pages_of
from hub.doors.export.parts import PART_ROWS, Duplicates, part_of
from hub.doors.export.selection import Selection, Skipped
from hub.model.words import Seq
from hub.model.writes import Head
from hub.store.port import Filter, LogPage, LogRow


def has_parts(asked: Asked) -> bool:
    """Returns whether the lines of a list can be kept by parts: none depends on another, and there is no choice among
    them.
    """
    is_whole = asked.most is None and asked.since.seq is None and asked.since.after_us is None
    return asked.format.lines_are_alone and is_whole and not asked.collapse and not asked.format.removed_days


class ListByParts:
    """One list. ``update`` and then ``lines``, each once."""

    def __init__(self, doors: Doors, log: int, *, kept: KeptLines, selection: Selection, writer: Writer) -> None:
        self._logs = doors.store.logs
        self._log = log
        self._kept = kept
        self._selection = selection
        self._writer = writer
        self._list = AsOfRow(0, 0)
        self._end = Seq(0)
        self.count = 0
        """The number of lines, after ``lines`` has ended."""

    async def update(self, key: str, head: Head, by: Filter) -> None:
        """Bring the parts up to date. ``key`` names all that lines depend on but the rows of the log; ``head`` is its
        end, read before.
        """
        self._end = head.seq
        self._list = await asyncio.to_thread(self._kept.find, f"{key} {head.edits}")
        replaced = await self._logs.replaced(self._log, Seq(self._list.seq))
        seq = self._list.seq if replaced.edits == head.edits else 0
        start = (seq + 1) // PART_ROWS
        changed = sorted({no for one in replaced.seqs if (no := one // PART_ROWS) < start})
        await asyncio.to_thread(self._kept.drop, self._list, changed, start)
        for first, last in _runs(changed):
            await self._write(first, last, by)
        await self._write(start, None, by)
        await asyncio.to_thread(self._kept.set_seq, self._list, head.seq)

    async def _write(self, first: int, last: int | None, by: Filter) -> None:
        """Write the parts from ``first`` to ``last``; None: to the end of the log."""
        number, rows, bodies = first, list[LogRow](), list[bytes]()
        start = Seq(first * PART_ROWS - 1)
        async for page in pages_of(self._logs, self._log, by, after=start, limit=PART_ROWS):
            for row, body in page.with_bodies():
                if row.seq // PART_ROWS != number:
                    await self._write_one(number, LogPage(rows, bodies, more=False))
                    number, rows, bodies = row.seq // PART_ROWS, [], []
                    if last is not None and number > last:
                        return
                rows.append(row)
                bodies.append(body)
        await self._write_one(number, LogPage(rows, bodies, more=False))

    async def _write_one(self, number: int, page: LogPage) -> None:
        def write() -> None:
            selection = replace(self._selection, skipped=Skipped())
            # a row after the end may replace one that has been written already
            is_newer = page.rows[-1].seq > self._end
            items = selection.items(page)
            part = part_of(items, selection.format, self._writer, selection.skipped, all_shared=is_newer)
            self._kept.keep(self._list, number, part)

        if page.rows:
            await asyncio.to_thread(write)

    def lines(self) -> Iterator[bytes]:
        """Yields the lines of all parts, each value once, and counts what is left out; for a thread."""
        duplicates, left_out = Duplicates(), set[int]()
        for _, part in self._kept.parts(self._list):
            duplicates.expect(part)
        for _, part in self._kept.parts(self._list):
            twice = duplicates.of(part)
            self._selection.skipped.count += part.skipped + len(part.left_out - left_out)
            left_out |= part.left_out
            self.count += len(part.digests) - len(twice)
            yield part.without(twice) if twice else part.lines


def _runs(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yields the first and last of each run of numbers without a gap.

    >>> list(_runs([1, 2, 3, 7]))
    [(1, 3), (7, 7)]
    """
    distance: Callable[[tuple[int, int]], int] = lambda one: one[1] - one[0]  # noqa: E731 - mypy needs its type
    for _, run in groupby(enumerate(numbers), distance):
        found = [number for _, number in run]
        yield found[0], found[-1]
