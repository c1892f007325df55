"""Hosts files: an address, blanks, names; a comment begins with ``#`` anywhere."""

from __future__ import annotations

from tests.doors.list_readers import Reader, visible_lines


def read(content: bytes) -> list[str]:
    found = []
    for line in visible_lines(content):
        address, *names = line.partition("#")[0].split()
        assert address == "0.0.0.0"
        found += names
    return found


READER = Reader(read, says=lambda entry: entry.value)
