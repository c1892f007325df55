"""Files of ACLs, as Squid reads them: a word a line, a domain with those below it, or a regular expression."""

from __future__ import annotations

import re

from hub.doors.export.entry import Entry
from tests.doors.list_readers import Reader, is_network, visible_lines


def read(content: bytes) -> list[str]:
    found = visible_lines(content)
    for entry in found:
        assert " " not in entry
        assert entry[0] not in '#"'
        assert entry[0] in "^." or is_network(entry)
    return [_matched(entry) if entry[0] == "^" else entry.removeprefix(".") for entry in found]


def _matched(pattern: str) -> str:
    """The only text that a regular expression without operators matches."""
    text = re.sub(r"\\(.)", r"\1", pattern.removeprefix("^").removesuffix("$"))
    assert re.fullmatch(pattern, text)
    assert not re.search(r"(?<!\\)(?:\\\\)*[.*+?()\[\]{}|^$]", pattern[1:-1]), "no operator"
    return text


def says(entry: Entry) -> str:
    return entry.value


READER = Reader(read, says)
