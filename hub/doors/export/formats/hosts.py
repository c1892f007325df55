"""``export.hosts``: names that lead nowhere, for a hosts file. Source: hosts(5)."""

from __future__ import annotations

from hub.doors.export.entry import Entry
from hub.doors.export.exact_values import as_it_is, is_host_name
from hub.doors.export.format import Format, Writer


def _line(entry: Entry) -> bytes | None:
    """Returns a line. Names of one label are left out: they are those of the machine and its network."""
    return f"0.0.0.0 {entry.value}\n".encode() if "." in entry.value and is_host_name(entry.value) else None


FORMAT = Format(
    name="hosts",
    media_type="text/plain; charset=utf-8",
    begin=lambda _: Writer(_line),
    escape=as_it_is,
    says_type=False,
    lines_are_alone=True,
    kinds=frozenset({"domain-name"}),
)
