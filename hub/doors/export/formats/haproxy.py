"""``export.haproxy``: patterns for ``-f`` of an ACL. Source: HAProxy's configuration manual, sections 7.1 and 7.3."""

from __future__ import annotations

import re

from hub.doors.export.entry import NETWORK_KINDS, Entry
from hub.doors.export.exact_values import exact
from hub.doors.export.format import Format, Writer

_SCHEME = re.compile(r"https?://")


def escape(value: str) -> str:
    """Returns a value as HAProxy compares it: a URL without its scheme, since requests to an origin have none.

    >>> escape("http://c2.example:8080/a?b=c")
    'c2.example:8080/a?b=c'
    """
    return _SCHEME.sub("", value, count=1)


def _line(entry: Entry) -> bytes | None:
    value = exact(entry)
    return None if value is None else f"{escape(value)}\n".encode()


FORMAT = Format(
    name="haproxy",
    media_type="text/plain; charset=utf-8",
    begin=lambda _: Writer(_line),
    escape=escape,
    says_type=False,
    lines_are_alone=True,
    kinds=NETWORK_KINDS,
    one_kind=True,
)
