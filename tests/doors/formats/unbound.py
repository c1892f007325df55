"""Local zones, by the grammar of unbound.conf."""

from __future__ import annotations

import re

from tests.doors.list_readers import Reader, visible_lines

ZONE = re.compile(r'\tlocal-zone: "([^"\\ ]+)" always_nxdomain')


def read(content: bytes) -> list[str]:
    first, *lines = visible_lines(content)
    assert first == "server:"
    zones = [ZONE.fullmatch(line) for line in lines]
    assert None not in zones
    return [zone[1] for zone in zones if zone is not None]


READER = Reader(read, says=lambda entry: entry.value)
