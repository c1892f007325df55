"""``export.zeek``: a file of Zeek's intelligence framework. Source: Zeek manual, "Intelligence Framework".

Zeek never forgets a value by itself. So a value that was withdrawn stays in the list for 30 days with ``meta.remove``.
"""

from __future__ import annotations

import re

from hub.doors.export.annotation import annotation
from hub.doors.export.distinct import DistinctValues
from hub.doors.export.entry import Entry
from hub.doors.export.escape import INVISIBLE
from hub.doors.export.exact_values import network_of, web_address_of
from hub.doors.export.format import About, Format, Options, Writer

_TYPES = {
    "ipv4-addr": "ADDR",
    "ipv6-addr": "ADDR",
    "domain-name": "DOMAIN",
    "url": "URL",
    "email-addr": "EMAIL",
    "file:name": "FILE_NAME",
    "md5": "FILE_HASH",
    "sha-1": "FILE_HASH",
    "sha-256": "FILE_HASH",
}
_HEAD = b"#fields\tindicator\tindicator_type\tmeta.source\tmeta.desc\tmeta.remove\n"
_ESCAPED = re.compile(rf"[{INVISIBLE}\\]|^#|^-\Z")
_SCHEME = re.compile(r"https?://")


def escape(value: str) -> str:
    r"""Returns a value as a field, a URL without its scheme, since Zeek compares URLs without it.

    >>> escape("http://c2.example/a"), escape("a\tb")
    ('c2.example/a', 'a\\x09b')
    """
    return _ESCAPED.sub(_as_bytes, _SCHEME.sub("", value) if _SCHEME.match(value) else value)


def _as_bytes(found: re.Match[str]) -> str:
    return "".join(f"\\x{byte:02x}" for byte in found[0].encode("utf-8", "surrogatepass"))


def _begin(about: About[Options]) -> Writer:
    source = f"ctihub-{about.collection}"
    live = DistinctValues()

    def line(entry: Entry) -> bytes | None:
        written = alone(entry)
        if written is None:
            return None
        # http and https are the same to Zeek, as are capital and small letters: what is live must not be removed
        value, intel, _ = written.decode().lower().split("\t", 2)
        is_new = live.first_time(f"{intel} {value}")
        return written if is_new or not entry.removed else None

    def alone(entry: Entry) -> bytes | None:
        intel = _intel_type(entry)
        if intel is None:
            return None
        value = escape(entry.value)
        fields = (value, f"Intel::{intel}", source, annotation(entry), "T" if entry.removed else "F")
        return ("\t".join(fields) + "\n").encode()

    return Writer(line, alone=alone, head=_HEAD)


def _intel_type(entry: Entry) -> str | None:
    """Returns the type of Zeek for an entry, None if Zeek has none or would match something else."""
    if entry.type == "url":
        return "URL" if web_address_of(entry.value) is not None else None
    if _SCHEME.match(entry.value):
        return None
    if entry.type in ("ipv4-addr", "ipv6-addr"):
        if network_of(entry) is None:
            return None
        return "SUBNET" if "/" in entry.value else "ADDR"
    return _TYPES[entry.type]


FORMAT = Format(
    name="zeek",
    media_type="text/plain; charset=utf-8",
    begin=_begin,
    escape=escape,
    says_type=True,
    kinds=frozenset(_TYPES),
    removed_days=30,
)
