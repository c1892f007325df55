"""The kinds of values, and the words that feeds use for them.

Sources: the attribute types of MISP (misp-objects and the MISP core format), the indicator types of OTX, Zeek
(``Intel::Type``), ThreatFox, OpenCTI and IntelMQ, the object paths of STIX 2.1 patterns, and what people write by hand.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

HASH_OF_LENGTH = {32: "MD5", 40: "SHA-1", 64: "SHA-256", 128: "SHA-512"}
"""Algorithms by the number of hexadecimal digits."""
KINDS = frozenset(
    {"detect", "ip", "ipv4-addr", "ipv6-addr", "domain-name", "url", "email-addr", "hash", *HASH_OF_LENGTH.values()}
)
Parts = tuple[str, ...]
"""The kinds of a value's parts, separated by ``|``; "" is a part that is no observable, such as a port."""

_WORDS = {
    "ip": "ip ipv4 ipv6 address addr ipaddress ipaddr ipv4address ipv6address ipv4addr ipv6addr ipadresse cidr ipcidr "
    "ipv4cidr ipv6cidr network ipnetwork subnet netblock range iprange ipv4range ip/cidr ipdst ipsrc dstip srcip "
    "destinationip sourceip hostip c2ip ipport ip:port ipv4:port ipv6:port "
    "networktraffic:dstref.value networktraffic:srcref.value",
    "domain-name": "domain domainname hostname host fqdn dns dnsname dnsdomain subdomain c2domain domäne "
    "domain/hostname hostname/domain",
    "url": "url uri link weblink webaddress c2url",
    "email-addr": "email emailaddress emailaddr mail mailaddress emailadresse emailsrc emaildst emailsender sender "
    "senderemail emailreplyto emailmessage:fromref.value",
    "hash": "hash hashes filehash checksum malwarehash stixfile",
    "MD5": "md5 md5hash hashmd5 filehashmd5 filemd5 md5sum file:hashes.md5",
    "SHA-1": "sha1 sha1hash hashsha1 filehashsha1 filesha1 sha1sum file:hashes.sha1",
    "SHA-256": "sha256 sha256hash hashsha256 filehashsha256 filesha256 sha256sum file:hashes.sha256",
    "SHA-512": "sha512 sha512hash hashsha512 filehashsha512 filesha512 sha512sum file:hashes.sha512",
    "": "filename port",
}
_KNOWN = {word: kind for kind, words in _WORDS.items() for word in words.split()}
_COMPOSITES = {"malwaresample": "filename|md5"}
_TRIFLES = re.compile(r"[\s_'\"()-]+")


def read_kind(word: str, own: Mapping[str, str]) -> Parts | None:
    """Returns the kinds that a feed's word means, one for each part of the value; None for an unknown word.

    Case, blanks, hyphens and underscores are ignored. ``own`` are the mapping's words, which take precedence.

    >>> read_kind("SHA256 Hash", {})
    ('SHA-256',)
    >>> read_kind("domain|ip", {})
    ('domain-name', 'ip')
    >>> read_kind("YARA", {}) is None
    True
    """
    plain = _plain(word)
    mine = next((kind for said, kind in own.items() if _plain(said) == plain), None)
    if mine is not None:
        return (mine,)
    plain = _COMPOSITES.get(plain, plain)
    whole = _kind(plain)
    if whole:
        return (whole,)
    parts = [_kind(part) for part in plain.split("|")]
    return tuple(part or "" for part in parts) if any(parts) and None not in parts else None


def _plain(word: str) -> str:
    return _TRIFLES.sub("", word.casefold())


def _kind(plain: str) -> str | None:
    plain = plain.removeprefix("intel::").removesuffix(":value")
    for spelling in (plain, plain.removesuffix("s")):
        if spelling in _KNOWN:
            return _KNOWN[spelling]
    return None


def split_composite(text: str, parts: Parts) -> list[tuple[str, str]] | None:
    """Returns (kind, text) of the parts that are observables; None if the text does not have that many parts.

    >>> split_composite("a|b.exe|00ff", ("", "hash"))
    [('hash', '00ff')]
    """
    if len(parts) == 1:
        return [(parts[0], text)] if parts[0] else []
    # a file's name may contain the separator: it is the first part, so the parts are counted from the end
    texts = text.rsplit("|", len(parts) - 1)
    if len(texts) != len(parts):
        return None
    return [(kind, part) for kind, part in zip(parts, texts, strict=True) if kind]
