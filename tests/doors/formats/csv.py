"""Tables, by Python's reader."""

from __future__ import annotations

import csv
import io
from typing import Any

from hub.doors.export.entry import Entry
from tests.doors.list_readers import Reader, without_codes

COLUMNS = ["type", "value", "confidence", "valid_from", "valid_until", "tlp", "modified", "id"]


def read(content: bytes) -> list[dict[str, Any]]:
    text = content.decode()
    head, *rows = csv.reader(io.StringIO(text, newline=""))
    assert head == COLUMNS
    assert text.count("\r\n") == len(text.splitlines()) == 1 + len(rows), "a reader that knows no quotes sees the same"
    for row in rows:
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row), "no formula"
    return [_typed(dict(zip(COLUMNS, map(_value, row), strict=True))) for row in rows]


def _value(cell: str) -> str:
    return without_codes(cell.removeprefix("'"))


def _typed(row: dict[str, str]) -> dict[str, Any]:
    confidence = int(row["confidence"]) if row["confidence"] else None
    return {**row, "confidence": confidence, "valid_until": row["valid_until"] or None}


def says(entry: Entry) -> dict[str, Any]:
    return {column: getattr(entry, column) for column in COLUMNS}


READER = Reader(read, says)
