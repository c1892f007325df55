"""Computes the canonical form of a pattern: a fast path for one equality, the full parser for everything else."""

from __future__ import annotations

from hub.model.problems import Code, Problem
from hub.patterns import quick
from hub.patterns.asserted import values_of
from hub.patterns.normal import AT, Normaliser
from hub.patterns.parse import parse
from hub.patterns.tokens import PatternError
from hub.patterns.values import Canonical, Observable

_MAX_WARNINGS = 20
"""A pattern of 65,536 characters could cause thousands; a few and their number are enough."""


def canonical(pattern: str, *, spec_version: str = "2.1", limit_chars: int = 65_536) -> Canonical | Problem:
    """The canonical form of a STIX pattern, or the Problem that refuses it (``at`` is ``/pattern``); never raises.

    ``spec_version`` "2.0" selects the grammar of STIX 2.0; the canonical text is always of 2.1. More characters than
    ``limit_chars`` are refused with ``pattern.too-long``, also in the canonical text, so that it can be sent to the hub
    again. Linear time, except for sorting.
    """
    if len(pattern) > limit_chars:
        return Problem(
            Code.PATTERN_TOO_LONG, AT, f"The pattern has {len(pattern)} characters; {limit_chars} are allowed."
        )
    found = quick.match(pattern)
    if found is None:
        return canonical_in_full(pattern, spec_version=spec_version, limit_chars=limit_chars)
    if isinstance(found, Problem):
        return found
    text, kind, path, value, warnings = found
    if len(text) > limit_chars:
        return canonical_in_full(pattern, spec_version=spec_version, limit_chars=limit_chars)
    return Canonical(text, (kind,), (Observable(kind, path, value),), (), warnings)


def canonical_in_full(pattern: str, *, spec_version: str = "2.1", limit_chars: int = 65_536) -> Canonical | Problem:
    """``canonical`` without the fast path; tests check that both give equal results."""
    if len(pattern) > limit_chars:
        return Problem(
            Code.PATTERN_TOO_LONG, AT, f"The pattern has {len(pattern)} characters; {limit_chars} are allowed."
        )
    normaliser = Normaliser(limit_chars=limit_chars, lifts=spec_version == "2.0")
    try:
        pattern.encode()
        node = normaliser.pattern(parse(pattern, spec_version=spec_version))
    except PatternError as problem:
        return Problem(problem.code, AT, problem.says)
    except UnicodeEncodeError:
        return Problem(
            Code.PATTERN_SYNTAX, AT, "The pattern has half of a surrogate pair in it, which is not a character."
        )
    asserted, others = values_of(node)
    kinds = tuple(sorted(normaliser.kinds))
    return Canonical(node.text, kinds, asserted, others, _few(normaliser.warnings))


def _few(warnings: list[Problem]) -> tuple[Problem, ...]:
    unique = tuple(dict.fromkeys(warnings))
    if len(unique) <= _MAX_WARNINGS:
        return unique
    last = unique[_MAX_WARNINGS - 1]
    rest = len(unique) - _MAX_WARNINGS + 1
    return (*unique[: _MAX_WARNINGS - 1], Problem(last.code, last.at, f"{last.says} So are {rest - 1} more values."))
