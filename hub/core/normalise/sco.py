"""Canonical form of cyber-observable objects, under the deterministic id that STIX 2.1 derives from their content.

So two sources that saw one address send the same object, whatever id they used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.model.observable_ids import deterministic_id
from hub.model.problems import Code, Problem
from hub.model.stix_types import STIX_TYPES, stix_type
from hub.model.words import StixObject
from hub.patterns import canonical_observable
from hub.patterns.observables import rule_for
from hub.patterns.observables.hashes import algorithm

_SPELLED: Mapping[str, str] = {
    row.name: name for row in STIX_TYPES.values() for name in row.id_from if rule_for(row.name, name) is not None
}
"""The property whose value has a canonical form, by type; without hashes."""


def canonical_sco(obj: StixObject) -> tuple[StixObject, tuple[Problem, ...]] | Problem:
    """Returns the object with canonical values and its deterministic id, and warnings; or the problem that refuses it.

    Only ``id``, hashes and the identifying value change. An object without any property that determines an id, or of a
    custom type, keeps its id. Expects an object that ``validate`` accepted.
    """
    kind = obj["type"]
    warnings: tuple[Problem, ...] = ()
    name = _SPELLED.get(kind)
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
    if stix_type(kind).value_must_conform:
        for warning in warnings:
            if warning.code is Code.VALUE_NOT_OF_ITS_KIND:
                says = warning.says.partition(":")[0]
                return Problem(Code.STIX_VALUE, f"/{name}", f"{says}; a {kind} must be (STIX 2.1, section 6).")
    return None


def _canonical_hashes(kind: str, hashes: Mapping[str, Any]) -> dict[str, Any] | Problem:
    """Hashes with the algorithm names of STIX and canonical digests."""
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
            canonical[name] = digest  # two digests under two spellings of one name: keep both
    return canonical
