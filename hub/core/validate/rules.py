"""Compiles the rules between properties of one object to functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, assert_never

from hub.core.validate import kinds
from hub.core.validate.timestamps import instant, is_timestamp
from hub.model.problems import Code
from hub.model.stix_types import Excludes, InOrder


class Trouble(NamedTuple):
    """One thing that is wrong with a value: a code, a JSON pointer relative to the value, a message."""

    code: Code
    at: str
    says: str


Holds = Callable[[dict[str, Any]], list[Trouble] | None]
"""Returns what is wrong with an object; None if the rule holds."""


def compile_rules(rules: Iterable[kinds.PropertyRule]) -> list[Holds]:
    """Compile rules to functions."""
    return [_compile(rule) for rule in rules]


def _compile(rule: kinds.PropertyRule) -> Holds:
    match rule:
        case InOrder():
            return _in_order(rule)
        case kinds.AnyOf(names):
            return _any_of(names)
        case kinds.OneOf(names):
            return _one_of(names)
        case kinds.Needs():
            return _needs(rule)
        case Excludes():
            return _excludes(rule)
        case _:
            assert_never(rule)


def _in_order(rule: InOrder) -> Holds:
    first, last, strictly = rule.first, rule.last, rule.strictly

    def holds(obj: dict[str, Any]) -> list[Trouble] | None:
        early, late = obj.get(first), obj.get(last)
        if type(early) is not str or type(late) is not str:
            return None  # absent, or already refused by the check of the property
        if len(early) == len(late) and (early < late or (early == late and not strictly)):
            return None  # valid timestamps of equal length sort as text
        if not (is_timestamp(early) and is_timestamp(late)):
            return None
        before, after = instant(early), instant(late)
        if before < after or (before == after and not strictly):
            return None
        must = "be later than" if strictly else "not be before"
        return [Trouble(Code.STIX_TIME_ORDER, f"/{last}", f"{last} ({late}) must {must} {first} ({early}).")]

    return holds


def _any_of(names: tuple[str, ...]) -> Holds:
    wanted = frozenset(names)

    def holds(obj: dict[str, Any]) -> list[Trouble] | None:
        if wanted.isdisjoint(obj):
            return [Trouble(Code.STIX_REQUIRED, "", f"At least one of {_listed(names)} must be there.")]
        return None

    return holds


def _one_of(names: tuple[str, ...]) -> Holds:
    def holds(obj: dict[str, Any]) -> list[Trouble] | None:
        if sum(name in obj for name in names) == 1:
            return None
        return [Trouble(Code.STIX_REQUIRED, "", f"Exactly one of {_listed(names)} must be there.")]

    return holds


def _needs(rule: kinds.Needs) -> Holds:
    name, others, when = rule.name, rule.others, rule.when

    def holds(obj: dict[str, Any]) -> list[Trouble] | None:
        if name not in obj or (when is not None and obj[name] is not when):
            return None
        return [
            Trouble(Code.STIX_REQUIRED, "", f"With {name} there must be {other}.")
            for other in others
            if other not in obj
        ] or None

    return holds


def _excludes(rule: Excludes) -> Holds:
    name, other, when = rule.name, rule.other, rule.when

    def holds(obj: dict[str, Any]) -> list[Trouble] | None:
        if name not in obj or other not in obj or (when is not None and obj[name] is not when):
            return None
        value = "" if when is None else f" {str(when).lower()}"
        return [Trouble(Code.STIX_VALUE, f"/{other}", f"With {name}{value} there must be no {other}.")]

    return holds


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names) if len(names) <= 6 else f"{', '.join(names[:6])} …"
