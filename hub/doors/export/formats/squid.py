"""``export.squid``: files of ACLs: ``dst``, ``dstdomain`` or ``url_regex``. Source: squid.conf, "acl"."""

from __future__ import annotations

import re

from hub.doors.export.entry import NETWORK_KINDS, Entry
from hub.doors.export.exact_values import exact
from hub.doors.export.format import Format, Writer

_SPECIAL = re.compile(r"[][\\.^$*+?(){}|]")


def escape(value: str) -> str:
    r"""Returns a value as Squid reads it: a URL as a regular expression that matches it alone.

    >>> escape("http://c2.example/a?b=c"), escape("c2.example")
    ('^http://c2\\.example/a\\?b=c$', 'c2.example')
    """
    return f"^{_SPECIAL.sub(lambda found: chr(92) + found[0], value)}$" if "://" in value else value


def _line(entry: Entry) -> bytes | None:
    """Returns a line. URLs with ``%`` are left out: Squid decodes the URL of a request before it compares."""
    value = exact(entry)
    if value is None or "%" in value:
        return None
    return f".{value}\n".encode() if entry.type == "domain-name" else f"{escape(value)}\n".encode()


FORMAT = Format(
    name="squid",
    media_type="text/plain; charset=utf-8",
    begin=lambda _: Writer(_line),
    escape=escape,
    says_type=False,
    kinds=NETWORK_KINDS,
    one_kind=True,
    is_collapsed=True,
)
