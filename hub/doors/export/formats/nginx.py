"""``export.nginx``: lines for ``geo`` or ``map``. Source: ngx_http_geo_module, ngx_http_map_module."""

from __future__ import annotations

from hub.doors.export.distinct import DistinctValues
from hub.doors.export.entry import NETWORK_KINDS, Entry
from hub.doors.export.exact_values import as_it_is, exact
from hub.doors.export.format import About, Format, Options, ProductLimits, Writer


def _begin(_: About[Options]) -> Writer:
    """Starts a list.

    ``map`` compares without case and refuses a key that it has, so of two such URLs one is written. ``geo`` looks for
    IPv4-mapped addresses among those of IPv4, so they would never match.
    """
    seen = DistinctValues()

    def line(entry: Entry) -> bytes | None:
        written = _line(entry)
        if written is None or (entry.type == "url" and not seen.first_time(entry.value.lower())):
            return None
        return written

    return Writer(line, alone=_line)


def _line(entry: Entry) -> bytes | None:
    value = exact(entry)
    if value is None or value.startswith("::ffff:"):
        return None
    written = {"domain-name": f".{value}", "url": f'"{value}"'}.get(entry.type, value)
    return f"{written} 1;\n".encode()


FORMAT = Format(
    name="nginx",
    media_type="text/plain; charset=utf-8",
    begin=_begin,
    escape=as_it_is,
    says_type=False,
    kinds=NETWORK_KINDS,
    one_kind=True,
    limits=ProductLimits(line_bytes=2_000),
)
