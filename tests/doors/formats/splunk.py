"""Lookup files, by Python's reader. In one, ``*`` would be a wildcard."""

from __future__ import annotations

import csv
import io
from typing import Any

from hub.doors.export.entry import Entry
from tests.doors.list_readers import Reader

COLUMNS = [
    "description", "domain", "file_hash", "file_name", "http_referrer", "http_user_agent", "ip", "src_user", "subject",
    "url", "weight",
]  # fmt: skip
_COLUMN = {
    "ipv4-addr": "ip", "ipv6-addr": "ip", "domain-name": "domain", "url": "url", "email-addr": "src_user",
    "file:name": "file_name",
}  # fmt: skip


def read(content: bytes) -> list[Any]:
    text = content.decode()
    head, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    assert head == COLUMNS
    assert text.count("\n") == len(text.splitlines()) == 1 + len(rows)
    return [_said(dict(zip(head, row, strict=True))) for row in rows]


def _said(row: dict[str, str]) -> tuple[str, str, int]:
    assert row.pop("description").startswith("indicator ")
    weight = int(row.pop("weight"))
    assert 1 <= weight <= 100
    [(column, value)] = [(column, cell) for column, cell in row.items() if cell]
    assert not value.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert "*" not in value
    return column, value, weight


def says(entry: Entry) -> tuple[str, str, int]:
    weight = 60 if entry.confidence is None else max(1, entry.confidence)
    return _COLUMN.get(entry.type, "file_hash"), entry.value, weight


READER = Reader(read, says)
