"""Options of dnsmasq: a domain between two slashes, and no server behind them."""

from __future__ import annotations

import re

from tests.doors.list_readers import Reader, visible_lines

LINE = re.compile(r"server=/([^/#\s\"]+)/")


def read(content: bytes) -> list[str]:
    found = [LINE.fullmatch(line) for line in visible_lines(content)]
    assert None not in found
    return [line[1] for line in found if line is not None]


READER = Reader(read, says=lambda entry: entry.value)
