"""Feeds of Security Intelligence: an entry a line, ``#`` begins a comment, ``*`` is a wildcard label."""

from __future__ import annotations

from tests.doors.list_readers import Reader, visible_lines


def read(content: bytes) -> list[str]:
    found = visible_lines(content)
    for entry in found:
        assert " " not in entry
        assert entry[0] != "#"
        assert "*" not in entry or "/" in entry, "no wildcard in a name"
        assert not entry.endswith("/0") or "://" in entry, "no network of all addresses"
    return found


READER = Reader(read, says=lambda entry: entry.value)
