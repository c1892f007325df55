"""What the selectors of granular markings select in an object, and the object without it.

A selector is a path: names of properties and list indexes such as ``[0]``, joined by dots. It selects the value there
with everything inside. Source: STIX 2.1, section 7.2.3.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from hub.model.words import StixObject

WHOLE = "type"
"""Selects the type, without which nothing remains of an object."""

_Steps = tuple[str, ...]
_index = re.compile(r"\[(\d{1,9})\]").fullmatch


def selects(obj: StixObject, selector: str) -> bool:
    """Whether a selector selects anything in an object.

    >>> selects({"labels": ["a"]}, "labels.[0]"), selects({"labels": ["a"]}, "labels.[1]")
    (True, False)
    """
    value: Any = obj
    for step in selector.split("."):
        if index := _index(step):
            if type(value) is not list or int(index[1]) >= len(value):
                return False
            value = value[int(index[1])]
        else:
            if type(value) is not dict or step not in value:
                return False
            value = value[step]
    return True


def without(obj: StixObject, selectors: Iterable[str]) -> StixObject:
    """An object without what these selectors select; lists and dictionaries that this empties are removed as well.
    Selectors that select nothing have no effect.

    >>> without({"a": [1, {"b": 2}], "c": {"d": 3}}, ["a.[1].b", "c.d"])
    {'a': [1]}
    """
    return _left(obj, [tuple(selector.split(".")) for selector in selectors]) or {}


def _left(value: Any, paths: Sequence[_Steps]) -> Any:
    """A value without what these paths select; None if nothing is left. A path without steps selects all of it."""
    if not paths:
        return value
    if () in paths:
        return None
    by_step: dict[str, list[_Steps]] = {}
    for step, *rest in paths:
        by_step.setdefault(step, []).append(tuple(rest))
    if type(value) is dict:
        kept = {name: one for name, inner in value.items() if (one := _left(inner, by_step.get(name, ()))) is not None}
        return kept or None
    if type(value) is list:
        steps = (f"[{index}]" for index in range(len(value)))
        inside = [_left(inner, by_step.get(step, ())) for inner, step in zip(value, steps, strict=True)]
        return [one for one in inside if one is not None] or None
    return value
