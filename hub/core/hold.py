"""Decides which indicators an operator must check before they are shown: those with values that would block too much,
and those on warning lists.

Checks every value that a door could pass to a product that blocks, in every spelling that a product could read: the
values that an indicator asserts alone, and addresses, names and URLs elsewhere in its pattern unless negated. Only
indicators are held. An observable reports that something was seen, it does not ask to block it, and no export contains
it. A revoked claim does not ask to block anything, and must reach the members that already block.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import ip_network
from typing import NamedTuple

from hub.model.policy import WIDEST_SHOWN, Widths
from hub.model.problems import Code, Problem, cut
from hub.model.words import StixObject
from hub.patterns import Named, Observable, is_of_its_kind
from hub.patterns.readings import DomainName, Span, is_network_property, readings, span_of, width_of

OWN_RULES = "ctihub"
"""The name of the hub's own rules among the lists."""

RULES = 4
"""The version of these rules. Increase it when they decide differently, so that lists made with older rules are
rebuilt."""

_SPECIAL_NAMES = frozenset(("localhost", "local", "localdomain", "internal", "lan", "arpa", "invalid", "test"))
"""Top-level names that are never resolved on the public Internet (RFC 6761, 6762, 8375)."""
_DOCUMENTATION = "example"
"""The top-level name for examples (RFC 2606), which cannot be registered."""
_DIGEST = re.compile(r"\s*((?:[0-9A-Fa-f]{32}){1,4}|[0-9A-Fa-f]{40}|[0-9A-Fa-f]{56})\s*")


class Hit(NamedTuple):
    """Why an object is held, and by which list."""

    problem: Problem
    list_name: str


class Ranges:
    """Networks of one IP version as sorted, disjoint ranges; a lookup is one bisection."""

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
        """The list of a range that shares an address with ``start`` … ``end``; None if there is none."""
        at = bisect_right(self._starts, end) - 1
        return self._names[at] if at >= 0 and self._ends[at] >= start else None


def _ranges(networks: Iterable[tuple[str, str]]) -> dict[int, Ranges]:
    by_version: dict[int, list[tuple[int, int, str]]] = {4: [], 6: []}
    for text, name in networks:
        span = span_of(text)
        if span is not None:
            by_version[span.version].append((span.first, span.last, name))
    return {version: Ranges(some) for version, some in by_version.items()}


_NOT_PUBLIC = {
    version: Ranges((int(network[0]), int(network[-1]), OWN_RULES) for network in map(ip_network, networks))
    for version, networks in {
        # IANA special-purpose registries (RFC 6890 and later), without the ranges for documentation
        4: ("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
            "192.0.0.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4"),
        # only 2000::/3 is in use (RFC 4291, section 2.4), except its first /23, for protocols (RFC 2928)
        6: ("::/3", "2001::/23", "4000::/2", "8000::/1"),
    }.items()
}  # fmt: skip


_READ = frozenset(("ipv4-addr", "ipv6-addr", "domain-name", "url", "file"))
"""Kinds whose values are already checked as addresses, names or digests."""


def _no_suffix(_: str) -> bool:
    return False


@dataclass(frozen=True)
class WarningLists:
    """The warning lists and the hub's own rules, loaded once. ``holds`` is called for every indicator."""

    own_rules: bool = True
    own_hosts: frozenset[str] = frozenset()
    """The hub's own names and addresses."""
    values: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """(kind, canonical value) to the name of a list; the kind is ``file`` for hashes of any algorithm."""
    suffixes: Mapping[str, str] = field(default_factory=dict)
    """Domain to the name of a list; subdomains match as well."""
    networks: Sequence[tuple[str, str]] = ()
    """(network, name of the list)."""
    is_public_suffix: Callable[[str], bool] = _no_suffix
    """Whether a domain is a public suffix: anybody may register names directly below it."""
    top_level: frozenset[str] = frozenset()
    """The top-level domains of the Internet, as A-labels. If empty, every name may be a top-level domain."""
    version: str = ""
    """Changes whenever another version or another choice of lists is loaded, or the hub has other hosts of its own."""
    revision: int = 0
    """The version of these rules and the version numbers of the lists, added up. It rises with a newer version of the
    same lists, unless that has no greater number; another choice of lists may lower it.
    """

    @cached_property
    def _ranges(self) -> dict[int, Ranges]:
        return _ranges(self.networks)

    @cached_property
    def _own(self) -> tuple[Ranges, Ranges]:
        found = _ranges((host, OWN_RULES) for host in self.own_hosts)
        return found[4], found[6]

    def holds(self, obj: StixObject, observables: Sequence[Observable], widest: Widths = WIDEST_SHOWN) -> Hit | None:
        """Why an operator must check this object; None if it need not. ``observables``: the values that its pattern
        asserts alone, and as ``Named`` the other values in it. ``widest``: see ``judge``.
        """
        if obj["type"] != "indicator" or obj.get("revoked") is True:
            return None
        for one in observables:
            if isinstance(one, Named) and (one.negated or not is_network_property(one.kind, one.path)):
                continue
            hit = self.judge(one, widest)
            if hit is not None:
                return hit
        return None

    def judge(self, one: Observable, widest: Widths = WIDEST_SHOWN) -> Hit | None:
        """Why this value must not be blocked before an operator has checked it; None if it may. ``widest``: the widest
        networks that need no check.
        """
        for reading in readings(one):
            hit = self._address(reading, one, widest) if isinstance(reading, Span) else self._domain(reading, one)
            if hit is not None:
                return hit
        digest = _DIGEST.fullmatch(one.value)
        if digest is not None:
            return self._listed("file", digest[1].lower(), one)
        return None if one.kind in _READ else self._listed(one.kind, one.value, one)

    def _listed(self, kind: str, value: str, one: Observable) -> Hit | None:
        name = self.values.get((kind, value))
        return None if name is None else _hit(Code.LIST_HIT, one, value, f"is on the list {name}", name)

    def _address(self, span: Span, one: Observable, widest: Widths) -> Hit | None:
        """Check an address. The rules about reserved and own addresses also apply to URLs with a path, the lists do
        not.
        """
        if self.own_rules:
            if span.prefix < widest.of(span.version):
                says = f"is wider than /{widest.of(span.version)}: blocking it would cut off too many"
                return _hit(Code.POISON_NETWORK, one, span.text, says)
            if _NOT_PUBLIC[span.version].touching(span.first, span.last):
                return _hit(Code.POISON_RESERVED, one, span.text, "is not a public address")
            if self._own[span.version == 6].touching(span.first, span.last):
                return _hit(Code.POISON_OWN, one, span.text, "is this hub's own address")
        if span.is_place:
            return None
        name = self._ranges[span.version].touching(span.first, span.last)
        return None if name is None else _hit(Code.LIST_HIT, one, span.text, f"is on the list {name}", name)

    def _domain(self, name: DomainName, one: Observable) -> Hit | None:
        """Check a name. Public suffixes and lists do not apply to the host of a URL with a path."""
        if self.own_rules:
            hit = self._special(name, one) if is_network_property(one.kind, one.path) else None
            if hit is not None:
                return hit
            if not name.is_place and (self.is_public_suffix(name.text) or "." not in name.text):
                says = "is a public suffix: blocking it would block all names below it"
                return _hit(Code.POISON_SUFFIX, one, name.text, says)
            if any(_concerns(name, host) for host in self.own_hosts):
                return _hit(Code.POISON_OWN, one, name.text, "is this hub's own name")
        if name.is_place:
            return None
        site = name.text.removeprefix("www.")
        return (
            self._listed("domain-name", name.text, one)
            or self._listed("domain-name", site, one)
            or self._below(name.text, one)
        )

    def _special(self, name: DomainName, one: Observable) -> Hit | None:
        last = name.text.rpartition(".")[2]
        if last in _SPECIAL_NAMES:
            return _hit(Code.POISON_RESERVED, one, name.text, "is not a name on the public Internet")
        if self.top_level and last not in self.top_level and last != _DOCUMENTATION:
            if one.kind == "url" and "://" not in one.value:
                return None  # a path without its host, which no list has
            return _hit(
                Code.VALUE_NO_TOP_LEVEL,
                one,
                name.text,
                f"is not a domain name: there is no top-level domain {cut(last)}",
            )
        return None

    def _below(self, value: str, one: Observable) -> Hit | None:
        rest = value
        while rest:
            name = self.suffixes.get(rest)
            if name is not None:
                return _hit(Code.LIST_HIT, one, value, f"is on the list {name}", name)
            rest = rest.partition(".")[2]
        return None


def wide_network(obj: StixObject, observables: Sequence[Observable], widest: Widths) -> Problem | None:
    """The warning for an indicator whose networks are wider than lists made for blocking take from its source."""
    if obj["type"] != "indicator":
        return None
    for one in observables:
        if isinstance(one, Named) or not is_of_its_kind(one.kind, one.path, one.value):
            continue
        if width_of(one).exceed(widest):
            says = (
                f"{cut(one.value)} is wider than lists for blocking take from you; it is shown, and they leave it out."
            )
            return Problem(Code.VALUE_WIDE_NETWORK, "/pattern", says)
    return None


def _concerns(name: DomainName, host: str) -> bool:
    """Whether blocking a name, or a URL on it, affects a host: the host has this name, or is below it."""
    return host == name.text or (not name.is_place and host.endswith("." + name.text))


def _hit(code: Code, one: Observable, read: str, says: str, name: str = OWN_RULES) -> Hit:
    quoted = cut(one.value) if read == one.value else f"{cut(one.value)} can be read as {cut(read)}, which"
    return Hit(Problem(code, "/pattern", f"{quoted} {says}. It waits for an operator of the hub."), name)
