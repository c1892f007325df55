"""Turns the entries of a list into lines, without input and output."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hub.doors.export.blockable import Skipped
from hub.doors.export.distinct import DistinctValues
from hub.doors.export.entry import Entry
from hub.doors.export.format import Format, Writer


class Lines:
    """Writes each value once, and counts those that the format cannot express or that are too long for its products."""

    def __init__(self, format: Format, writer: Writer, skipped: Skipped) -> None:
        self._line = writer.line
        self._says_type = format.says_type
        self._most_bytes = format.limits.line_bytes
        self._skipped = skipped
        self._seen = DistinctValues()

    def of(self, entries: Iterable[Entry]) -> bytes:
        """Returns the lines of more entries."""
        return b"".join(self._each(entries))

    def _each(self, entries: Iterable[Entry]) -> Iterator[bytes]:
        for entry in entries:
            if not self._seen.first_time(f"{entry.type} {entry.value}" if self._says_type else entry.value):
                continue
            line = self._line(entry)
            if line is None or (self._most_bytes is not None and len(line) > self._most_bytes):
                self._skipped.count += 1
            else:
                yield line
