"""Reads the pattern by which a source names the thing of a sighting, an opinion or a note.

A source may not know any STIX id of a thing, or the hub may show none. So it may name the thing by its pattern, in the
property ``about`` of the hub's extension; the reference becomes one to the thing itself, whether or not anything about
it is shown. Source: docs/semantics.md, section 10.
"""

from __future__ import annotations

from hub.model.extensions import VIEW_EXTENSION
from hub.model.problems import Code, Problem, cut
from hub.model.references import keyed
from hub.model.words import Limits, StixObject
from hub.patterns import canonical, pattern_key

ABOUT_TYPES = frozenset({"sighting", "opinion", "note"})
"""Types of objects that may name their thing in this way."""
_AT = f"/extensions/{VIEW_EXTENSION}/about"


def with_thing(obj: StixObject, limits: Limits) -> StixObject | Problem:
    """An object that refers to the thing that it is ``about``, instead of what it refers to; the same object if it
    names none.
    """
    extensions = obj.get("extensions") or {}
    said = extensions.get(VIEW_EXTENSION)
    if type(said) is not dict or "about" not in said:
        return obj
    pattern = said["about"]
    if type(pattern) is not str:
        return Problem(Code.STIX_PROPERTY_TYPE, _AT, f"about is the pattern of a thing, not {cut(pattern)}.")
    found = canonical(pattern, limit_chars=limits.pattern_chars)
    if isinstance(found, Problem):
        return Problem(found.code, _AT, found.says)
    thing = keyed("indicator", pattern_key("stix", found.text))
    rest = {name: one for name, one in extensions.items() if name != VIEW_EXTENSION}
    left = {name: value for name, value in obj.items() if name != "extensions"} | ({"extensions": rest} if rest else {})
    return {**left, "sighting_of_ref": thing} if obj["type"] == "sighting" else {**left, "object_refs": [thing]}
