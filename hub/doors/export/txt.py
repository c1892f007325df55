"""``export.txt``: one value per line and nothing else, which every device reads."""

from __future__ import annotations

from hub.doors.export.blockable import Entry
from hub.doors.export.escape import line

MEDIA_TYPE = "text/plain; charset=utf-8"
HEAD = b""


def write(entry: Entry) -> bytes:
    """An entry as a line."""
    return line(entry.value).encode() + b"\n"
