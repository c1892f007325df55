"""``export.suricata-dataset``: the file of one dataset. Source: Suricata user guide, "Datasets".

Suricata decodes each line by the ``type`` of the dataset: a ``string`` from Base64, ``ip``, ``md5`` and ``sha256`` as
they are. One wrong line stops it, so each line is checked.
"""

from __future__ import annotations

import re
from base64 import b64encode

from hub.doors.export.entry import Entry
from hub.doors.export.exact_values import is_host_name, network_of
from hub.doors.export.format import Format, ProductLimits, Writer

_DIGEST = {"md5": re.compile(r"[0-9a-f]{32}"), "sha-256": re.compile(r"[0-9a-f]{64}")}
_RAW = re.compile(r"[0-9a-f]{32}|[0-9a-f]{64}|[0-9.]+|[0-9a-f.]*:[0-9a-f:.]*")
"""A digest, or what only an address can be."""


def escape(value: str) -> str:
    """Returns an address or a digest as it is, and any other value in Base64.

    >>> escape("198.51.100.7"), escape("c2.example")
    ('198.51.100.7', 'YzIuZXhhbXBsZQ==')
    """
    if _RAW.fullmatch(value):
        return value
    return b64encode(value.encode("utf-8", "surrogatepass")).decode()


def _line(entry: Entry) -> bytes | None:
    """Returns a line. Networks are left out: a set of addresses has none."""
    match entry.type:
        case "ipv4-addr" | "ipv6-addr":
            fits = "/" not in entry.value and network_of(entry) is not None
        case "domain-name":
            fits = is_host_name(entry.value) and not _RAW.fullmatch(entry.value)
        case kind:
            fits = _DIGEST[kind].fullmatch(entry.value) is not None
    return f"{escape(entry.value)}\n".encode() if fits else None


FORMAT = Format(
    name="suricata-dataset",
    media_type="text/plain; charset=utf-8",
    begin=lambda _: Writer(_line),
    escape=escape,
    says_type=False,
    lines_are_alone=True,
    kinds=frozenset({"ipv4-addr", "ipv6-addr", "domain-name", *_DIGEST}),
    one_kind=True,
    limits=ProductLimits(line_bytes=1_023),
)
