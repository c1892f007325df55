"""Keys for finding patterns by a value that occurs in them, asserted or not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from hub.model.problems import Problem
from hub.patterns import quick
from hub.patterns.candidates import refang, value_candidates
from hub.patterns.covering import network_width
from hub.patterns.engine import canonical_in_full
from hub.patterns.observables import rule_for
from hub.patterns.observables.urls import host_of
from hub.patterns.values import Observable

_MOST = 16_384
"""Maximum values of one pattern; more than fit into 65,536 characters."""
_TYPED = (
    ("windows-registry-key", "key"),
    ("x509-certificate", "serial_number"),
    ("cryptocurrency-wallet", "address"),
)
"""Kinds whose canonical values differ from what people type, although the kind cannot be guessed from the text."""


def value_key(value: str) -> bytes:
    """Sixteen bytes that identify a value, independent of its kind."""
    return blake2b(value.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def values_in(pattern: str) -> Mapping[bytes, bool]:
    """The keys of the values in a canonical pattern, and whether it asserts them alone. Empty if the pattern can be
    found by the value itself, like nine in ten: one equality with a valid value. Always with the keys of the hosts of
    URLs (``host_key``) and of the widths of networks (``width_key``).
    """
    plain = quick.match(pattern)
    if plain is not None and not isinstance(plain, Problem) and not plain[-1]:
        return keys_around([Observable(*plain[1:4])])
    found = canonical_in_full(pattern, limit_chars=2 * len(pattern) + 1)
    if isinstance(found, Problem):
        return {}
    values = {value_key(one.value): False for one in found.others[:_MOST]}
    values.update((value_key(one.value), True) for one in found.asserted[:_MOST])
    return values | keys_around(found.asserted[:_MOST])


def keys_around(values: Iterable[Observable]) -> dict[bytes, bool]:
    """The keys under which these values are found by what is in or on them: by the hosts of URLs, and by the widths of
    networks.
    """
    some = list(values)
    return host_keys(some) | {width_key(*width): True for one in some if (width := network_width(one)) is not None}


@lru_cache(maxsize=256)
def width_key(kind: str, length: int) -> bytes:
    """The key under which all networks of a kind and a prefix length are found: few of these lengths are in use."""
    return _key_of(b"width", f"{kind}/{length}")


def digest_key(collection: int, digest: str) -> bytes:
    """The key under which a file that a collection shows is found by each of its digests. Only one of them determines
    its id, and what a collection does not show of a file must not lead to it.
    """
    return _key_of(b"digest", f"{collection} {digest}")


def _key_of(what: bytes, text: str) -> bytes:
    """A key that is the key of no value, whatever somebody asks for."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16, person=what).digest()


def digest_keys(collection: int, obj: Mapping[str, Any]) -> dict[bytes, bool]:
    """The keys of the digests of a file that a collection shows, if it has several."""
    digests = [one for one in (obj.get("hashes") or {}).values() if isinstance(one, str)]
    return {digest_key(collection, one): True for one in digests} if len(digests) > 1 else {}


def host_key(host: str) -> bytes:
    """The key under which the URLs on a host are found."""
    return value_key(f"url-host {host}")


def host_keys(values: Iterable[Observable]) -> dict[bytes, bool]:
    """The keys of the hosts of these values, as far as they are URLs."""
    hosts = (host_of(one.value) for one in values if (one.kind, one.path) == ("url", "value"))
    return {host_key(host): True for host in hosts if host}


def keys_asked(said: str) -> list[bytes]:
    """The keys under which a value that a person typed may occur in patterns."""
    texts = [one.value for one in value_candidates(said)]
    for rule in filter(None, (rule_for(kind, path) for kind, path in _TYPED)):
        found = rule.canonicalise(said.strip())
        texts += [found] if isinstance(found, str) else []
    return [value_key(text) for text in dict.fromkeys((*texts, said, said.strip(), refang(said)))]
