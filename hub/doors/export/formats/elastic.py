"""``export.elastic``: threat indicators by the Elastic Common Schema (ECS), one JSON document per line."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson

from hub.doors.export.entry import Entry
from hub.doors.export.escape import as_json
from hub.doors.export.exact_values import network_of
from hub.doors.export.format import About, Format, Options, Writer

ECS_VERSION = "9.4.0"
_HASHES = {
    "md5": "md5",
    "sha-1": "sha1",
    "sha-256": "sha256",
    "sha-384": "sha384",
    "sha-512": "sha512",
    "ssdeep": "ssdeep",
    "tlsh": "tlsh",
}
_OTHERS = frozenset({"ipv4-addr", "ipv6-addr", "domain-name", "url", "email-addr", "file:name"})
_SCALE = ((70, "High"), (30, "Medium"), (1, "Low"), (0, "None"))
"""The least confidence of each word. Source: STIX 2.1, appendix A, "None / Low / Med / High"."""


def _begin(about: About[Options]) -> Writer:
    feed = {"name": f"ctihub {about.collection}"}

    def line(entry: Entry) -> bytes | None:
        fields = _fields(entry)
        if fields is None:
            return None
        name = hashlib.sha256(f"{entry.type} {entry.value}".encode("utf-8", "surrogatepass")).hexdigest()
        document = {
            "@timestamp": entry.modified,
            "ecs": {"version": ECS_VERSION},
            "event": {"id": name, "kind": "enrichment", "category": ["threat"], "type": ["indicator"]},
            "labels": _labels(entry),
            "threat": {"feed": feed, "indicator": {**_common(entry), **fields}},
        }
        if entry.labels:
            document["tags"] = list(entry.labels)
        return orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE)

    return Writer(line)


def _fields(entry: Entry) -> dict[str, Any] | None:
    """Returns the fields below ``threat.indicator`` that have the value; None for a network, for which ECS has none."""
    value = entry.value
    match entry.type:
        case "ipv4-addr" | "ipv6-addr":
            is_address = "/" not in value and network_of(entry) is not None
            return {"type": entry.type, "ip": value} if is_address else None
        case "domain-name":
            return {"type": "domain-name", "url": {"domain": value}}
        case "url":
            return {"type": "url", "url": {"full": value, "original": value}}
        case "email-addr":
            return {"type": "email-addr", "email": {"address": value}}
        case "file:name":
            return {"type": "file", "file": {"name": value}}
        case kind:
            return {"type": "file", "file": {"hash": {_HASHES[kind]: value}}}


def _common(entry: Entry) -> dict[str, Any]:
    common: dict[str, Any] = {
        "name": entry.value,
        "confidence": _confidence(entry.confidence),
        "modified_at": entry.modified,
    }
    if entry.tlp:
        common["marking"] = {"tlp": entry.tlp.upper(), "tlp_version": "2.0"}
    if entry.sources:
        common["provider"] = ", ".join(entry.sources)
    return common


def _confidence(confidence: int | None) -> str:
    if confidence is None:
        return "Not Specified"
    return next(word for least, word in _SCALE if confidence >= least)


def _labels(entry: Entry) -> dict[str, str]:
    """Returns what ECS has no field for."""
    labels = {"stix_id": entry.id, "valid_from": entry.valid_from}
    if entry.valid_until is not None:
        labels["valid_until"] = entry.valid_until
    return labels


FORMAT = Format(
    name="elastic",
    media_type="application/x-ndjson",
    begin=_begin,
    escape=as_json,
    says_type=True,
    kinds=_OTHERS | frozenset(_HASHES),
)
