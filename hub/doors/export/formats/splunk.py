"""``export.splunk``: lookup files of Splunk Enterprise Security.

Source: Splunk Enterprise Security, "Supported types of threat intelligence". With kinds of one collection of Splunk,
a list has the columns of its lookup; with several, it has the columns of all.
"""

from __future__ import annotations

import re

from hub.doors.export.annotation import annotation
from hub.doors.export.entry import Entry
from hub.doors.export.escape import INVISIBLE, quoted_cell
from hub.doors.export.exact_values import network_of
from hub.doors.export.format import About, Format, Options, Writer

_DIGESTS = ("md5", "sha-1", "sha-256", "sha-512")
_COLUMN = {
    "ipv4-addr": "ip",
    "ipv6-addr": "ip",
    "domain-name": "domain",
    "url": "url",
    "email-addr": "src_user",
    "file:name": "file_name",
    **dict.fromkeys(_DIGESTS, "file_hash"),
}
_LOOKUPS = (
    ("description", "ip", "weight"),
    ("description", "domain", "weight"),
    ("description", "http_referrer", "http_user_agent", "url", "weight"),
    ("description", "file_hash", "file_name", "weight"),
    ("description", "src_user", "subject", "weight"),
)
_ALL = tuple(sorted({column for columns in _LOOKUPS for column in columns}))
_UNKNOWN_WEIGHT = 60
"""The default of Splunk."""
_MISREAD = re.compile(rf"[{INVISIBLE}*]|^[\s=+\-@]|\s\Z")
"""``*`` is a wildcard in lookups, and the first characters of the others begin a formula in a spreadsheet."""


def _begin(about: About[Options]) -> Writer:
    columns = _columns(about.kinds)

    def line(entry: Entry) -> bytes | None:
        is_address = entry.type in ("ipv4-addr", "ipv6-addr")
        if _MISREAD.search(entry.value) or (is_address and network_of(entry) is None):
            return None
        weight = _UNKNOWN_WEIGHT if entry.confidence is None else max(1, entry.confidence)
        cells = {"description": annotation(entry), "weight": str(weight), _COLUMN[entry.type]: entry.value}
        return (",".join(quoted_cell(cells.get(column, "")) for column in columns) + "\n").encode()

    return Writer(line, head=(",".join(columns) + "\n").encode())


def _columns(kinds: frozenset[str]) -> tuple[str, ...]:
    wanted = {_COLUMN[kind] for kind in kinds}
    return next((columns for columns in _LOOKUPS if wanted and wanted.issubset(columns)), _ALL)


FORMAT = Format(
    name="splunk",
    media_type="text/csv; charset=utf-8; header=present",
    begin=_begin,
    escape=quoted_cell,
    says_type=True,
    kinds=frozenset(_COLUMN),
)
