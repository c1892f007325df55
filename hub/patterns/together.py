"""The digests that a pattern gives to one file: those that one AND inside an observation joins."""

from __future__ import annotations

from collections.abc import Iterator

from hub.patterns.ast import (
    Comparison,
    ComparisonExpression,
    Observation,
    ObservationExpression,
    Qualified,
)
from hub.patterns.observables import rule_for
from hub.patterns.parse import parse
from hub.patterns.paths import normal_path, written_steps
from hub.patterns.tokens import PatternError
from hub.patterns.values import Observable


def digests_together(pattern: str) -> list[frozenset[Observable]]:
    """The sets of two or more digests that a canonical pattern gives to one file; empty for an invalid one.

    Alternatives (OR) may be of different files, so they are not together.

    >>> [len(one) for one in digests_together("[file:hashes.MD5 = 'a' AND file:hashes.'SHA-1' = 'b']")]
    [2]
    """
    if " AND " not in pattern or "hashes" not in pattern:
        return []
    try:
        tree = parse(pattern)
    except PatternError:
        return []
    groups = (frozenset(found) for found in _groups(tree))
    return [group for group in groups if len(group) > 1]


def _groups(tree: ObservationExpression) -> Iterator[list[Observable]]:
    match tree:
        case Observation(expression):
            yield from _of_comparisons(expression)
        case Qualified(expression, _):
            yield from _groups(expression)
        case _:
            for operand in tree.operands:
                yield from _groups(operand)


def _of_comparisons(tree: ComparisonExpression) -> Iterator[list[Observable]]:
    if isinstance(tree, Comparison):
        return
    if tree.word == "AND":
        yield list(_digests(tree))
    for operand in tree.operands:
        yield from _of_comparisons(operand)


def _digests(tree: ComparisonExpression) -> Iterator[Observable]:
    """The digests that every file has that matches."""
    if not isinstance(tree, Comparison):
        for operand in tree.operands if tree.word == "AND" else ():
            yield from _digests(operand)
        return
    path = normal_path(tree.path)
    steps = written_steps(path)
    if path.type == "file" and tree.operator == "=" and not tree.negated and steps.startswith("hashes."):
        value = tree.constants[0].text
        rule = rule_for("file", steps)
        found = rule.canonicalise(value) if rule is not None else None
        yield Observable("file", steps, found if isinstance(found, str) else value)
