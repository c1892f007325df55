"""Turns the items of a list into lines, without input and output."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hub.doors.export.distinct import DistinctValues
from hub.doors.export.entry import ListItem
from hub.doors.export.format import Format, Writer
from hub.doors.export.selection import Skipped


class Lines:
    """Writes each item once, and counts those that the format cannot express or that are too long for its products."""

    def __init__(self, format: Format, writer: Writer, skipped: Skipped) -> None:
        self._line = writer.line
        self._says_type = format.says_type
        self._most_bytes = format.limits.line_bytes
        self._skipped = skipped
        self._seen = DistinctValues()
        self.count = 0
        """The number of lines so far."""

    def of(self, items: Iterable[ListItem]) -> bytes:
        """Returns the lines of more items."""
        return b"".join(self._each(items))

    def written(self, item: ListItem) -> bytes | None:
        """Returns the line of an item, whether or not it came before; None if it is left out."""
        line = self._line(item)
        return line if line is None or self._most_bytes is None or len(line) <= self._most_bytes else None

    def _each(self, items: Iterable[ListItem]) -> Iterator[bytes]:
        for item in items:
            if not self._seen.first_time(item.key(with_type=self._says_type)):
                continue
            line = self.written(item)
            if line is None:
                self._skipped.count += 1
            else:
                self.count += 1
                yield line
