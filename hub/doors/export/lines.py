"""Turns the items of a list into lines, without input and output."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hub.doors.export.distinct import DistinctValues, left_out_key
from hub.doors.export.entry import ListItem
from hub.doors.export.format import Format, Writer
from hub.doors.export.selection import Skipped


class Lines:
    """Writes each item once, and counts those that the format cannot express or that are too long for its products."""

    def __init__(self, format: Format, writer: Writer, skipped: Skipped) -> None:
        self._line = writer.line
        self._alone = writer.alone or writer.line
        self._says_type = format.says_type
        self._most_bytes = format.limits.line_bytes
        self._skipped = skipped
        self._seen = DistinctValues()
        self.count = 0
        """The number of lines so far."""

    def fits(self, item: ListItem) -> bool:
        """Returns whether a list can have an item, whatever else it has."""
        return self._within_limit(self._alone(item)) is not None

    def written(self, item: ListItem) -> bytes | None:
        """Returns the line of an item; None if the list cannot have it."""
        return self._within_limit(self._line(item))

    def _within_limit(self, line: bytes | None) -> bytes | None:
        return line if line is None or self._most_bytes is None or len(line) <= self._most_bytes else None

    def of(self, items: Iterable[ListItem]) -> Iterator[bytes]:
        """Yields the lines of more items."""
        for item in items:
            key, line = item.key(with_type=self._says_type), self._within_limit(self._alone(item))
            if line is None:
                self._skipped.count += self._seen.first_time(left_out_key(key))
            elif self._seen.first_time(key):
                if self._alone is not self._line:
                    line = self.written(item)
                if line is None:  # because of lines before
                    self._skipped.count += 1
                else:
                    self.count += 1
                    yield line
