"""IPv4, IPv6 and MAC addresses, networks in CIDR notation, autonomous system numbers.

Each function returns the canonical value, None for a value that is not of its kind (it is kept unchanged), or a Problem
for a value that two readers would read differently.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from hub.model.problems import Code, Problem, cut

_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}")
_IPV4_NETWORK = re.compile(rf"({_OCTET})\.({_OCTET})\.({_OCTET})\.({_OCTET})/([0-9]{{1,3}})")
_IPV4_LOOSE = re.compile(r"([0-9]+(?:\.[0-9]+){3})(?:/[0-9]{1,3})?")
_MAPPED_LOOSE = re.compile(r"[0-9A-Fa-f:]*:([0-9]+(?:\.[0-9]+){3})(?:/[0-9]{1,3})?")
_PREFIX = re.compile(r"[0-9]{1,3}")
_MAC = re.compile(
    r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}|[0-9a-f]{2}(?:-[0-9a-f]{2}){5}|[0-9a-f]{4}(?:\.[0-9a-f]{4}){2}|[0-9a-f]{12}"
)
_ASN = re.compile(r"(?:AS)?([0-9]{1,10})", re.IGNORECASE)


def canonical_ipv4(value: str) -> str | Problem | None:
    """A dotted quad, or a network with its host bits set to zero; ``/32`` is removed.

    >>> canonical_ipv4("198.51.100.7/24"), canonical_ipv4("198.51.100.7/32"), canonical_ipv4("198.51.100.7:80")
    ('198.51.100.0/24', '198.51.100.7', None)
    """
    if _IPV4.fullmatch(value):
        return value
    found = _IPV4_NETWORK.fullmatch(value)
    if found is None:
        return ambiguous_octets(value)
    a, b, c, d, prefix = found.groups()
    length = int(prefix)
    if length > 32:
        return None
    number = (int(a) << 24 | int(b) << 16 | int(c) << 8 | int(d)) >> (32 - length) << (32 - length)
    quad = f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    return quad if length == 32 else f"{quad}/{length}"


def ambiguous_octets(value: str) -> Problem | None:
    """A Problem for a dotted quad with leading zeros, which some read as octal (RFC 6943, section 3.1.1); else None."""
    found = _IPV4_LOOSE.fullmatch(value)
    return _ambiguous(value) if found and _has_leading_zeros(found[1]) else None


def canonical_ipv6(value: str) -> str | Problem | None:
    """An address as in RFC 5952, or a network with its host bits set to zero; ``/128`` is removed.

    An IPv4-mapped address stays an IPv6 address and ends in a dotted quad (RFC 5952, section 5). An address with a zone
    (``%eth0``), which has a meaning on one host only, gives None: the type does not allow it (STIX 2.1, section 6.9).

    >>> canonical_ipv6("2001:DB8::0001/128"), canonical_ipv6("2001:db8::1/32"), canonical_ipv6("::ffff:c633:6407")
    ('2001:db8::1', '2001:db8::/32', '::ffff:198.51.100.7')
    """
    if ":" not in value:
        return None
    address, slash, prefix = value.partition("/")
    length = 128
    if slash:
        if not _PREFIX.fullmatch(prefix) or int(prefix) > 128:
            return None
        length = int(prefix)
    if "%" in address or not address.isascii():
        return None
    try:
        number = int(IPv6Address(address))
    except AddressValueError:
        found = _MAPPED_LOOSE.fullmatch(value)
        return _ambiguous(value) if found and _has_leading_zeros(found[1]) else None
    if length < 128:
        number = number >> (128 - length) << (128 - length)
    text = f"::ffff:{IPv4Address(number & 0xFFFFFFFF)}" if number >> 32 == 0xFFFF else str(IPv6Address(number))
    return text if length == 128 else f"{text}/{length}"


def canonical_mac(value: str) -> str | None:
    """Six pairs of lower-case hexadecimal digits with colons (STIX 2.1, section 6.10).

    >>> canonical_mac("D2-FB-49-24-37-18"), canonical_mac("d2fb.4924.3718")
    ('d2:fb:49:24:37:18', 'd2:fb:49:24:37:18')
    """
    lower = value.lower()
    if not _MAC.fullmatch(lower):
        return None
    digits = lower.replace(":", "").replace("-", "").replace(".", "")
    return ":".join(digits[i : i + 2] for i in range(0, 12, 2))


def canonical_address(value: str) -> str | Problem | None:
    """The canonical form of an IPv4 or IPv6 address or network."""
    return canonical_ipv6(value) if ":" in value else canonical_ipv4(value)


def canonical_asn(value: str) -> str | None:
    """The number of an autonomous system, without ``AS`` and leading zeros (RFC 5396, asplain)."""
    found = _ASN.fullmatch(value) if value.isascii() else None
    if found is None or int(found[1]) > 0xFFFFFFFF:
        return None
    return str(int(found[1]))


def _has_leading_zeros(quad: str) -> bool:
    octets = quad.split(".")
    readable = all(len(octet.lstrip("0")) <= 3 and int(octet.lstrip("0") or "0") <= 255 for octet in octets)
    return readable and any(len(octet) > 1 and octet.startswith("0") for octet in octets)


def _ambiguous(value: str) -> Problem:
    return Problem(
        Code.VALUE_AMBIGUOUS,
        "",
        f"{cut(value)} has octets with leading zeros, which some read as octal: write it without them.",
    )
