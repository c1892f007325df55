"""Files of datasets, as ``datasets.c`` of Suricata reads them. What one entry cannot be stops Suricata."""

from __future__ import annotations

import base64
import binascii
import socket

from tests.doors.list_readers import Reader

_LINE_BYTES = 1_024
"""``char line[1024]``, the last of which is the end."""


def read(content: bytes) -> list[str]:
    *lines, rest = content.split(b"\n")
    assert rest == b"", "the last character of each line goes, also of the last line"
    assert all(0 < len(line) + 1 < _LINE_BYTES and b"," not in line for line in lines)
    return [_value(line) for line in lines]


def _value(line: bytes) -> str:
    text = line.decode("ascii")
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, text)
        except OSError:
            continue
        return text
    if len(text) in (32, 64):
        try:
            binascii.unhexlify(text)
        except ValueError:
            pass
        else:
            return text
    return base64.b64decode(line, validate=True).decode()


READER = Reader(read, says=lambda entry: entry.value)
