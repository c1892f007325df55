"""Properties that say nothing: ``null`` or an empty list, which STIX does not know and whole servers write; and an
object in which nothing else is, such as the hashes of a file that has none.

For a property that an object need not have both mean that it is not there. Where nothing would mean less protection
they stay, for ``validate`` to refuse.
"""

from __future__ import annotations

from collections.abc import Set
from typing import Any

from hub.model.words import StixObject

_STAYS = frozenset({"type", "id", "spec_version", "object_marking_refs", "granular_markings", "revoked"})
_DECIDES = _STAYS | {"definition_type", "definition", "extensions"}
"""Of a marking-definition: what says whom it lets see something."""


def without_nothing(obj: StixObject) -> tuple[StixObject, list[str]]:
    """The object without what says nothing, at any depth, and the JSON pointers to that."""
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
