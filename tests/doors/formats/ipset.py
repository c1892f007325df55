"""Commands of ipset: what the sets hold after the whole file."""

from __future__ import annotations

import re

from hub.doors.export.entry import Entry
from tests.doors.list_readers import Reader, is_network, visible_lines

CREATED = re.compile(r"create (ctihub-ipv[46](?:-new)?) hash:net family inet6? maxelem 16777216 -exist")
ADDED = re.compile(r"add ctihub-(ipv[46])-new (\S+) -exist")
OTHERS = re.compile(r"flush (\S+)-new|swap (\S+)-new \2|destroy (\S+)-new")


def read(content: bytes) -> list[tuple[str, str]]:
    lines = visible_lines(content)
    found = [(words[1], words[2]) for line in lines if (words := ADDED.fullmatch(line))]
    others = [line for line in lines if not ADDED.fullmatch(line)]
    assert all(CREATED.fullmatch(line) or OTHERS.fullmatch(line) for line in others)
    assert all(is_network(value) for _, value in found)
    return found


def says(entry: Entry) -> tuple[str, str]:
    return entry.type.removesuffix("-addr"), entry.value


READER = Reader(read, says)
