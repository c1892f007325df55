"""Files of intelligence, as Zeek's ASCII reader takes them: ``readers/ascii/Ascii.cc``, ``formatters/Ascii.cc``."""

from __future__ import annotations

import re
from typing import Any

from hub.doors.export.entry import Entry
from tests.doors.list_readers import Reader

FIELDS = [b"indicator", b"indicator_type", b"meta.source", b"meta.desc", b"meta.remove"]
_TYPES = {
    "domain-name": "Intel::DOMAIN",
    "url": "Intel::URL",
    "email-addr": "Intel::EMAIL",
    "file:name": "Intel::FILE_NAME",
    "md5": "Intel::FILE_HASH",
    "sha-1": "Intel::FILE_HASH",
    "sha-256": "Intel::FILE_HASH",
}
_ESCAPE = re.compile(rb"\\x([0-9a-f]{2})")


def read(content: bytes) -> list[Any]:
    head, *lines, rest = content.split(b"\n")
    assert head.split(b"\t") == [b"#fields", *FIELDS]
    assert rest == b""
    assert content.decode().splitlines() == content.decode().split("\n")[:-1]
    return [_said(line) for line in lines]


def _said(line: bytes) -> tuple[str, str, bool]:
    assert not line.startswith(b"#"), "a comment"
    assert not line.endswith(b"\r"), "taken off"
    cells = line.split(b"\t")
    assert len(cells) == len(FIELDS)
    assert all(cell not in (b"", b"-") for cell in cells), "not set"
    indicator, intel, source, desc, remove = (_ESCAPE.sub(_byte, cell).decode() for cell in cells)
    assert source == "ctihub-community"
    assert desc.startswith("indicator ")
    assert remove in "TF"
    return indicator, intel, remove == "T"


def _byte(found: re.Match[bytes]) -> bytes:
    return bytes.fromhex(found[1].decode())


def says(entry: Entry) -> tuple[str, str, bool]:
    if entry.type in ("ipv4-addr", "ipv6-addr"):
        return entry.value, "Intel::SUBNET" if "/" in entry.value else "Intel::ADDR", entry.removed
    value = entry.value.split("://", 1)[1] if entry.type == "url" else entry.value
    return value, _TYPES[entry.type], entry.removed


READER = Reader(read, says)
