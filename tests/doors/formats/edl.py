"""External dynamic lists, as PAN-OS reads them: the entry ends at the first blank, ``*`` and ``^`` are wildcards."""

from __future__ import annotations

from hub.doors.export.entry import Entry
from tests.doors.list_readers import Reader, is_network, visible_lines

LONGEST = 255


def read(content: bytes) -> list[str]:
    found = visible_lines(content)
    for entry in found:
        assert len(entry) <= LONGEST
        assert not any(char in entry for char in " \t*^#"), "neither a comment nor a wildcard"
        assert not entry.startswith(("http://", "https://"))
        assert is_network(entry) or ":" not in entry.partition("/")[0], "an address, or a host without a port"
    return found


def says(entry: Entry) -> str:
    return entry.value.removeprefix("http://").removeprefix("https://")


READER = Reader(read, says)
