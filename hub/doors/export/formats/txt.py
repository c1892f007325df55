"""``export.txt``: one value per line and nothing else, which every device reads."""

from __future__ import annotations

import re

from hub.doors.export.entry import Entry
from hub.doors.export.escape import INVISIBLE, as_code
from hub.doors.export.format import Format, Writer

_ESCAPED = re.compile(rf"[{INVISIBLE}\\#\s]|^[;!/]")
"""Many devices take what follows a blank or ``#`` for a comment, which would turn one address into a whole site."""


def escape(value: str) -> str:
    """A value as a line of its own: no line break, no blank, no comment sign.

    >>> escape("http://bank.example/ #x")
    'http://bank.example/\\\\u0020\\\\u0023x'
    """
    return _ESCAPED.sub(as_code, value)


def _line(entry: Entry) -> bytes:
    return escape(entry.value).encode() + b"\n"


FORMAT = Format(
    name="txt",
    media_type="text/plain; charset=utf-8",
    begin=lambda _: Writer(_line),
    escape=escape,
    says_type=False,
)
