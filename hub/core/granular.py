"""Decides which granular markings take a whole object with them, and writes that into the normalised object.

A granular marking takes away what it selects, for those whom it excludes. It may do so only if what is left is exactly
what the hub would make of an object that never had it. So each marking is tried: the object is validated and normalised
again without what it selects. If that refuses it, gives another result, or removes something that decides about the
object, the marking takes the whole object, and gets the selector ``WHOLE``.

Source: docs/semantics.md, section 2, "Granular markings"; STIX 2.1, section 7.2.3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from hub.core.normalise import Normal
from hub.model.markings import marks_of, stated_pap
from hub.model.problems import Problem
from hub.model.selectors import WHOLE, without
from hub.model.stix_types import MergeRule, stix_type
from hub.model.words import StixObject

Normalise = Callable[[StixObject], Normal | Problem]
"""Validates and normalises an object."""

MOST_PARTS = 8
"""An object with more different granular markings is not tried, which costs time: each of them takes it whole."""
_DECIDES = ("type", "spec_version", "id", "created", "modified", "revoked", "object_marking_refs")
_ADDS_PROPERTIES = "property-extension"
"""Other types of extension define a type or properties outside of themselves (STIX 2.1, section 7.3)."""


def settled(said: StixObject, normal: Normal, normalise: Normalise) -> Normal:
    """The normalised object, in which each granular marking either can take parts away or selects ``WHOLE``.

    ``said``: the object before it was normalised; ``normalise``: what made ``normal`` of it.
    """
    markings = normal.obj.get("granular_markings")
    if not markings:
        return normal
    selectors: dict[str, list[str]] = {}
    for one in markings:
        if "marking_ref" in one:
            selectors.setdefault(one["marking_ref"], []).extend(one["selectors"])
    whole = _that_take_all(said, normal, normalise, selectors)
    if not whole:
        return normal
    found = [one if one.get("marking_ref") not in whole else {**one, "selectors": [WHOLE]} for one in markings]
    once = [one for index, one in enumerate(found) if one not in found[:index]]
    return replace(normal, obj={**normal.obj, "granular_markings": once})


def taken_along(part: Normal, whole: Normal) -> Normal:
    """An object from observed-data: it is hidden from all those from whom granular markings hide the observed-data."""
    markings = whole.obj.get("granular_markings", ())
    more = [one for one in markings if "marking_ref" in one and WHOLE in one["selectors"]]
    own = part.obj.get("granular_markings", [])
    more = [one for one in more if one not in own]
    return replace(part, obj={**part.obj, "granular_markings": [*own, *more]}) if more else part


def _that_take_all(
    said: StixObject, normal: Normal, normalise: Normalise, selectors: Mapping[str, list[str]]
) -> frozenset[str]:
    """The markings that take the whole object. If each of the others could go alone, but not all of them together,
    these take it as well.
    """
    everything = frozenset(selectors)
    if len(selectors) > MOST_PARTS:
        return everything
    whole = frozenset(ref for ref, some in selectors.items() if not _can_go(said, normal, normalise, some))
    others = [selector for ref, some in selectors.items() if ref not in whole for selector in some]
    apart = len(selectors) - len(whole)
    return whole if apart < 2 or _can_go(said, normal, normalise, others) else everything


def _can_go(said: StixObject, normal: Normal, normalise: Normalise, selectors: Iterable[str]) -> bool:
    """Whether what these selectors select can be taken away."""
    before, after = _bare(said), without(_bare(said), selectors)
    if any(before.get(name) != after.get(name) for name in _DECIDES) or _loses_name(before, after):
        return False
    found = normalise(after)
    if isinstance(found, Problem) or found.thing != normal.thing:
        return False
    kept = _bare(normal.obj)
    return found.obj == without(kept, selectors) and not _decides_otherwise(kept, found.obj)


def _bare(obj: StixObject) -> StixObject:
    return without(obj, ["granular_markings"])


def _loses_name(before: StixObject, after: StixObject) -> bool:
    """Whether an object of its owner loses its name, without which it has no meaning, also where STIX allows that."""
    is_owners = stix_type(before["type"]).merge is MergeRule.OWNER
    return is_owners and before.get("name") != after.get("name")


def _decides_otherwise(before: StixObject, after: StixObject) -> bool:
    """Whether something that decides about the object has gone: a level, a PAP, or what an extension is."""
    if marks_of(before) != marks_of(after) or _paps(before) != _paps(after):
        return True
    types = {name: _extension_type(one) for name, one in (before.get("extensions") or {}).items()}
    left = {name: _extension_type(one) for name, one in (after.get("extensions") or {}).items()}
    return any(left.get(name, kind if kind in (None, _ADDS_PROPERTIES) else "") != kind for name, kind in types.items())


def _paps(obj: StixObject) -> list[int | None]:
    return [pap for label in obj.get("labels") or () if (pap := stated_pap(label)) is not None]


def _extension_type(extension: object) -> str | None:
    kind = extension.get("extension_type") if isinstance(extension, dict) else None
    return kind if isinstance(kind, str) else None
