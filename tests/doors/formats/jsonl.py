"""JSON objects, one a line."""

from __future__ import annotations

import json
from typing import Any

from hub.doors.export.entry import Entry
from tests.doors.list_readers import Reader

FIELDS = ["type", "value", "confidence", "valid_from", "valid_until", "tlp", "modified", "id"]


def read(content: bytes) -> list[Any]:
    *lines, rest = content.split(b"\n")
    assert rest == b""
    return [json.loads(line) for line in lines]


def says(entry: Entry) -> dict[str, Any]:
    return {field: getattr(entry, field) for field in FIELDS}


READER = Reader(read, says)
