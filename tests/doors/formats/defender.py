"""Files for the import of Microsoft Defender for Endpoint, by Python's reader and Microsoft's table of parameters."""

from __future__ import annotations

import csv
import io
import re
from ipaddress import ip_address
from typing import Any

from hub.doors.export.entry import Entry
from tests.doors.list_readers import Reader

COLUMNS = [
    "IndicatorType", "IndicatorValue", "ExpirationTime", "Action", "Severity", "Title", "Description",
    "RecommendedActions", "RbacGroups", "Category", "MitreTechniques", "GenerateAlert",
]  # fmt: skip
_TYPES = {
    "ipv4-addr": "IpAddress", "ipv6-addr": "IpAddress", "domain-name": "DomainName", "url": "Url", "sha-1": "FileSha1",
    "sha-256": "FileSha256",
}  # fmt: skip


def read(content: bytes) -> list[Any]:
    text = content.decode()
    head, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    assert head == COLUMNS
    assert text.count("\r\n") == len(text.splitlines()) == 1 + len(rows)
    assert len(rows) <= 500
    return [_said(dict(zip(head, row, strict=True))) for row in rows]


def _said(row: dict[str, str]) -> tuple[str, str, str]:
    assert row["IndicatorType"] in _TYPES.values()
    assert row["Action"] in ("Allowed", "Audit", "Warn", "Block", "BlockAndRemediate")
    assert row["Severity"] in ("Informational", "Low", "Medium", "High")
    assert row["GenerateAlert"] in ("True", "False")
    assert row["Title"] == "ctihub community"
    assert row["Description"].startswith("indicator ")
    assert re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.0Z)?", row["ExpirationTime"])
    value = row["IndicatorValue"]
    assert not value.startswith(("=", "+", "-", "@"))
    if row["IndicatorType"] == "IpAddress":
        ip_address(value)
    return row["IndicatorType"], value, row["ExpirationTime"]


def says(entry: Entry) -> tuple[str, str, str]:
    return _TYPES[entry.type], entry.value, (entry.valid_until or "").replace(".000Z", ".0Z")


READER = Reader(read, says)
