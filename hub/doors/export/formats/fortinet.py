"""``export.fortinet``: external feeds of FortiGate, FortiProxy and FortiMail. Source: their administration guides."""

from __future__ import annotations

from hub.doors.export.entry import NETWORK_KINDS, Entry
from hub.doors.export.exact_values import as_it_is, exact_line, limited_to
from hub.doors.export.format import Format, ProductLimits, Writer

_MOST_BYTES = 10_000_000


def _line(entry: Entry) -> bytes | None:
    """Returns a line. A URL that ends in ``*`` is left out: it would be a wildcard."""
    return None if entry.value.endswith("*") else exact_line(entry)


FORMAT = Format(
    name="fortinet",
    media_type="text/plain; charset=utf-8",
    begin=lambda _: Writer(limited_to(_MOST_BYTES, _line), alone=_line),
    escape=as_it_is,
    says_type=False,
    kinds=NETWORK_KINDS | {"md5", "sha-1", "sha-256"},
    one_kind=True,
    limits=ProductLimits(lines=131_072, line_bytes=4_096),
)
