"""What an operator should look at before anybody sees it: values that would block everyone, and hits on warning lists.

Only indicators are held: an observable in a report says that something was there, not that it be blocked. And only
values that an indicator asserts positively and alone, as these are what members' firewalls take. One that takes
itself back asks nobody to block anything, and must reach those who do.
"""

from __future__ import annotations

import ipaddress
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from hub.model.problems import Code, Problem, cut
from hub.model.words import StixObject
from hub.patterns import Observable

OWN_RULES = "ctihub"
"""The name of the hub's own rules among the lists."""

_WIDEST = {4: 8, 6: 19}
"""Prefix lengths: a network wider than this is a country's share of the Internet."""

_SPECIAL_NAMES = ("localhost", "local", "localdomain", "internal", "lan", "home.arpa", "arpa", "invalid", "test")
"""Top-level names that never leave a network (RFC 6761, 6762, 8375); ``example`` is documentation."""


class Hit(NamedTuple):
    """Why an object is held, and on which list."""

    problem: Problem
    list_name: str


class Ranges:
    """Networks of one family as sorted, disjoint spans; a look-up is one bisection."""

    def __init__(self, networks: Iterable[tuple[int, int, str]]) -> None:
        """``networks``: first address, last address, name of the list."""
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._names: list[str] = []
        for start, end, name in sorted(networks):
            if self._ends and start <= self._ends[-1]:
                self._ends[-1] = max(self._ends[-1], end)
                continue
            self._starts.append(start)
            self._ends.append(end)
            self._names.append(name)

    def touching(self, start: int, end: int) -> str | None:
        """The list of a span that has an address in common with ``start`` … ``end``."""
        at = bisect_right(self._starts, end) - 1
        return self._names[at] if at >= 0 and self._ends[at] >= start else None


def _span(text: str) -> tuple[int, int, int, int]:
    """Version, first and last address, and prefix length of an address or network. Raises ValueError."""
    if "/" in text:
        network = ipaddress.ip_network(text, strict=False)
        first, last = int(network.network_address), int(network.broadcast_address)
        return network.version, first, last, network.prefixlen
    address = ipaddress.IPv6Address(text) if ":" in text else ipaddress.IPv4Address(text)
    return address.version, int(address), int(address), address.max_prefixlen


def _mapped(version: int, first: int, last: int, prefix: int) -> tuple[int, int, int, int]:
    """The same of the IPv4 addresses that IPv6 ones stand for (``::ffff:0:0/96``, RFC 4291, section 2.5.5.2)."""
    if version == 4 or prefix < 96 or first >> 32 != 0xFFFF:
        return version, first, last, prefix
    return 4, first & 0xFFFFFFFF, last & 0xFFFFFFFF, prefix - 96


def _ranges(networks: Iterable[tuple[str, str]]) -> dict[int, Ranges]:
    by_version: dict[int, list[tuple[int, int, str]]] = {4: [], 6: []}
    for text, name in networks:
        version, first, last, _ = _span(text)
        by_version[version].append((first, last, name))
    return {version: Ranges(some) for version, some in by_version.items()}


_NOT_PUBLIC = _ranges(
    (network, OWN_RULES)
    for network in (
        # IANA special-purpose registries (RFC 6890 and later), without the ranges for documentation
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4",
        "::/128", "::1/128", "64:ff9b:1::/48", "100::/64", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
    )
)  # fmt: skip


@dataclass(frozen=True)
class HeldLists:
    """What is held, loaded once; ``holds`` is asked for every indicator."""

    own_rules: bool = True
    own_hosts: frozenset[str] = frozenset()
    """The hub's own names and addresses."""
    values: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """(kind, canonical value) to the name of a list; kind ``file`` for hashes of any algorithm."""
    suffixes: Mapping[str, str] = field(default_factory=dict)
    """Domains whose names below are meant too."""
    networks: Sequence[tuple[str, str]] = ()
    """(network, name of a list)."""
    is_public_suffix: frozenset[str] = frozenset()

    @cached_property
    def _ranges(self) -> dict[int, Ranges]:
        return _ranges(self.networks)

    def holds(self, obj: StixObject, observables: Sequence[Observable]) -> Hit | None:
        """Why an operator should look at this object; None for nothing."""
        if obj["type"] != "indicator" or obj.get("revoked") is True:
            return None
        for one in observables:
            hit = self._judge(one)
            if hit is not None:
                return hit
        return None

    def _judge(self, one: Observable) -> Hit | None:
        match one.kind:
            case "ipv4-addr" | "ipv6-addr":
                return self._address(one.value)
            case "domain-name":
                return self._domain(one.value)
            case "url":
                return self._url(one.value)
            case "file":
                return self._listed("file", one.value.lower())
            case kind:
                return self._listed(kind, one.value)

    def _listed(self, kind: str, value: str) -> Hit | None:
        name = self.values.get((kind, value))
        return None if name is None else _hit(Code.LIST_HIT, f"{cut(value)} is on the list {name}.", name)

    def _address(self, value: str) -> Hit | None:
        try:
            version, start, end, prefix = _mapped(*_span(value))
        except ValueError:
            return None  # kept verbatim with a warning; no firewall takes it
        if self.own_rules:
            if prefix < _WIDEST[version]:
                says = f"{cut(value)} is wider than /{_WIDEST[version]}; blocking it would cut off everybody."
                return _hit(Code.POISON_NETWORK, says, OWN_RULES)
            if _NOT_PUBLIC[version].touching(start, end):
                return _hit(Code.POISON_RESERVED, f"{cut(value)} is no public address.", OWN_RULES)
            if value in self.own_hosts:
                return _hit(Code.POISON_OWN, f"{cut(value)} is this hub's own address.", OWN_RULES)
        name = self._ranges[version].touching(start, end)
        return None if name is None else _hit(Code.LIST_HIT, f"{cut(value)} is on the list {name}.", name)

    def _domain(self, value: str) -> Hit | None:
        if self.own_rules:
            if value in self.is_public_suffix or "." not in value:
                says = f"{cut(value)} is a public suffix; blocking it would block all names below it."
                return _hit(Code.POISON_SUFFIX, says, OWN_RULES)
            if value.rpartition(".")[2] in _SPECIAL_NAMES or value in _SPECIAL_NAMES:
                return _hit(Code.POISON_RESERVED, f"{cut(value)} is no name of the public Internet.", OWN_RULES)
            if any(host == value or host.endswith("." + value) for host in self.own_hosts):
                return _hit(Code.POISON_OWN, f"{cut(value)} is this hub's own name.", OWN_RULES)
        return self._listed("domain-name", value) or self._below(value)

    def _below(self, value: str) -> Hit | None:
        rest = value
        while rest:
            name = self.suffixes.get(rest)
            if name is not None:
                return _hit(Code.LIST_HIT, f"{cut(value)} is on the list {name}.", name)
            rest = rest.partition(".")[2]
        return None

    def _url(self, value: str) -> Hit | None:
        """A URL of a whole site says as much as its name; one with a path is a place of its own on it."""
        scheme, separator, rest = value.partition("://")
        host, slash, path = rest.partition("/")
        if not separator or scheme not in ("http", "https") or path or not slash:
            return self._listed("url", value)
        host = host.rpartition("@")[2]
        if host.startswith("["):
            return self._address(host[1:].partition("]")[0])
        name = host.partition(":")[0]
        return self._address(name) if name.replace(".", "").isdigit() else self._domain(name)


def _hit(code: Code, says: str, name: str) -> Hit:
    return Hit(Problem(code, "/pattern", f"{says} It waits for an operator of the hub."), name)
