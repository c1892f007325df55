"""Commands of nft, by its grammar for sets: what a table's sets hold after the whole file."""

from __future__ import annotations

import re

from hub.doors.export.entry import Entry
from tests.doors.list_readers import Reader, is_network, visible_lines

DECLARED = re.compile(
    r"add set inet ctihub (\w+) \{ type (ipv[46])_addr; flags interval; auto-merge; \}\nflush set inet ctihub \1"
)
ADDED = re.compile(r"add element inet ctihub (\w+) \{\n((?:\t[0-9a-f.:/]+,\n)+)\}\n")


def read(content: bytes) -> list[tuple[str, str]]:
    first, *lines = visible_lines(content)
    assert first == "add table inet ctihub"
    text = "".join(f"{line}\n" for line in lines)
    types = dict(DECLARED.findall(text))
    found = [(types[name], line.strip("\t,")) for name, block in ADDED.findall(text) for line in block.splitlines()]
    assert ADDED.sub("", DECLARED.sub("", text)).strip() == "", "nothing else"
    assert all(is_network(value) for _, value in found)
    return found


def says(entry: Entry) -> tuple[str, str]:
    return entry.type.removesuffix("-addr"), entry.value


READER = Reader(read, says)
