"""Values that devices read as they stand: what a device could read as something else is not one of these.

Most formats of firewalls, proxies and name servers have no way to escape a character. They write such values only, and
leave out and count the others.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network

from hub.doors.export.entry import HASHES, Entry
from hub.patterns.observables.addresses import canonical_ipv4, canonical_ipv6

_V4 = re.compile(r"[0-9.]+(?:/[1-9][0-9]?)?")
_V6 = re.compile(r"[0-9a-f:.]+(?:/[1-9][0-9]{0,2})?")
_FAMILIES = {"ipv4-addr": (canonical_ipv4, "/32", _V4), "ipv6-addr": (canonical_ipv6, "/128", _V6)}
"""For each kind: its canonical form, the prefix that this leaves out, and the characters that it has."""
_LABEL = "[a-z0-9_-]{1,63}"
_NAME = re.compile(rf"(?=.{{1,253}}\Z)(?:{_LABEL}\.)*{_LABEL}")
_NUMBER = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)")
_DIGEST = re.compile(r"[0-9a-f]{32,128}")
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9._-]+|\[[0-9a-f:.]+\])(?P<port>:[0-9]{1,5})?(?P<path>/[!$-;=?-\[\]^_a-~]*)"
)
"""An absolute URL of the web. Its path, with the query, is of visible ASCII without ``"``, ``#``, ``<``, ``>``, ``\\``
and the back quote. A fragment never reaches a server, so no device could match it."""


@dataclass(frozen=True, slots=True)
class WebAddress:
    """The parts of a URL."""

    scheme: str
    host: str
    """A name, an IPv4 address, or an IPv6 address in brackets."""
    port: str
    """With its colon; empty for the usual port of the scheme."""
    path: str
    """With the query."""


def network_of(entry: Entry) -> IPv4Network | IPv6Network | None:
    """Returns the address or network of an entry; None if it is not one of its kind, written as the hub writes it.

    Whole address families (``/0``) are none: no device should block them.
    """
    if entry.type not in _FAMILIES:
        return None
    canonical, whole, usual = _FAMILIES[entry.type]
    if not usual.fullmatch(entry.value) or canonical(entry.value) != entry.value.removesuffix(whole):
        return None
    return ip_network(entry.value)


def is_host_name(value: str) -> bool:
    """Returns whether a value is a name in small letters: labels of letters, digits, ``-`` and ``_``, no root dot.

    A name whose last label is a number would be read as an address.

    >>> is_host_name("c2.example"), is_host_name("*.example"), is_host_name("198.51.100.7")
    (True, False, False)
    """
    return _NAME.fullmatch(value) is not None and not _NUMBER.fullmatch(value.rpartition(".")[2])


def web_address_of(value: str) -> WebAddress | None:
    """Returns the parts of a URL of http or https without a fragment; None for everything else.

    >>> web_address_of("http://c2.example:8080/a?b=c")
    WebAddress(scheme='http', host='c2.example', port=':8080', path='/a?b=c')
    """
    found = _URL.fullmatch(value)
    if found is None:
        return None
    host = found["host"]
    if not (is_host_name(host) or _is_address(host, 4) or _is_address(host.strip("[]"), 6)):
        return None
    return WebAddress(found["scheme"], host, found["port"] or "", found["path"])


def exact(entry: Entry) -> str | None:
    """Returns the value of an entry if it is an exact address, network, name, URL or digest; otherwise None."""
    match entry.type:
        case "ipv4-addr" | "ipv6-addr":
            is_exact = network_of(entry) is not None
        case "domain-name":
            is_exact = is_host_name(entry.value)
        case "url":
            is_exact = web_address_of(entry.value) is not None
        case kind:
            is_exact = kind in HASHES and _DIGEST.fullmatch(entry.value) is not None
    return entry.value if is_exact else None


def as_it_is(value: str) -> str:
    """Returns the value: the ``escape`` of formats that write exact values only."""
    return value


def exact_line(entry: Entry) -> bytes | None:
    """Returns an exact value as a line, None for others."""
    value = exact(entry)
    return None if value is None else f"{value}\n".encode()


def limited_to(most_bytes: int, line: Callable[[Entry], bytes | None]) -> Callable[[Entry], bytes | None]:
    """Returns ``line`` for a list of limited size: None for lines that do not fit any more."""
    left = most_bytes

    def fitting(entry: Entry) -> bytes | None:
        nonlocal left
        written = line(entry)
        if written is None or len(written) > left:
            return None
        left -= len(written)
        return written

    return fitting


def _is_address(text: str, version: int) -> bool:
    try:
        return ip_network(text).version == version
    except ValueError:
        return False
