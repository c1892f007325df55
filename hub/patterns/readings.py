"""The address ranges, names and URLs that a firewall, resolver or proxy could read in a value, in any spelling.

Used only to decide whether a value could do harm; the results are never stored or shown. A reading too many costs an
operator one check; a missing one could cut members off. docs/asserted-values.md lists the spellings.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from urllib.parse import unquote, unquote_to_bytes

from hub.model.policy import Widths
from hub.patterns.candidates import refang
from hub.patterns.observables.names import canonical_domain
from hub.patterns.values import Named, Observable


@dataclass(frozen=True, slots=True)
class Span:
    """The addresses from ``first`` to ``last``."""

    version: int
    first: int
    last: int
    is_place: bool = False
    """Whether the addresses are the host of a URL with a path, so that only part of the host is meant."""

    @property
    def prefix(self) -> int:
        """The length of their common prefix; for a range that is no network, approximately."""
        return (32 if self.version == 4 else 128) - (self.last - self.first).bit_length()

    @property
    def text(self) -> str:
        """Readable form: an address, a network, or a range."""
        first, last = (_ADDRESS[self.version](number) for number in (self.first, self.last))
        if first == last:
            return str(first)
        network = ipaddress.ip_network((first, self.prefix), strict=False)
        return str(network) if network[0] == first and network[-1] == last else f"{first}-{last}"


@dataclass(frozen=True, slots=True)
class DomainName:
    """A domain name in canonical form."""

    text: str
    is_place: bool = False
    """See ``Span``."""


Reading = Span | DomainName

_ADDRESS: dict[int, type[ipaddress.IPv4Address] | type[ipaddress.IPv6Address]] = {
    4: ipaddress.IPv4Address,
    6: ipaddress.IPv6Address,
}
_EVERYTHING = Span(4, 0, (1 << 32) - 1)
_NETWORK_KINDS = frozenset(("ipv4-addr", "ipv6-addr", "domain-name", "url"))
_ADDRESSES = frozenset(("ipv4-addr", "ipv6-addr"))
_ENDS = re.compile(r"(?:.*\.)?(?:src_ref|dst_ref|resolves_to_refs(?:\[[^]]*\])?)\.value", re.DOTALL)
_EMBEDDED = (
    # first address of IPv6, its prefix, bits after the embedded IPv4 address
    (0xFFFF << 32, 96, 0),  # mapped, ::ffff:0:0/96 (RFC 4291, section 2.5.5.2)
    (0, 96, 0),  # compatible, ::/96 (RFC 4291, section 2.5.5.1)
    (0xFFFF << 48, 96, 0),  # translated without state, ::ffff:0:0:0/96 (RFC 2765, section 2.1)
    (0x0064_FF9B << 96, 96, 0),  # translated, 64:ff9b::/96 (RFC 6052)
    (0x2002 << 112, 16, 80),  # 6to4, 2002::/16 (RFC 3056)
)
_BETWEEN = re.compile(r"[\s,;|]+")
_BETWEEN_URLS = re.compile(r"(?<![\s,;|])[\s,;|]+(?=[A-Za-z][A-Za-z0-9+.-]*:[/\\]{2})")
"""After the host of a URL, spaces and commas belong to its path, unless another URL begins there."""
_RANGE = re.compile(r"\s*([0-9A-Fa-f:.]+)\s*-\s*([0-9A-Fa-f:.]+)\s*")
_SCHEME = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]+:)?[/\\]{2}|[A-Za-z][A-Za-z0-9+.-]+:(?=[/\\])")
_WITH_PATH = re.compile(rf"(?:{_SCHEME.pattern})[^\s,;|/\\?#]+[/\\?#]")
_NO_HOST = re.compile(r"file:[/\\]{3}", re.IGNORECASE)
_LABEL = re.compile(r"[A-Za-z][A-Za-z0-9+-]*[:=](?=[^0-9*%:+]|[0-9]+\.)")
"""A prefix that names the type of a value: ``ip:``, ``domain=``, ``blob:``, schemes without slashes. Does not match a
host with a port."""
_PLAIN_URL = re.compile(r"[a-z]+://([a-z0-9][a-z0-9.-]*[a-z])(?::[0-9]+)?(/.*)?", re.DOTALL)
"""Matches nearly all URLs in canonical form: those whose host is not an address."""
_DIGEST = re.compile(r"(?:[0-9a-f]{32}){1,4}|[0-9a-f]{40}|[0-9a-f]{56}")
_ANY = frozenset(("any", "any4", "any6", "all", "default"))
"""The words for all addresses in firewalls."""
_PATH = re.compile(r"[/\\?#]")
_WHOLE = re.compile(r"\W*")
"""Matches a path of punctuation only, without its fragment: the site itself, or all of it."""
_PORT = re.compile(r":[0-9*%]*$")
_SPAN_LIKE = re.compile(r"[0-9.]+(?:/[0-9.]+)?|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*(?:%.*)?(?:/[0-9]+)?", re.DOTALL)
_PART = re.compile(r"0[xX][0-9A-Fa-f]*|[0-9]+")
_OCTETS = re.compile(r"(?:(?:[0-9]{1,3}|[*%xX])(?:\.|$)){1,4}")
_VARIES = re.compile(r"[*%]|[0-9].*[xX]")
_NAME_LIKE = re.compile(r"[^\s/\\?#@:*%]+")
_FORMAT = "Cf"
_QUOTES = "'\"`<>(){}^$=!~+"
"""Characters around a host: quotes, and those at the start and end of filters and regular expressions."""
_DISARMED = re.compile(r"[\[({\\]|^(?:hxxp|h\*\*p|meow|fxp)", re.IGNORECASE)
"""Finds what ``refang`` replaces; most values contain none of it."""
_AROUND = " \t\r\n\v\f\"'<>`"
_LONGEST = 1_024
"""Characters: no host is longer, and the conversion of regular expressions here is not linear."""
_MOST_PIECES = 64
"""Maximum pieces read in one value; nobody uses longer lists of addresses in one."""


def is_network_property(kind: str, path: str) -> bool:
    """Whether firewalls, resolvers and proxies act on this property, so that every spelling counts."""
    if path == "value":
        return kind in _NETWORK_KINDS
    return path.endswith(".value") and _ENDS.fullmatch(path) is not None


def readings(one: Observable) -> Iterator[Reading]:
    """Everything that a product could read in a value. For a property that holds neither addresses nor names, only if
    the whole value clearly is one: ``8.8.8.8`` in a mutex, but not ``134744072``, ``test`` or a path.
    """
    quick = _quick(one)
    if quick is not None:
        yield quick
    elif not (one.path.startswith("hashes.") and _DIGEST.fullmatch(one.value)):
        yield from _read(one, _plain(one.value, is_regex=isinstance(one, Named) and one.operator == "MATCHES"))


def width_of(one: Observable) -> Widths:
    """How wide the networks are that a product could read in a value; without a network, the width of an address."""
    found = {4: 32, 6: 128}
    for reading in readings(one):
        if isinstance(reading, Span):
            found[reading.version] = min(found[reading.version], reading.prefix)
    return Widths(found[4], found[6])


def _read(one: Observable, text: str) -> Iterator[Reading]:
    network = is_network_property(one.kind, one.path)
    if found := _RANGE.fullmatch(text):
        yield from _range(*found.groups())
    between = _BETWEEN_URLS if _WITH_PATH.match(text) else _BETWEEN
    pieces = [piece for piece in between.split(text) if piece][:_MOST_PIECES]
    if text.lower() in _ANY and one.kind in _ADDRESSES:
        yield _EVERYTHING
    single = len(pieces) == 1 and one.kind not in _ADDRESSES and (one.kind != "url" or "://" in text)
    read = [
        [
            reading
            for reading in _piece(piece, network=network)
            if isinstance(reading, Span) or "." in reading.text or (network and single)
        ]
        for piece in pieces
    ]
    if network or all(read):  # other properties: a list of addresses and names, but not a sentence that contains one
        yield from chain.from_iterable(read)


def _quick(one: Observable) -> Reading | None:
    """The only reading of a value that is valid for its kind, as nearly all are; None if it must be read in full."""
    if one.path != "value":
        return None
    match one.kind:
        case "ipv4-addr" | "ipv6-addr":
            return span_of(one.value)
        case "domain-name":
            return DomainName(one.value) if canonical_domain(one.value) == one.value else None
        case "url" if found := _PLAIN_URL.fullmatch(one.value):
            host, path = found.groups()
            if path and "://" in path and _BETWEEN_URLS.search(path):
                return None
            return DomainName(host, is_place=not _is_whole(path or ""))
        case _:
            return None


def span_of(text: str) -> Span | None:
    """The addresses of an address or network in standard notation; None for any other text."""
    if not _SPAN_LIKE.fullmatch(text):
        return None
    try:
        if "/" in text:
            network = ipaddress.ip_network(text, strict=False)
            return embedded(Span(network.version, int(network.network_address), int(network.broadcast_address)))
        address = ipaddress.IPv6Address(text) if ":" in text else ipaddress.IPv4Address(text)
    except ValueError:
        return None
    number = int(address)
    return embedded(Span(6, number, number)) if address.version == 6 else Span(4, number, number)


def embedded(span: Span) -> Span:
    """The IPv4 addresses embedded in IPv6 ones; all of them if a network contains a whole mapping; else the span
    itself.
    """
    if span.version == 4:
        return span
    for base, prefix, shift in _EMBEDDED:
        last = base | (1 << (128 - prefix)) - 1
        if span.first <= base and span.last >= last:
            return _EVERYTHING
        if base <= span.first and span.last <= last and not (base == 0 and span.last < 1 << 16):
            mask = (1 << 32) - 1
            return Span(4, span.first >> shift & mask, span.last >> shift & mask)
    return span


def _plain(text: str, *, is_regex: bool) -> str:
    """The value without full-width letters, invisible characters, defanging and quotes."""
    if len(text) > _LONGEST:
        text = text.strip()[:_LONGEST]
    if is_regex:
        text = _without_syntax(text)
    if "%" in text:
        with contextlib.suppress(UnicodeError):  # not UTF-8: a wildcard before hexadecimal digits
            text = unquote_to_bytes(text).decode()
    if not text.isascii():
        text = "".join(char for char in unicodedata.normalize("NFKC", text) if unicodedata.category(char) != _FORMAT)
        text = text.replace("\u3002", ".")
    return refang(text) if _DISARMED.search(text) else text.strip(_AROUND)


def _range(first: str, last: str) -> Iterator[Span]:
    one, other = span_of(first), span_of(last)
    if one is not None and other is not None and one.version == other.version and one.first <= other.last:
        yield Span(one.version, one.first, other.last)


def _piece(piece: str, *, network: bool) -> Iterator[Reading]:
    """The readings of one word: a network, a URL, or a host with or without a port."""
    if _NO_HOST.match(piece):
        return
    bare = piece.strip("/\\")
    found = span_of(bare) or span_of(_PORT.sub("", bare))
    if found is not None:
        yield found
        return
    if network and (short := _short_network(piece)) is not None:
        yield short
    if network and (label := _LABEL.match(piece)):
        piece = piece[label.end() :]
    scheme = _SCHEME.match(piece)
    rest = piece[scheme.end() :].lstrip("/\\") if scheme else piece
    cut = _PATH.search(rest)
    authority, path = (rest[: cut.start()], rest[cut.start() :]) if cut else (rest, "")
    local, at, host = authority.rpartition("@")
    if at and not scheme and local.strip("*%"):
        return  # an e-mail address: it blocks one mailbox
    is_place = not _is_whole(path)
    if is_place and not network:
        return
    for reading in _host(host, network=network):
        yield _place(reading) if is_place else reading


def _is_whole(path: str) -> bool:
    """Whether a URL with this path means the whole host."""
    path = path.partition("#")[0]
    return _WHOLE.fullmatch(unquote(path) if "%" in path else path) is not None


def _place(reading: Reading) -> Reading:
    match reading:
        case Span(version, first, last):
            return Span(version, first, last, is_place=True)
        case DomainName(text):
            return DomainName(text, is_place=True)


def _host(host: str, *, network: bool) -> Iterator[Reading]:
    host = _bare(host)
    spans = list(_spans(host, network=network))
    if spans:
        yield from spans
    elif (name := _name(host)) is not None:
        yield name


def _bare(host: str) -> str:
    """A host without brackets, port, zone and trailing dots."""
    host = host.lstrip(_QUOTES)
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = _PORT.sub("", host)
    if ":" in host:
        return host.partition("%")[0]
    return host.rstrip("." + _QUOTES) or host


def _spans(host: str, *, network: bool) -> Iterator[Span]:
    """The addresses that a host may be, in any notation."""
    if (span := span_of(host)) is not None:
        yield span
    elif found := _RANGE.fullmatch(host):
        yield from _range(*found.groups())
    elif network and host and not host.strip("*%.:"):
        yield _EVERYTHING
    elif network and _OCTETS.fullmatch(host) and _VARIES.search(host):
        yield from _octets(host)
    elif _numbers(host) and (network or host.count(".") == 3):
        yield from _loose(host)


def _name(host: str) -> DomainName | None:
    """The name of a host; with wildcards at its start or end, the fixed part."""
    name = host.strip("*%").lstrip(".")
    if name.endswith("."):  # 'google.*' includes this one
        name += "com"
    elif host[-1:] in ("*", "%") and "." not in name:
        return None
    domain = canonical_domain(name) if _NAME_LIKE.fullmatch(name) else None
    return None if domain is None else DomainName(domain)


def _numbers(host: str) -> list[str]:
    """The parts of a host that consists only of numbers; else empty."""
    parts = host.split(".")
    return parts if len(parts) <= 4 and all(_PART.fullmatch(part) for part in parts) else []


def _loose(host: str) -> Iterator[Span]:
    """Addresses as the C library reads them: fewer than four parts, octal with a leading zero, hexadecimal; and as
    other readers do, which take every number as decimal (RFC 6943, section 3.1.1).
    """
    parts = _numbers(host)
    read = {tuple(_number(part, octal=octal) for part in parts) for octal in (True, False)}
    for numbers in sorted(read):
        *high, low = numbers
        if all(number < 256 for number in high) and low < 1 << (8 * (4 - len(high))):
            address = low
            for place, number in enumerate(high):
                address |= number << (24 - 8 * place)
            yield Span(4, address, address)


def _number(part: str, *, octal: bool) -> int:
    if part[:2].lower() == "0x":
        return int(part[2:11] or "0", 16)
    is_octal = octal and part.startswith("0") and part.strip("01234567") == ""
    return int(part[:12], 8 if is_octal else 10)


def _octets(host: str) -> Iterator[Span]:
    """``8.8.*``, ``8.8.8.x``: a network given by its first octets."""
    fixed: list[int] = []
    for octet in host.rstrip(".").split("."):
        if not octet.isdigit():
            break
        fixed.append(int(octet))
    if all(octet < 256 for octet in fixed):
        bits = 32 - 8 * len(fixed)
        first = int.from_bytes(bytes(fixed)) << bits
        yield Span(4, first, first + (1 << bits) - 1)


def _short_network(piece: str) -> Span | None:
    """``10/8``, ``0/0``: a network with only its first octets."""
    head, slash, prefix = piece.partition("/")
    octets = head.rstrip(".").split(".")
    if not slash or len(octets) >= 4 or not all(octet.isdigit() for octet in octets):
        return None
    return span_of(f"{'.'.join(octets + ['0'] * (4 - len(octets)))}/{prefix}")


_NO_GROUPS = dict.fromkeys(map(ord, "()?"))


def _without_syntax(pattern: str) -> str:
    """A regular expression as text with ``*`` for variable parts, if it is simple enough; it is never executed."""
    text = re.sub(r"\(\?[:i][^()]*\||\^|\$|\\[bAZz]", "", pattern)
    text = re.sub(r"\\([./:-])|\[([./])\]", r"\1\2", text)
    return re.sub(r"(?:\[[^\]]*\]|\\[wdSs]|(?<!\*)\.)(?:[*+]\??|\{[^}]*\})", "*", text).translate(_NO_GROUPS)
