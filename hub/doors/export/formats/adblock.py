"""``export.adblock``: rules for Pi-hole, AdGuard and uBlock Origin. Source: AdGuard, "DNS filtering rules syntax"."""

from __future__ import annotations

from hub.doors.export.entry import Entry
from hub.doors.export.exact_values import as_it_is, is_host_name
from hub.doors.export.format import Format, Writer

_HEAD = b"! Title: ctihub\n! Expires: 1 hours\n"


def _line(entry: Entry) -> bytes | None:
    """Returns a line. Names with a label that begins or ends with a hyphen are left out: Pi-hole takes none."""
    name = entry.value
    return f"||{name}^\n".encode() if is_host_name(name) and "-." not in f".{name}.".replace(".-", "-.") else None


FORMAT = Format(
    name="adblock",
    media_type="text/plain; charset=utf-8",
    begin=lambda _: Writer(_line, head=_HEAD),
    escape=as_it_is,
    says_type=False,
    lines_are_alone=True,
    kinds=frozenset({"domain-name"}),
)
