"""Removes empty properties: ``null`` or an empty list, which STIX forbids but some servers send; and objects in which
nothing else remains, such as the ``hashes`` of a file without digests.

For an optional property both mean that it is absent. Properties that protect an object are kept, so that ``validate``
refuses them.
"""

from __future__ import annotations

from collections.abc import Set
from typing import Any

from hub.model.words import StixObject

_STAYS = frozenset({"type", "id", "spec_version", "object_marking_refs", "granular_markings", "revoked"})
_DECIDES = _STAYS | {"definition_type", "definition", "extensions"}
"""Properties that decide who may see an object with this marking-definition."""


def without_nothing(obj: StixObject) -> tuple[StixObject, list[str]]:
    """Returns the object without empty properties, at any depth, and the JSON pointers to the removed ones."""
    left_out: list[str] = []
    stays = _DECIDES if obj.get("type") == "marking-definition" else _STAYS
    return _without(obj, "", left_out, stays), left_out


def _without(holder: StixObject, at: str, left_out: list[str], stays: Set[str]) -> StixObject:
    found: StixObject = {}
    for name, value in holder.items():
        if name in stays:
            found[name] = value
            continue
        place = f"{at}/{name.replace('~', '~0').replace('/', '~1')}"
        inside = _inside(value, place, left_out)
        if value is None or value == []:
            left_out.append(place)
        elif inside != {} or value == {}:
            found[name] = inside
    return found


def _inside(value: Any, at: str, left_out: list[str]) -> Any:
    if type(value) is dict:
        return _without(value, at, left_out, _STAYS)
    if type(value) is list:
        return [_inside(one, f"{at}/{index}", left_out) for index, one in enumerate(value)]
    return value
