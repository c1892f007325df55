"""What contains a value: the networks around an address, the names above a name, the host of a URL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from hub.patterns.observables.addresses import canonical_ipv4, canonical_ipv6
from hub.patterns.observables.urls import host_of
from hub.patterns.values import Observable

_ADDRESSES = {"ipv4-addr": canonical_ipv4, "ipv6-addr": canonical_ipv6}
_LENGTHS = {"ipv4-addr": 32, "ipv6-addr": 128}
NetworkWidths: TypeAlias = Mapping[str, Sequence[int]]
"""Prefix lengths of networks by kind of address, the longest first."""
_EVERY_WIDTH: NetworkWidths = {kind: range(longest - 1, -1, -1) for kind, longest in _LENGTHS.items()}


def covering(one: Observable, widths: NetworkWidths = _EVERY_WIDTH) -> list[Observable]:
    """The values that contain a value, the narrowest first, in canonical form. ``widths``: of networks only those with
    these prefix lengths.

    >>> [found.value for found in covering(Observable("domain-name", "value", "a.b.example"))]
    ['b.example', 'example']
    >>> [found.value for found in covering(Observable("ipv4-addr", "value", "198.51.100.7"))][:2]
    ['198.51.100.6/31', '198.51.100.4/30']
    """
    if one.path != "value":
        return []
    if one.kind in _ADDRESSES:
        return _networks(one, widths)
    if one.kind == "domain-name":
        labels = one.value.split(".")
        return [Observable(one.kind, "value", ".".join(labels[at:])) for at in range(1, len(labels))]
    host = host_of(one.value) if one.kind == "url" else ""
    if not host:
        return []
    found = host_observable(host)
    return [found, *covering(found, widths)]


def host_observable(host: str) -> Observable:
    """The host of a URL as an address or a name."""
    for kind, canonicalise in _ADDRESSES.items():
        if canonicalise(host) == host:
            return Observable(kind, "value", host)
    return Observable("domain-name", "value", host)


def network_width(one: Observable) -> tuple[str, int] | None:
    """The kind and the prefix length of a network; None for any other value, also for a single address."""
    if one.path != "value" or one.kind not in _ADDRESSES:
        return None
    length = one.value.rpartition("/")[2] if "/" in one.value else ""
    return (one.kind, int(length)) if length.isdecimal() and len(length) < 4 else None


def _networks(one: Observable, widths: NetworkWidths) -> list[Observable]:
    address, _, prefix = one.value.partition("/")
    canonicalise = _ADDRESSES[one.kind]
    if not isinstance(canonicalise(address), str):
        return []
    wanted = widths[one.kind]
    if prefix:
        wanted = [length for length in wanted if length < int(prefix)]
    if one.kind == "ipv4-addr":
        return [Observable(one.kind, "value", text) for text in _wider_ipv4(address, wanted)]
    wider = (canonicalise(f"{address}/{length}") for length in wanted)
    return [Observable(one.kind, "value", text) for text in wider if isinstance(text, str)]


def _wider_ipv4(address: str, lengths: Iterable[int]) -> Iterator[str]:
    """The networks of these prefix lengths around an address, as ``canonical_ipv4`` writes them."""
    a, b, c, d = map(int, address.split("."))
    number = a << 24 | b << 16 | c << 8 | d
    for length in lengths:
        first = number >> 32 - length << 32 - length
        yield f"{first >> 24}.{first >> 16 & 255}.{first >> 8 & 255}.{first & 255}/{length}"
