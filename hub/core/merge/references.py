"""References point to what the collection shows: replaced by its ids, removed where it shows nothing.

Source: docs/semantics.md, section 6, "References".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hub.model.words import StixId, StixObject

Shown = Callable[[StixId], StixId | None]
"""The id under which the collection shows what a reference means; None where it shows nothing."""

REQUIRED_ONE = {
    "relationship": ("source_ref", "target_ref"),
    "sighting": ("sighting_of_ref",),
    "language-content": ("object_ref",),
}
"""References without which the referrer has no view."""
REQUIRED_SOME = frozenset({"report", "grouping", "note", "opinion", "observed-data"})
"""Types whose ``object_refs`` must keep one at least."""
_EITHER = {"network-traffic": ("src_ref", "dst_ref")}
"""STIX 2.1 section 6.12: one of these must be there."""
_UNTOUCHED = frozenset({"object_marking_refs", "granular_markings"})


def waits_for(kind: str, name: str) -> bool:
    """Whether an object of this type cannot be shown without what this property refers to."""
    return name in REQUIRED_ONE.get(kind, ()) or (name == "object_refs" and kind in REQUIRED_SOME)


def required_references(obj: StixObject) -> set[StixId]:
    """The references of which one or all must be shown for the object to have a view."""
    kind = obj["type"]
    found = {StixId(obj[name]) for name in REQUIRED_ONE.get(kind, ()) if name in obj}
    if kind in REQUIRED_SOME:
        found.update(StixId(ref) for ref in obj.get("object_refs") or ())
    found.update(StixId(obj[name]) for name in _EITHER.get(kind, ()) if name in obj)
    return found


def rewritten(obj: StixObject, shown: Shown) -> StixObject | None:
    """The object with its references as the collection shows them; None where a required one is not shown."""
    kind = obj["type"]
    found = _rewrite(obj, shown)
    if any(name not in found for name in REQUIRED_ONE.get(kind, ())):
        return None
    if kind in REQUIRED_SOME and "object_refs" in obj and not found.get("object_refs"):
        return None
    either = _EITHER.get(kind)
    if either and any(name in obj for name in either) and not any(name in found for name in either):
        return None
    return found


def _rewrite(obj: StixObject, shown: Shown) -> StixObject:
    found: StixObject = {}
    for name, value in obj.items():
        if name in _UNTOUCHED:
            found[name] = value
        elif name.endswith("_ref") and isinstance(value, str):
            target = shown(StixId(value))
            if target is not None:
                found[name] = target
        elif name.endswith("_refs") and isinstance(value, list):
            targets = [target for ref in value if (target := shown(StixId(ref))) is not None]
            if targets:
                found[name] = list(dict.fromkeys(targets))
        else:
            found[name] = _inside(value, shown)
    return found


def _inside(value: Any, shown: Shown) -> Any:
    if type(value) is dict:
        return _rewrite(value, shown)
    if type(value) is list and value and isinstance(value[0], dict | list):
        return [_inside(item, shown) for item in value]
    return value
