"""Values as people write them in feeds: refanged, told apart by kind, and put into a pattern.

Only text that is no STIX is refanged; inside STIX the hub takes every character as it is meant. Whether a value is a
good one (a private address, a leading zero) is the hub's to say; here it only has to look like one of its kind.
"""

from __future__ import annotations

import ipaddress
import re

HASHES = {32: "MD5", 40: "SHA-1", 64: "SHA-256", 128: "SHA-512"}
"""Algorithms by the number of hexadecimal digits."""
KINDS = frozenset(
    {"detect", "ip", "ipv4-addr", "ipv6-addr", "domain-name", "url", "email-addr", "hash", *HASHES.values()}
)
WORDS = {
    "ip": "ip", "ipv4": "ip", "ipv6": "ip", "ip-dst": "ip", "ip-src": "ip", "address": "ip", "cidr": "ip",
    "network": "ip", "ip:port": "ip", "ip-dst|port": "ip", "ip-src|port": "ip", "domain": "domain-name",
    "hostname": "domain-name", "host": "domain-name", "fqdn": "domain-name", "uri": "url", "link": "url",
    "email": "email-addr", "e-mail": "email-addr", "email-src": "email-addr", "email-dst": "email-addr",
    "mail": "email-addr", "md5": "MD5", "md5_hash": "MD5", "sha1": "SHA-1", "sha1_hash": "SHA-1", "sha-1": "SHA-1",
    "sha256": "SHA-256", "sha256_hash": "SHA-256", "sha-256": "SHA-256", "sha512": "SHA-512", "sha-512": "SHA-512",
    "filehash": "hash",
}  # fmt: skip
"""What feeds call kinds, in lower case; kinds themselves are known too."""

_DOT = re.compile(r"\s*[\[({]\s*(?:\.|dot|punkt)\s*[\])}]\s*|\[\.|\.\]|\\\.", re.IGNORECASE)
_AT = re.compile(r"\s*[\[({]\s*(?:@|at)\s*[\])}]\s*", re.IGNORECASE)
_COLON = re.compile(r"[\[({]\s*(:(?://)?|//)\s*[\])}]")
_SCHEME = re.compile(r"^\s*(?:h[tx*]{2}p|ht\*\*p|meow)(s?)(?=\s*:)", re.IGNORECASE)
_FTP = re.compile(r"^\s*f[tx]p(?=\s*:)", re.IGNORECASE)
_AROUND = " \t\r\n\"'`<>\u00a0\u200b\ufeff"

_IPV4 = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}(?:/\d{1,2})?")
_COMMAS = re.compile(r"\d{1,3}(?:,\d{1,3}){3}")
_PORT = re.compile(r"(\d{1,3}(?:\.\d{1,3}){3})[:|]\d{1,5}|\[([0-9A-Fa-f:.]+)\](?::\d{1,5})?")
_RANGE = re.compile(r"(\S+)\s*[-\u2013]\s*(\S+)")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s/].*", re.DOTALL)
_EMAIL = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")
_LABEL = r"\w(?:[\w-]{0,61}\w)?"
_DOMAIN = re.compile(rf"(?=.{{1,253}}\.?\Z)(?:{_LABEL}\.)+(?!\d+\.?\Z){_LABEL}\.?")
_HEX = re.compile(r"[0-9A-Fa-f]+")
_RANGE_NETWORKS = 64


class NotAValueError(ValueError):
    """The text is no value of its kind; the message is a short reason to count by."""


def refang(text: str) -> str:
    """Undo what people do so that nobody clicks.

    >>> refang("hxxps[://]bad-domain[.]example(dot)com/a")
    'https://bad-domain.example.com/a'
    >>> refang(" user[at]example[.]net ")
    'user@example.net'
    """
    text = text.strip(_AROUND)
    if text.isalnum():
        return text
    text = _AT.sub("@", _DOT.sub(".", _COLON.sub(r"\1", text)))
    return _FTP.sub("ftp", _SCHEME.sub(lambda match: f"http{match[1].lower()}", text))


def read_values(text: str, kind: str) -> list[tuple[str, str]]:
    """(kind, value) of what a cell says, refanged; several for a range of addresses. Raises NotAValueError.

    >>> read_values("203.0.113.4-203.0.113.7", "ip")
    [('ipv4-addr', '203.0.113.4/30')]
    >>> read_values("hxxp://files.example/a", "detect")
    [('url', 'http://files.example/a')]
    """
    value = refang(text)
    if kind in ("ip", "ipv4-addr", "ipv6-addr"):
        return _addresses(value)
    if kind == "detect":
        return _detected(value)
    return [_one(value, kind)]


def _one(value: str, kind: str) -> tuple[str, str]:
    if kind == "url" and _URL.fullmatch(value):
        return kind, value
    if kind == "domain-name" and _DOMAIN.fullmatch(value):
        return kind, value.lower()
    if kind == "email-addr" and _EMAIL.fullmatch(value):
        return kind, value
    if kind in ("hash", *HASHES.values()) and _HEX.fullmatch(value):
        algorithm = HASHES.get(len(value))
        if algorithm and kind in ("hash", algorithm):
            return algorithm, value.lower()
    raise NotAValueError(f"not a value of the kind {kind}")


def _addresses(value: str) -> list[tuple[str, str]]:
    if _COMMAS.fullmatch(value):
        value = value.replace(",", ".")
    if port := _PORT.fullmatch(value):
        value = port[1] or port[2]
    if _IPV4.fullmatch(value):  # also one with leading zeros: the hub says what is wrong with it
        return [("ipv4-addr", value)]
    try:
        return [("ipv6-addr", str(ipaddress.ip_interface(value)) if "/" in value else str(ipaddress.ip_address(value)))]
    except ValueError:
        return _range(value)


def _range(value: str) -> list[tuple[str, str]]:
    ends = _RANGE.fullmatch(value)
    try:
        if not ends:
            raise ValueError
        first, last = (ipaddress.ip_address(end) for end in ends.groups())
        networks = []
        for network in ipaddress.summarize_address_range(first, last):
            networks.append(network)
            if len(networks) > _RANGE_NETWORKS:
                raise NotAValueError("a range of too many networks")
    except NotAValueError:
        raise
    except (ValueError, TypeError):
        raise NotAValueError("not a value of the kind ip") from None
    return [(f"ipv{network.version}-addr", _network(network)) for network in networks]


def _network(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> str:
    single = network.prefixlen == network.max_prefixlen
    return str(network.network_address) if single else str(network)


def _detected(value: str) -> list[tuple[str, str]]:
    if len(value) in HASHES and _HEX.fullmatch(value):
        return [(HASHES[len(value)], value.lower())]
    if _URL.fullmatch(value):
        return [("url", value)]
    if _EMAIL.fullmatch(value):
        return [("email-addr", value)]
    if _DOMAIN.fullmatch(value):
        return [("domain-name", value.lower())]
    try:
        return _addresses(value)
    except NotAValueError:
        raise NotAValueError("not a value of any kind") from None


def pattern(kind: str, value: str) -> str:
    """A STIX pattern that asserts the value.

    >>> pattern("SHA-256", "00ff")
    "[file:hashes.'SHA-256' = '00ff']"
    """
    path = f"file:hashes.'{kind}'" if kind in HASHES.values() else f"{kind}:value"
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"[{path} = '{quoted}']"
