"""``export.wazuh``: a CDB list. Source: Wazuh documentation, "Using CDB lists", and ``lists_make.c``.

The key is the value, and what follows the colon is its confidence, empty if nobody stated one.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Network, ip_network

from hub.doors.export.entry import NETWORK_KINDS, Entry
from hub.doors.export.escape import INVISIBLE
from hub.doors.export.exact_values import network_of
from hub.doors.export.format import Format, ProductLimits, Writer

_DIGESTS = frozenset({"md5", "sha-1", "sha-256", "sha-512"})
_MISREAD = re.compile(rf'[{INVISIBLE}"]|^\s|\s\Z')
_NETWORK = re.compile(r"[0-9.]+/[0-9]+")
_PREFIX = re.compile(r"([0-9]+\.)+")


def escape(value: str) -> str:
    """Returns a value as a key: quoted if it has a colon, and a network as the beginning of its addresses.

    >>> escape("c2.example"), escape("http://c2.example/"), escape("198.51.100.0/24")
    ('c2.example', '"http://c2.example/"', '198.51.100.')
    """
    prefix = _prefix(value)
    if prefix is not None:
        return prefix
    return f'"{value}"' if ":" in value else value


def _prefix(value: str) -> str | None:
    """Returns what all addresses of an IPv4 network begin with, up to a dot; None if that would be another network."""
    try:
        network = ip_network(value) if _NETWORK.fullmatch(value) else None
    except ValueError:
        return None
    if not isinstance(network, IPv4Network) or network.prefixlen not in (8, 16, 24):
        return None
    octets = str(network.network_address).split(".")
    return ".".join(octets[: network.prefixlen // 8]) + "."


def is_read_as_address(value: str) -> bool:
    """Returns whether a rule would find addresses by a value: whoever names a file must not block a network.

    >>> is_read_as_address("198.51."), is_read_as_address("2001:db8::7"), is_read_as_address("setup.1.exe")
    (True, True, False)
    """
    try:
        return _PREFIX.fullmatch(value) is not None or ip_network(value, strict=False) is not None
    except ValueError:
        return False


def _line(entry: Entry) -> bytes | None:
    if _MISREAD.search(entry.value):
        return None
    is_address = entry.type in ("ipv4-addr", "ipv6-addr")
    if is_address and network_of(entry) is None:
        return None
    if _prefix(entry.value) is None and is_address and "/" in entry.value:
        return None
    if not is_address and is_read_as_address(entry.value):
        return None
    confidence = "" if entry.confidence is None else entry.confidence
    return f"{escape(entry.value)}:{confidence}\n".encode()


FORMAT = Format(
    name="wazuh",
    media_type="text/plain; charset=utf-8",
    begin=lambda _: Writer(_line),
    escape=escape,
    says_type=False,
    lines_are_alone=True,
    kinds=NETWORK_KINDS | _DIGESTS | {"email-addr", "file:name"},
    limits=ProductLimits(line_bytes=65_534),
)
