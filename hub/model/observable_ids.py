"""The deterministic ids that STIX gives to observables: what they hold names them.

Source: STIX 2.1, section 2.9.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
import rfc8785

from hub.model.stix import KEPT_EXTENSION
from hub.model.words import StixId, StixObject

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

_PREFERRED_HASHES = ("MD5", "SHA-1", "SHA-256", "SHA-512")
"""Of several hashes the one that makes the id, in this order (section 2.9); else the first by name."""


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
