"""Values of lists for tests, harmless and hostile."""

from __future__ import annotations

from typing import Any

from hub.doors.export.blockable import Entry


def an_entry(value: str = "198.51.100.7", **more: Any) -> Entry:
    """One value of a list; ``more`` are other fields of ``Entry``."""
    said = {
        "type": "ipv4-addr", "confidence": 60, "valid_from": "2026-01-01T00:00:00.000Z", "valid_until": None,
        "tlp": "green", "modified": "2026-01-02T03:04:05.678Z", "id": "indicator--1", "modified_us": 0,
    }  # fmt: skip
    return Entry(value=value, **{**said, **more})


A_LIST = (
    an_entry(),
    an_entry("c2.example", type="domain-name", confidence=None, valid_until="2026-02-01T00:00:00.000Z", tlp=""),
    an_entry('http://c2.example/a,b "c" #d', type="url", confidence=0),
    an_entry("=1+1\r\n\u2028\\", type="file:name", tlp="amber+strict"),
    an_entry("'\uff1dé\u200b\U000e0041\U0001f600", type="mutex:name"),
    an_entry("; a\tb//", type="x-a:b"),
)
"""What ``tests/data/exports/list.*`` are the lists of."""
