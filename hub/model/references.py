"""References in an object: one traversal, used both to find and to replace them.

Any text in STIX id format under a name ending in ``_ref`` or ``_refs``, at any depth, is a reference (STIX 2.1, section
3.1), except markings, which have their own rules.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from hub.model.words import CanonicalKey, StixId, StixObject

Shown = Callable[[StixId], StixId | None]
"""Returns the replacement of a reference; None removes it."""

KEYED = "key-"
"""Begins the second part of a reference to a thing by its key."""
_ENDINGS = ("_ref", "_refs")
_MARKINGS = frozenset({"object_marking_refs", "granular_markings"})
_is_id = re.compile(r"[a-z][a-z0-9-]*--(?:[0-9a-f]{8}-[0-9a-f-]{27}|key-[0-9a-f]{64})", re.ASCII).fullmatch


def keyed(kind: str, thing: CanonicalKey) -> StixId:
    """A reference to a thing by its key. It is not a valid STIX id, so no source can send one."""
    return StixId(f"{kind}--{KEYED}{thing.hex()}")


def key_in(ref: str) -> CanonicalKey | None:
    """The key in a reference made by ``keyed``; None for any other reference."""
    kind, _, rest = ref.partition("--")
    return CanonicalKey(bytes.fromhex(rest[len(KEYED) :])) if kind and rest.startswith(KEYED) else None


def rewrite(obj: StixObject, shown: Shown) -> StixObject:
    """Replace or remove every reference with ``shown``; a list that loses all its references is removed too."""
    return walk(obj, lambda text: shown(StixId(text)) if _is_id(text) else text)


def references_of(obj: StixObject) -> tuple[StixId, ...]:
    """Every reference once, in order."""
    found: dict[StixId, None] = {}

    def note(ref: StixId) -> StixId:
        found[ref] = None
        return ref

    rewrite(obj, note)
    return tuple(found)


def walk(obj: StixObject, each: Callable[[str], str | None], untouched: frozenset[str] = _MARKINGS) -> StixObject:
    """The object with ``each`` applied to every text in the position of a reference, in STIX id format or not."""
    found: StixObject = {}
    for name, value in obj.items():
        if name in untouched:
            found[name] = value
            continue
        new = _walked(value, each, named=name.endswith(_ENDINGS))
        if new is not None or value is None:
            found[name] = new
    return found


def _walked(value: Any, each: Callable[[str], str | None], *, named: bool) -> Any:
    """A value with its references replaced; None if nothing is left. ``named``: text in it may be a reference."""
    kind = type(value)
    if kind is str:
        return each(value) if named else value
    if kind is dict:
        return walk(value, each, frozenset())  # embedded properties with the names of markings are not markings
    if kind is not list or not value:
        return value
    if not named and not any(type(item) is dict or type(item) is list for item in value):
        return value
    kept = [new for item in value if (new := _walked(item, each, named=named)) is not None or item is None]
    if named and all(type(item) is str for item in kept):
        kept = list(dict.fromkeys(kept))
    return kept or None
