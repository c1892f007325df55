"""One list whose lines are kept: adds those of new rows, removes those of replaced rows, and joins all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hub.doors.context import Doors
from hub.doors.export.asked import Asked
from hub.doors.export.kept_lines import KeptLines, KeptList
from hub.doors.export.lines import Lines
from hub.doors.export.log_pages import pages_of
from hub.doors.export.parts import lines_of
from hub.doors.export.selection import Selection
from hub.model.words import Seq
from hub.model.writes import Head
from hub.store.port import Filter, LogPage

PART_ROWS = 1_024
"""The size of a part, about. What one change costs grows with it, what a list costs falls."""
_CAUSES = 8_192
"""How many rows are asked at a time what they have replaced."""


def has_parts(asked: Asked) -> bool:
    """Returns whether the lines of a list can be kept by parts: none depends on another, and there is no choice among
    them.
    """
    is_whole = asked.most is None and asked.since.seq is None and asked.since.after_us is None
    return asked.format.lines_are_alone and is_whole and not asked.collapse and not asked.format.removed_days


class ListByParts:
    """One list. ``update`` and, if that returns True, ``copy``; each once."""

    def __init__(
        self, doors: Doors, log: int, *, kept: KeptLines, found: KeptList, selection: Selection, lines: Lines
    ) -> None:
        """``lines`` writes each of them."""
        self._logs = doors.store.logs
        self._log = log
        self._kept = kept
        self._list = found
        self._selection = selection
        self._written = lines.written

    async def update(self, head: Head, by: Filter) -> bool:
        """Bring the lines up to date. ``head`` is the end of the log, read before. Returns False if earlier rows have
        been changed or deleted since then: some lines of what has been replaced or erased may have stayed.
        """
        await self._remove_replaced(head.seq)
        async for page in pages_of(self._logs, self._log, by, after=self._list.seq, limit=PART_ROWS):
            await asyncio.to_thread(self._append, page)
        await self._remove_replaced(self._list.seq)  # by rows that came meanwhile
        return (await self._logs.head(self._log)).edits == head.edits

    async def _remove_replaced(self, end: Seq) -> None:
        while (start := self._list.as_of) < end:
            last = Seq(min(start + _CAUSES, end))
            causes = await self._logs.causes(self._log, start, last)
            replaced = {cause.before for cause in causes.values() if cause.before is not None}
            if replaced:
                await asyncio.to_thread(self._kept.remove, self._list, replaced)
            self._list = self._list._replace(as_of=last)

    def _append(self, page: LogPage) -> None:
        lines = list(lines_of(page, self._selection, self._written))
        self._list = self._list._replace(seq=page.rows[-1].seq)
        self._kept.append(self._list, lines, most=PART_ROWS)

    def copy(self, write: Callable[[bytes], None]) -> int:
        """Write all lines; returns their number, and counts what is left out. For a thread."""
        self._kept.save(self._list)
        count, skipped = self._kept.copy(self._list, write)
        self._selection.skipped.count += skipped
        return count
