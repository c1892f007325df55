"""Custom intelligence feeds: tables of seven columns, ``#`` begins a comment or the names of the columns."""

from __future__ import annotations

import csv
import io
import re
from ipaddress import ip_address, ip_network, summarize_address_range

from hub.doors.export.entry import Entry
from tests.doors.list_readers import Reader, visible_lines

TYPES = {"IP": "ipv4-addr", "IP Range": "ipv4-addr", "Domain": "domain-name", "URL": "url", "MD5": "md5",
         "SHA1": "sha-1", "SHA256": "sha-256"}  # fmt: skip
COLUMNS = ["UNIQ-NAME", "VALUE", "TYPE", "CONFIDENCE", "SEVERITY", "PRODUCT", "COMMENT"]


def read(content: bytes) -> list[tuple[str, str, str]]:
    lines = visible_lines(content)
    assert lines[1] == f"# {','.join(COLUMNS)}"
    records = [line for line in lines if not line.startswith("#")]
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in csv.reader(io.StringIO("\n".join(records)), strict=True)]
    assert len(rows) == len(records)
    assert len({row["UNIQ-NAME"] for row in rows}) == len({(row["TYPE"], row["VALUE"]) for row in rows})
    for row in rows:
        assert {row["CONFIDENCE"], row["SEVERITY"]} <= {"low", "medium", "high", "critical"}
        assert row["PRODUCT"] in ("AV", "AB")
    return [(TYPES[row["TYPE"]], _value(row["TYPE"], row["VALUE"]), row["COMMENT"]) for row in rows]


def _value(type_: str, cell: str) -> str:
    if type_ == "IP":
        return str(ip_address(cell))
    if type_ != "IP Range":
        return cell
    first, last = map(ip_address, cell.split("-"))
    [network] = summarize_address_range(first, last)
    return str(network)


def says(entry: Entry) -> tuple[str, str, str]:
    value = str(ip_network(entry.value)) if "/" in entry.value and entry.type == "ipv4-addr" else entry.value
    return entry.type, value, entry.id if re.fullmatch("indicator--[0-9a-f-]+", entry.id) else ""


READER = Reader(read, says)
