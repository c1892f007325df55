"""Computes the canonical form of an object, and the canonical key of the thing that it is about.

Source: docs/semantics.md, section 4; docs/canonical-key.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, assert_never

from hub.core.normalise.about import ABOUT_TYPES, with_thing
from hub.core.normalise.mend import defined
from hub.core.normalise.sco import canonical_sco
from hub.core.normalise.vocabulary import mapped
from hub.model.markings import LEVEL_OF_ID, TLP_IDS
from hub.model.problems import Problem
from hub.model.stix_types import STIX_TYPES, Identity, MergeRule, stix_type
from hub.model.words import CanonicalKey, Limits, StixObject
from hub.patterns import Observable, canonical, canonical_text, key, pattern_key

_MERGING_ENDS = frozenset(
    name for name, row in STIX_TYPES.items() if row.identity in (Identity.PATTERN, Identity.VALUE)
)
"""Types of ends for which a relationship is identified by its ends instead of its id."""


@dataclass(frozen=True, slots=True)
class Normal:
    """A normalised object, and the thing that it is about."""

    said_id: str
    """The id that the source sent. An observable is shown under the id derived from its value."""
    obj: StixObject
    thing: CanonicalKey | None
    """None for a relationship with an end that merges: its thing depends on what the ends mean to an audience."""
    observables: tuple[Observable, ...]
    """The values that it is about, to be checked against the warning lists; for a pattern also the values that it only
    names (``Named``)."""
    warnings: tuple[Problem, ...]
    only_revokes: bool = False
    """Only the revocation counts: the rest of the object is not valid."""


def normalise(obj: StixObject, limits: Limits) -> Normal | Problem:
    """The object in canonical form with its canonical key, or the problem that refuses it."""
    found = _with_tlp2_ids(mapped(obj))
    row = stix_type(obj["type"])
    match row.identity:
        case Identity.PATTERN:
            return _indicator(found, limits)
        case Identity.VALUE:
            return _observable(found)
        case Identity.ENDS:
            return _relationship(found)
        case Identity.ID:
            about = with_thing(found, limits) if obj["type"] in ABOUT_TYPES else found
            if isinstance(about, Problem):
                return about
            found, warnings = defined(about) if row.merge is MergeRule.MARKING else (about, ())
            return Normal(found["id"], found, key("object", found["id"]), (), warnings)
        case _:
            assert_never(row.identity)


def _indicator(obj: StixObject, limits: Limits) -> Normal | Problem:
    if obj["pattern_type"] != "stix":
        text = canonical_text(obj["pattern"], obj["pattern_type"])
        return Normal(obj["id"], {**obj, "pattern": text}, pattern_key(obj["pattern_type"], text), (), ())
    found = canonical(obj["pattern"], limit_chars=limits.pattern_chars)
    if isinstance(found, Problem):
        return found
    values = (*found.asserted, *found.others)
    return Normal(obj["id"], {**obj, "pattern": found.text}, pattern_key("stix", found.text), values, found.warnings)


def _observable(obj: StixObject) -> Normal | Problem:
    found = canonical_sco(obj)
    if isinstance(found, Problem):
        return found
    canonised, warnings = found
    value = canonised.get("value")
    single = (Observable(obj["type"], "value", value),) if isinstance(value, str) else ()
    return Normal(obj["id"], canonised, key("object", canonised["id"]), single, warnings)


def _relationship(obj: StixObject) -> Normal:
    floats = any(obj[end].partition("--")[0] in _MERGING_ENDS for end in ("source_ref", "target_ref"))
    return Normal(obj["id"], obj, None if floats else key("object", obj["id"]), (), ())


def _with_tlp2_ids(obj: StixObject) -> StixObject:
    refs = obj.get("object_marking_refs")
    if not refs:
        return obj
    shown = list(dict.fromkeys(_tlp2(ref) for ref in refs))
    return obj if shown == refs else {**obj, "object_marking_refs": shown}


def _tlp2(ref: Any) -> Any:
    level = LEVEL_OF_ID.get(ref)
    return ref if level is None else TLP_IDS[level]
