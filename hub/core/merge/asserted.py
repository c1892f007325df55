"""What a pattern is about: the values that it asserts positively and alone, and the kinds of observables in it."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from hub.model.policy import Widths
from hub.model.problems import Problem
from hub.model.words import StixObject
from hub.patterns import Observable, canonical, is_of_its_kind
from hub.patterns.readings import width_of

_SHORT_CHARS = 256


class Asserted(NamedTuple):
    """What a pattern is about."""

    values: tuple[tuple[Observable, Widths], ...] = ()
    """The values that it asserts positively and alone in exportable kinds, with the widths of networks."""
    kinds: tuple[str, ...] = ()
    """All kinds that it names or asserts, such as ``ipv4-addr``."""


def asserted_by(indicator: StixObject) -> Asserted:
    """What the pattern of an indicator is about; nothing for patterns of other types than ``stix``."""
    if indicator["pattern_type"] != "stix":
        return Asserted()
    pattern = indicator["pattern"]
    return _asserted_in(pattern) if len(pattern) > _SHORT_CHARS else _asserted_in_short(pattern)


def _asserted_in(pattern: str) -> Asserted:
    found = canonical(pattern)
    if isinstance(found, Problem):
        return Asserted()
    fit = tuple((one, width_of(one)) for one in found.asserted if is_of_its_kind(one.kind, one.path, one.value))
    return Asserted(fit, tuple(sorted({*found.kinds, *(one.kind for one, _ in fit)})))


_asserted_in_short = lru_cache(maxsize=8_192)(_asserted_in)
"""Cached for short patterns only, so that input cannot grow the cache: each audience and each update asks again."""
