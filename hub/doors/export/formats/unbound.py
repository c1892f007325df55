"""``export.unbound``: local zones that do not exist. Source: unbound.conf(5), "local-zone"."""

from __future__ import annotations

from hub.doors.export.entry import Entry
from hub.doors.export.exact_values import as_it_is, is_host_name
from hub.doors.export.format import Format, Writer


def _line(entry: Entry) -> bytes | None:
    return f'\tlocal-zone: "{entry.value}" always_nxdomain\n'.encode() if is_host_name(entry.value) else None


FORMAT = Format(
    name="unbound",
    media_type="text/plain; charset=utf-8",
    begin=lambda _: Writer(_line, head=b"server:\n"),
    escape=as_it_is,
    says_type=False,
    lines_are_alone=True,
    kinds=frozenset({"domain-name"}),
)
