"""Files of patterns, as HAProxy reads them: a line without the blanks around it, ``#`` at the start is a comment."""

from __future__ import annotations

from hub.doors.export.entry import Entry
from tests.doors.list_readers import Reader, visible_lines


def read(content: bytes) -> list[str]:
    found = visible_lines(content)
    for entry in found:
        assert entry == entry.strip()
        assert entry[0] != "#"
        assert "://" not in entry.partition("/")[0] + entry[:8]
    return found


def says(entry: Entry) -> str:
    return entry.value.removeprefix("http://").removeprefix("https://")


READER = Reader(read, says)
