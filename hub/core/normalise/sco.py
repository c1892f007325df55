"""Cyber-observable objects in canonical form, under the deterministic id that STIX 2.1 gives to what they hold.

Two centres that saw one address then speak of one object, whatever they called it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
import rfc8785

from hub.model.problems import Code, Problem
from hub.model.stix import KEPT_EXTENSION
from hub.model.words import StixId, StixObject
from hub.patterns import canonical_observable
from hub.patterns.observables.hashes import algorithm

NAMESPACE = uuid.UUID("00abedb4-aa42-466c-9c01-fed23315a9b7")
"""The namespace of deterministic ids (STIX 2.1, section 2.9)."""

CONTRIBUTING: Mapping[str, tuple[str, ...]] = {
    "artifact": ("hashes", "payload_bin"),
    "autonomous-system": ("number",),
    "directory": ("path",),
    "domain-name": ("value",),
    "email-addr": ("value",),
    "email-message": ("from_ref", "subject", "body"),
    "file": ("hashes", "name", "extensions", "parent_directory_ref"),
    "ipv4-addr": ("value",),
    "ipv6-addr": ("value",),
    "mac-addr": ("value",),
    "mutex": ("name",),
    "network-traffic": ("start", "end", "src_ref", "dst_ref", "src_port", "dst_port", "protocols", "extensions"),
    "process": (),
    "software": ("name", "cpe", "swid", "vendor", "version"),
    "url": ("value",),
    "user-account": ("account_type", "user_id", "account_login"),
    "windows-registry-key": ("key", "values"),
    "x509-certificate": ("hashes", "serial_number"),
}
"""The properties that make the id of each type (STIX 2.1, sections 6.1 to 6.18)."""

_VALUES: Mapping[str, str] = {
    **dict.fromkeys(("ipv4-addr", "ipv6-addr", "domain-name", "url", "email-addr", "mac-addr"), "value"),
    "windows-registry-key": "key",
    "x509-certificate": "serial_number",
    "cryptocurrency-wallet": "value",
}
"""The property whose value has a canonical form, by type; hashes aside."""

_MUST_CONFORM = frozenset({"ipv4-addr", "ipv6-addr", "domain-name", "url", "mac-addr"})
"""Types whose value MUST be of its kind: what patterns may carry as it is makes an object of these invalid."""

_PREFERRED_HASHES = ("MD5", "SHA-1", "SHA-256", "SHA-512")
"""Of several hashes the one that makes the id, in this order (section 2.9); else the first by name."""


def canonical_sco(obj: StixObject) -> tuple[StixObject, tuple[Problem, ...]] | Problem:
    """The object with canonical values and its deterministic id, and warnings; a Problem where it must be refused.

    Only ``id``, hashes and the one value that names the thing change. An object without any property that makes an id,
    or of a type that STIX does not define, keeps its id. Expects an object that ``validate`` passed.
    """
    kind = obj["type"]
    warnings: tuple[Problem, ...] = ()
    name = _VALUES.get(kind)
    if name is not None and type(obj.get(name)) is str:
        found = canonical_observable(kind, name, obj[name])
        if isinstance(found, Problem):
            return Problem(found.code, f"/{name}", found.says)
        value, warnings = found
        if refused := _not_of_its_kind(kind, name, warnings):
            return refused
        obj = {**obj, name: value}
    if type(obj.get("hashes")) is dict:
        hashes = _canonical_hashes(kind, obj["hashes"])
        if isinstance(hashes, Problem):
            return hashes
        obj = {**obj, "hashes": hashes}
    stix_id = deterministic_id(obj)
    return ({**obj, "id": stix_id} if stix_id else obj), warnings


def _not_of_its_kind(kind: str, name: str, warnings: tuple[Problem, ...]) -> Problem | None:
    if kind in _MUST_CONFORM:
        for warning in warnings:
            if warning.code is Code.VALUE_NOT_OF_ITS_KIND:
                says = warning.says.partition(":")[0]
                return Problem(Code.STIX_VALUE, f"/{name}", f"{says}; a {kind} must be (STIX 2.1, section 6).")
    return None


def _canonical_hashes(kind: str, hashes: Mapping[str, Any]) -> dict[str, Any] | Problem:
    """Hashes under the names that STIX has for the algorithms, the digests in canonical form."""
    canonical: dict[str, Any] = {}
    for name, digest in hashes.items():
        known = algorithm(name)
        if known is None or type(digest) is not str:
            canonical[name] = digest
            continue
        found = canonical_observable(kind, f"hashes.'{known}'", digest)
        if isinstance(found, Problem):
            return Problem(found.code, f"/hashes/{name}", found.says)
        if canonical.setdefault(known, found[0]) != found[0]:
            canonical[name] = digest  # two digests under two spellings of one name: neither is lost
    return canonical


def deterministic_id(obj: StixObject) -> StixId | None:
    """The UUIDv5 id of an object with canonical values; None where nothing it holds makes one.

    Source: STIX 2.1, section 2.9: RFC 8785 JSON of the properties that are there.
    """
    kind = obj["type"]
    named = dict(_contributions(obj, CONTRIBUTING.get(kind, ())))
    if not named:
        return None
    return StixId(f"{kind}--{uuid.uuid5(NAMESPACE, _canonical_json(named).decode())}")


def _contributions(obj: StixObject, names: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    for name in names:
        value = obj.get(name)
        if name == "hashes" and type(value) is dict and value:
            chosen = next((one for one in _PREFERRED_HASHES if one in value), min(value))
            yield name, {chosen: value[chosen]}
        elif name == "extensions" and type(value) is dict:
            own = {key: one for key, one in value.items() if key != KEPT_EXTENSION}
            if own:
                yield name, own
        elif value is not None:
            yield name, value


_FLAT = frozenset({str, int, bool})


def _canonical_json(named: dict[str, Any]) -> bytes:
    """RFC 8785. Flat values of plain ASCII names come out of orjson byte for byte the same, ten times as fast."""
    if set(map(type, named.values())) <= _FLAT:
        return orjson.dumps(named, option=orjson.OPT_SORT_KEYS)
    return rfc8785.dumps(named)
