"""``export.checkpoint``: a custom intelligence feed. Source: Check Point sk132193, "Supported Indicator Files"."""

from __future__ import annotations

import hashlib
import re
from ipaddress import ip_network

from hub.doors.export.entry import Entry
from hub.doors.export.exact_values import exact
from hub.doors.export.format import Format, Writer

_TYPES = {
    "ipv4-addr": "IP", "domain-name": "Domain", "url": "URL", "md5": "MD5", "sha-1": "SHA1", "sha-256": "SHA256",
}  # fmt: skip
_HEAD = b"#! DESCRIPTION = ctihub\n# UNIQ-NAME,VALUE,TYPE,CONFIDENCE,SEVERITY,PRODUCT,COMMENT\n"
_NETWORK = re.compile(r"[0-9.]+/[0-9]+")
_ID = re.compile(r"indicator--[0-9a-f-]{1,36}")
_LEVELS = ((70, "high"), (30, "medium"), (0, "low"))
_SILENT = 50


def escape(value: str) -> str:
    """Returns a value as a cell: a network as a range, a value with a comma in quotes.

    >>> escape("198.51.100.0/24"), escape("http://c2.example/a,b")
    ('198.51.100.0-198.51.100.255', '"http://c2.example/a,b"')
    """
    if _NETWORK.fullmatch(value):
        try:
            network = ip_network(value)
        except ValueError:
            return value
        return f"{network[0]}-{network[-1]}"
    return f'"{value}"' if "," in value else value


def _line(entry: Entry) -> bytes | None:
    value = exact(entry)
    if value is None:
        return None
    kind = "IP Range" if _NETWORK.fullmatch(value) else _TYPES[entry.type]
    name = hashlib.sha256(f"{kind} {value}".encode()).hexdigest()[:32]
    confidence = _SILENT if entry.confidence is None else entry.confidence
    level = next(word for least, word in _LEVELS if confidence >= least)
    comment = entry.id if _ID.fullmatch(entry.id) else ""
    cells = (f"ctihub-{name}", escape(value), kind, level, "high", "AB" if kind.startswith("IP") else "AV", comment)
    return (",".join(cells) + "\n").encode()


FORMAT = Format(
    name="checkpoint",
    media_type="text/csv; charset=utf-8",
    begin=lambda _: Writer(_line, head=_HEAD),
    escape=escape,
    says_type=True,
    lines_are_alone=True,
    kinds=frozenset(_TYPES),
)
