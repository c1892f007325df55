"""``export.edl``: external dynamic lists of PAN-OS. Source: its pages on formatting guidelines for these lists."""

from __future__ import annotations

import re

from hub.doors.export.entry import NETWORK_KINDS, Entry
from hub.doors.export.exact_values import exact, web_address_of
from hub.doors.export.format import Format, ProductLimits, Writer

_SCHEME = re.compile(r"https?://")
_WILDCARDS = re.compile(r"[*^]")


def escape(value: str) -> str:
    """Returns a value as PAN-OS reads it: a URL without its scheme.

    >>> escape("http://c2.example/a?b=c")
    'c2.example/a?b=c'
    """
    return _SCHEME.sub("", value, count=1)


def _line(entry: Entry) -> bytes | None:
    """Returns a line. URLs with a port, an IPv6 address or a wildcard are left out: PAN-OS reads them otherwise."""
    value = exact(entry)
    if value is None:
        return None
    if entry.type == "url":
        parts = web_address_of(value)
        if parts is None or parts.port or parts.host.startswith("[") or _WILDCARDS.search(value):
            return None
    return f"{escape(value)}\n".encode()


FORMAT = Format(
    name="edl",
    media_type="text/plain; charset=utf-8",
    begin=lambda _: Writer(_line),
    escape=escape,
    says_type=False,
    kinds=NETWORK_KINDS,
    one_kind=True,
    limits=ProductLimits(lines=150_000, line_bytes=256),
)
