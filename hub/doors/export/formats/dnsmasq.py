"""``export.dnsmasq``: domains that no server answers for. Source: dnsmasq(8), "--server" and "--servers-file"."""

from __future__ import annotations

from hub.doors.export.entry import Entry
from hub.doors.export.exact_values import as_it_is, is_host_name
from hub.doors.export.format import Format, Writer


def _line(entry: Entry) -> bytes | None:
    """Returns a line. ``address=`` would say the same, but not in a file that dnsmasq reads again without a restart."""
    return f"server=/{entry.value}/\n".encode() if is_host_name(entry.value) else None


FORMAT = Format(
    name="dnsmasq",
    media_type="text/plain; charset=utf-8",
    begin=lambda _: Writer(_line),
    escape=as_it_is,
    says_type=False,
    lines_are_alone=True,
    kinds=frozenset({"domain-name"}),
)
