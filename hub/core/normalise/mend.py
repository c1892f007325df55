"""Corrects spellings that STIX allows but some tools refuse, to one form that every tool reads.

``validate`` accepts slightly more than the specification allows. That is corrected here, so that members get valid
objects:

- ``created`` and ``modified`` get at least milliseconds (STIX 2.1, section 3.2); timestamps are cut to microseconds,
  because stix2 and the hub do not distinguish finer ones;
- UUIDs in ids become lower case everywhere, as in RFC 4122, section 3;
- URLs of external references are escaped as RFC 3986 requires; text that is no URL moves to the description; a CVE or
  CAPEC id gets the source name that STIX defines (sections 4.1 and 4.19);
- a marking definition with a custom type, which 2.1 deprecates and stix2 refuses, moves into an extension; properties
  that marking definitions do not have, such as ``modified``, are removed;
- network traffic with an ``end`` is not active (section 6.12).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from hub.model.extensions import KEPT_EXTENSION
from hub.model.problems import Code, Problem
from hub.model.references import walk
from hub.model.stix_types import stix_type
from hub.model.words import StixObject

Mender = Callable[[Any], Any]
"""Returns the corrected value, or an equal one if there is nothing to correct."""

_STAMPS = frozenset({"created", "modified"})
_SHORTEST_WITH_MILLISECONDS = len("2026-01-31T12:00:00.123Z")
_LONGEST_THAT_STIX2_READS = len("2026-01-31T12:00:00.123456Z")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+").fullmatch
_ID = re.compile(r"[a-z][a-z0-9-]*--[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}").fullmatch
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s]").match
_STRAY_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")
_STAYS = ":/?#[]@!$&'()*+,;=%"
_NAMED_IDS = (
    ("cve", re.compile(r"CVE-\d{4}-(?:0\d{3}|[1-9]\d{3,})").fullmatch),
    ("capec", re.compile(r"CAPEC-\d+").fullmatch),
)
_DEFINITION_TYPES = frozenset({None, "tlp", "statement"})


def mender(kind: str, name: str) -> Mender | None:
    """The function that corrects the values of a property of a type; None if there is nothing to correct."""
    if name in _STAMPS:
        return _stamp
    if name in stix_type(kind).times:
        return _timestamp
    if name == "id" or name.endswith("_ref"):
        return small
    if name.endswith("_refs"):
        return _all_small
    return _OF_LISTS.get(name)


def mended_inside(value: dict[str, Any] | list[Any]) -> Any:
    """Correct the ids at any depth of a property that has no mender of its own."""
    return walk({"": value}, small)[""]


def mended_whole(obj: StixObject) -> StixObject:
    """Apply the corrections that involve several properties; returns the same object if there is nothing to correct."""
    kind = obj["type"]
    if kind == "marking-definition" and obj.get("definition_type") not in _DEFINITION_TYPES:
        return _defined_aside(obj)
    if kind == "network-traffic" and "end" in obj and "is_active" not in obj:
        return {**obj, "is_active": False}
    return obj


def _timestamp(value: Any) -> Any:
    if type(value) is str and len(value) > _LONGEST_THAT_STIX2_READS:
        return f"{value[: _LONGEST_THAT_STIX2_READS - 1]}Z"
    return value


def _stamp(value: Any) -> Any:
    if type(value) is str and len(value) < _SHORTEST_WITH_MILLISECONDS:
        whole, _, fraction = value[:-1].partition(".")
        return f"{whole}.{fraction.ljust(3, '0')}Z"
    return _timestamp(value)


def small(value: Any) -> Any:
    """An id in lower case. Other text, which a custom property named like a reference may have, is unchanged."""
    return value.lower() if type(value) is str and not value.islower() and _ID(value) else value


def _all_small(value: Any) -> Any:
    return [small(one) for one in value] if type(value) is list else value


def _markings(markings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**one, "marking_ref": small(one["marking_ref"])} if "marking_ref" in one else one for one in markings]


def _references(references: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [_reference(one) for one in references]


def _reference(reference: dict[str, Any]) -> dict[str, Any]:
    """Correct an external reference; returns the same one if there is nothing to correct."""
    url, external_id = reference.get("url"), reference.get("external_id")
    if url is not None and not _URI(url):
        reference = {**reference, "url": _escaped(url)} if _SCHEME(url) else _described(reference, url)
    if external_id is not None and external_id[:1] == "C":
        for source, matches in _NAMED_IDS:
            if matches(external_id) and reference["source_name"] != source:
                return {**_prefixed(reference, reference["source_name"]), "source_name": source}
    return reference


def _escaped(url: str) -> str:
    return quote(_STRAY_PERCENT.sub("%25", url), safe=_STAYS)


def _described(reference: dict[str, Any], text: str) -> dict[str, Any]:
    """A reference with the text of its ``url`` moved to the description."""
    rest = {name: value for name, value in reference.items() if name != "url"}
    said = rest.get("description")
    return {**rest, "description": f"{said} ({text})" if said else text}


def _prefixed(reference: dict[str, Any], source: str) -> dict[str, Any]:
    """A reference with its original ``source_name`` added to the description."""
    if source.lower() in ("cve", "capec"):
        return reference
    said = reference.get("description")
    return {**reference, "description": f"{source}: {said}" if said else source}


def defined(obj: StixObject) -> tuple[StixObject, tuple[Problem, ...]]:
    """A marking-definition without the common properties that it may not have (STIX 2.1, section 3.2) and that stix2
    refuses, with a warning. ``revoked: true`` is kept.
    """
    wrong = sorted(name for name in _NOT_DEFINED & obj.keys() if obj[name] is not True)
    if not wrong:
        return obj, ()
    says = f"A marking-definition has no {' and no '.join(wrong)}; it is shown without."
    found = {name: value for name, value in obj.items() if name not in wrong}
    return found, (Problem(Code.STIX_MARKING_PROPERTY, f"/{wrong[0]}", says),)


_NOT_DEFINED = frozenset({"modified", "revoked", "labels", "confidence", "lang"})


def _defined_aside(obj: StixObject) -> StixObject:
    """The marking definition with its custom type and content moved into an extension, and with a name."""
    moved = {name: obj[name] for name in ("definition_type", "definition") if name in obj}
    kept = {"extension_type": "property-extension"} | moved
    rest = {name: value for name, value in obj.items() if name not in kept}
    rest.setdefault("name", obj["definition_type"])
    return {**rest, "extensions": {**obj.get("extensions", {}), KEPT_EXTENSION: kept}}


_OF_LISTS: Mapping[str, Mender] = {"granular_markings": _markings, "external_references": _references}
