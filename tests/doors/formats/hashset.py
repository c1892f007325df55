"""Sorted keys. What must be there is computed as docs/formats/hashset.md says, with none of the hub's code."""

from __future__ import annotations

import hashlib
import re

from hub.doors.export.entry import Entry
from tests.doors.list_readers import Reader

_PATHS = {
    "md5": "file:hashes.MD5", "sha-1": "file:hashes.'SHA-1'", "sha-256": "file:hashes.'SHA-256'",
    "ssdeep": "file:hashes.SSDEEP", "tlsh": "file:hashes.TLSH", "md6": "file:hashes.MD6",
    "whirlpool": "file:hashes.WHIRLPOOL",
}  # fmt: skip


def key_of(kind: str, value: str) -> str:
    """The canonical key of a value, in hexadecimal."""
    path = kind if ":" in kind else f"{kind}:value"
    if re.match("sha|md|ssdeep|tlsh|ripemd|whirlpool", kind):
        path = _PATHS.get(kind, f"file:hashes.'{kind.upper()}'")
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return hashlib.sha256(f"ctihub-key-v1\nstix\n[{path} = '{escaped}']".encode()).hexdigest()


def read(content: bytes) -> list[str]:
    *lines, rest = content.decode("ascii").split("\n")
    assert rest == ""
    assert lines == sorted(set(lines)), "a binary search finds all"
    assert all(re.fullmatch("[0-9a-f]{64}", line) for line in lines)
    return lines


def says(entry: Entry) -> str:
    return key_of(entry.type, entry.value)


READER = Reader(read, says, agrees=lambda got, said: got == sorted(set(said)))
