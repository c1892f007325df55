"""Request bodies, as Microsoft documents them."""

from __future__ import annotations

import json
from typing import Any

from tests.doors.entries import an_object
from tests.doors.list_readers import Reader

REQUIRED = {"id", "type", "created", "modified", "pattern", "pattern_type", "valid_from"}


def read(content: bytes) -> list[Any]:
    *lines, rest = content.split(b"\n")
    assert rest == b""
    found = []
    for line in lines:
        body = json.loads(line)
        assert set(body) == {"sourcesystem", "stixobjects"}
        assert body["sourcesystem"] not in ("", "Microsoft Sentinel")
        assert 1 <= len(body["stixobjects"]) <= 100
        assert all(set(one) >= REQUIRED for one in body["stixobjects"])
        found += body["stixobjects"]
    return found


READER = Reader(read, says=lambda one: one.obj, example=[an_object()])
