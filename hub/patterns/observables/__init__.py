"""Canonical form of observable values: a table of rules by object type and property."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import lru_cache

from hub.model.problems import Code, Problem, cut
from hub.model.stix_types import SCO_TYPES
from hub.patterns.observables import hashes
from hub.patterns.observables.addresses import (
    canonical_address,
    canonical_asn,
    canonical_ipv4,
    canonical_ipv6,
    canonical_mac,
)
from hub.patterns.observables.names import canonical_domain, canonical_email
from hub.patterns.observables.others import canonical_registry_key, canonical_serial_number, canonical_wallet
from hub.patterns.observables.urls import canonical_url, userinfo

Canonicaliser = Callable[[str], "str | Problem | None"]
"""Returns the canonical value, None for a value that is not of the kind, or a Problem for one that is refused."""


@dataclass(frozen=True, slots=True)
class ObservableRule:
    """How the values of one property are normalised. ``a_kind``: what they should be, with its article."""

    a_kind: str
    canonicalise: Canonicaliser
    is_network: bool = False
    """Whether ISSUBSET and ISSUPERSET apply to the value (STIX 2.1, section 9.6.1: addresses only)."""


def _endpoint(value: str) -> str | Problem | None:
    found = canonical_address(value)
    if found is None and ":" in value:
        found = canonical_mac(value)
    return canonical_domain(value) if found is None else found


_DOMAIN = ObservableRule("a domain name", canonical_domain)
_EMAIL = ObservableRule("an e-mail address", canonical_email)
_ENDPOINT = ObservableRule("an address or a domain name", _endpoint, is_network=True)
_RULES = {
    ("ipv4-addr", "value"): ObservableRule("an IPv4 address or network", canonical_ipv4, is_network=True),
    ("ipv6-addr", "value"): ObservableRule("an IPv6 address or network", canonical_ipv6, is_network=True),
    ("domain-name", "value"): _DOMAIN,
    ("url", "value"): ObservableRule("an absolute URL", canonical_url),
    ("email-addr", "value"): _EMAIL,
    ("mac-addr", "value"): ObservableRule("a MAC address", canonical_mac),
    ("autonomous-system", "number"): ObservableRule("the number of an autonomous system", canonical_asn),
    ("windows-registry-key", "key"): ObservableRule("a registry key that begins with its hive", canonical_registry_key),
    ("x509-certificate", "serial_number"): ObservableRule("a serial number in hexadecimal", canonical_serial_number),
    ("cryptocurrency-wallet", "value"): ObservableRule("a cryptocurrency address", canonical_wallet),
    ("cryptocurrency-wallet", "address"): ObservableRule("a cryptocurrency address", canonical_wallet),
}
_REFERENCES = {
    "src_ref": _ENDPOINT,
    "dst_ref": _ENDPOINT,
    "resolves_to_refs": _ENDPOINT,
    "from_ref": _EMAIL,
    "sender_ref": _EMAIL,
    "to_refs": _EMAIL,
    "cc_refs": _EMAIL,
    "bcc_refs": _EMAIL,
}
"""The rules for ``….<reference>.value`` of any object type (STIX 2.1, sections 6.4, 6.6, 6.8, 6.12)."""

_REFERENCED_VALUE = re.compile(r"(?:.*\.)?([a-z_]+_refs?)(?:\[(?:\*|[0-9]+)\])?\.value", re.DOTALL)
_DIGEST = re.compile(r"(?:.*\.)?(?:[^.]*_)?hashes\.(?:'([A-Za-z0-9_-]+)'|([A-Za-z0-9_]+))", re.DOTALL)


def rule_for(kind: str, path: str) -> ObservableRule | None:
    """The rule of ``kind``:``path`` (``path`` as in patterns: ``value``, ``hashes.'SHA-256'``), or None."""
    rule = _RULES.get((kind, path))
    if rule is not None:
        return rule
    if path.endswith(".value"):
        found = _REFERENCED_VALUE.fullmatch(path)
        return _REFERENCES.get(found[1]) if found else None
    if "hashes." in path and (found := _DIGEST.fullmatch(path)):
        name = hashes.algorithm(found[1] or found[2])
        return _DIGEST_RULES[name] if name else None
    return None


def canonical_by(rule: ObservableRule | None, value: str, at: str) -> tuple[str, tuple[Problem, ...]] | Problem:
    """The canonical value with warnings, or the Problem that refuses it. ``at``: JSON pointer to the value."""
    if rule is None:
        return value, ()
    found = rule.canonicalise(value)
    if isinstance(found, Problem):
        return replace(found, at=at)
    if found is None:
        return value, (_not_of_its_kind(rule, value, at),)
    if rule.canonicalise is canonical_url and userinfo(value):
        return found, (_without_credentials(at),)
    return found, ()


def is_of_its_kind(kind: str, path: str, value: str) -> bool:
    """Whether a value is valid for its property; exports check this first.

    True if the hub has no rule, unless the object type is a misspelling of one that has: ``ipv4addr:value``.
    """
    rule = rule_for(kind, path)
    return meant_type(kind) is None if rule is None else isinstance(rule.canonicalise(value), str)


@lru_cache(maxsize=1_024)
def meant_type(kind: str) -> str | None:
    """The STIX object type that a misspelt one means; None for a correct or a custom type.

    >>> meant_type("ipv4addr"), meant_type("domain"), meant_type("ipv4-addr"), meant_type("x-ipv4-addr")
    ('ipv4-addr', 'domain-name', None, None)
    """
    if kind in SCO_TYPES or kind.startswith("x-"):
        return None
    squeezed = kind.lower().replace("-", "").replace("_", "")
    if hashes.algorithm(squeezed) or squeezed in _SLIPS:
        return _SLIPS.get(squeezed, "file")
    near = get_close_matches(squeezed, _SQUEEZED, n=1, cutoff=0.84)
    return _SQUEEZED[near[0]] if near else None


_SQUEEZED = {kind.replace("-", ""): kind for kind in sorted(SCO_TYPES)}
_SLIPS = {
    **dict.fromkeys(("ip", "ipv4", "ipaddr", "ipaddress", "ip4", "ip4addr"), "ipv4-addr"),
    **dict.fromkeys(("ipv6", "ip6", "ip6addr"), "ipv6-addr"),
    **dict.fromkeys(("domain", "hostname", "host", "fqdn", "dns"), "domain-name"),
    **dict.fromkeys(("uri", "link"), "url"),
    **dict.fromkeys(("email", "mail"), "email-addr"),
    **dict.fromkeys(("mac", "macaddress"), "mac-addr"),
    **dict.fromkeys(("filename", "hash", "filehash"), "file"),
    **dict.fromkeys(("asn", "as"), "autonomous-system"),
    "registrykey": "windows-registry-key",
}
"""Names that other formats and tools use for STIX object types."""


def _digest_rule(name: str) -> ObservableRule:
    return ObservableRule(f"a {name} digest", lambda value: hashes.canonical_digest(name, value))


_DIGEST_RULES = {name: _digest_rule(name) for name in hashes.ALGORITHMS}


def _not_of_its_kind(rule: ObservableRule, value: str, at: str) -> Problem:
    return Problem(
        Code.VALUE_NOT_OF_ITS_KIND,
        at,
        f"{cut(value)} is not {rule.a_kind}: it is kept unchanged and matches only itself.",
    )


def _without_credentials(at: str) -> Problem:
    return Problem(Code.URL_CREDENTIALS, at, "The URL carried credentials; the hub left them out.")


@lru_cache(maxsize=1_024)
def type_of(kind: str, path: str) -> str:
    """Returns the kind of an observable in lists: its type, the algorithm of a hash, or type and property.

    >>> type_of("file", "hashes.'SHA-256'"), type_of("file", "name")
    ('sha-256', 'file:name')
    """
    if path == "value":
        return kind
    if kind == "file" and path.startswith("hashes."):
        name = hashes.algorithm(path.removeprefix("hashes.").strip("'"))
        if name is not None:
            return name.lower()
    return f"{kind}:{path}"
