"""Rewrites references to the ids that the collection shows; removes those to objects that it does not show.

Source: docs/semantics.md, section 6, "References".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import orjson

from hub.model.claims import Claim, digest_of
from hub.model.references import KEYED, Shown, keyed, rewrite
from hub.model.stix_types import REQUIRES_NOTHING, SCO_TYPES, STIX_TYPES, Identity, Required, stix_type
from hub.model.words import CanonicalKey, StixId, StixObject
from hub.patterns import key as key_of

DEPENDENT_TYPES = frozenset(
    name for name, row in STIX_TYPES.items() if row.required.all_of or row.required.some_of or row.required.own_property
)
"""Types whose objects can depend on one another in a cycle."""
_MERGING = frozenset(name for name, row in STIX_TYPES.items() if row.identity is not Identity.ID)
_MERGING_ENDS = frozenset(
    name for name, row in STIX_TYPES.items() if row.identity in (Identity.PATTERN, Identity.VALUE)
)
_BARE = frozenset({"type", "spec_version", "id", "defanged", "object_marking_refs", "extensions"})
"""Properties that every observable may have, so they carry no content (STIX 2.1, sections 6.13 and 6.16 to 6.18)."""


def object_key(stix_id: str) -> CanonicalKey:
    """The canonical key of a thing that is identified by its STIX id."""
    return _key_of_short(stix_id) if len(stix_id) < _SHORT_CHARS else key_of("object", stix_id)


_SHORT_CHARS = 80


@lru_cache(maxsize=4_096)
def _key_of_short(stix_id: str) -> CanonicalKey:
    """Cached for short ids only, so that input cannot grow the cache: a step asks for a few ids again and again."""
    return key_of("object", stix_id)


def has_own_meaning(ref: str) -> bool:
    """Whether the meaning of this id must be looked up; any other id is the id of the thing itself."""
    kind, _, rest = ref.partition("--")
    return kind in _MERGING and not rest.startswith(KEYED)


def is_merging_type(ref: str) -> bool:
    """Whether this id, also one made by ``keyed``, is of a type whose things merge."""
    return ref.partition("--")[0] in _MERGING_ENDS


# ---------------------------------------------------------------- ids made for a collection


def perhaps_issued(claim: Claim) -> list[StixId]:
    """References that the hub may have made: for observables UUIDs of version 4, for other types of version 5."""
    return [ref for ref in claim.references if ref[-22:-21] == ("4" if ref.partition("--")[0] in SCO_TYPES else "5")]


def read_as_keys(claim: Claim, issued: Mapping[StixId, CanonicalKey]) -> Claim:
    """The claim with each reference to an id that the hub made replaced by the key of its thing."""
    found = {
        ref: keyed(ref.partition("--")[0], thing)
        for ref in perhaps_issued(claim)
        if (thing := issued.get(ref)) is not None and thing != object_key(ref)
    }
    if not found:
        return claim
    obj = rewrite(claim.obj, lambda ref: found.get(ref, ref))
    body = orjson.dumps(obj, option=orjson.OPT_SORT_KEYS)
    return replace(claim, body=body, digest=digest_of(body), parsed=obj, _beside_author=None)


# ---------------------------------------------------------------- required references


def _is_bare(obj: StixObject) -> bool:
    return not obj.keys() - _BARE


def rewritten(obj: StixObject, shown: Shown) -> StixObject | None:
    """The object with its references rewritten; None if a required one is not shown. ``shown`` returns the id under
    which the collection shows the target of a reference, or None.
    """
    row = stix_type(obj["type"])
    found = _mended(rewrite(obj, shown), row.parts)
    return found if row.required is REQUIRES_NOTHING or _has_required(found, obj, row.required) else None


def _has_required(found: StixObject, obj: StixObject, required: Required) -> bool:
    """Whether the rewritten object ``found`` still has what its type requires."""
    if any(name not in found for name in required.all_of):
        return False
    if any(name in obj and not found.get(name) for name in required.some_of):
        return False
    either = required.either_of
    if either and any(name in obj for name in either) and not any(name in found for name in either):
        return False
    return not (required.own_property and _is_bare(found))


def _mended(obj: StixObject, parts: Mapping[str, frozenset[str]]) -> StixObject:
    """Remove the parts that became invalid because a reference was removed."""
    for name, needed in parts.items():
        if name in obj:
            kept = [part for part in obj[name] if not needed.isdisjoint(part)]
            obj = {**obj, name: kept} if kept else _without(obj, name)
    extensions = obj.get("extensions") or {}
    filled = {name: one for name, one in extensions.items() if not _is_emptied(name, one)}
    if len(filled) < len(extensions):
        obj = {**obj, "extensions": filled} if filled else _without(obj, "extensions")
    return obj


def _is_emptied(name: str, extension: Any) -> bool:
    """Whether an extension is empty now, or lacks a required property (section 6.7.2.1: ``contains_refs``)."""
    return extension == {} or (name == "archive-ext" and "contains_refs" not in extension)


def _without(obj: StixObject, name: str) -> StixObject:
    return {key: value for key, value in obj.items() if key != name}
