"""What operators decide about age: how long claims count, and for how much; how long the hub keeps what it has.

Source: docs/semantics.md, sections 5 (``valid_until``, ``confidence``) and 7 ("Time").
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from hub.model.times import DAY_US

T = TypeVar("T")

ANY_KIND = "any"
"""Stands for the patterns of whose kinds none has a value of its own."""
GRACE_DAYS = 30
"""How long what has expired is still shown, if the operator has not decided otherwise."""


class ConfidenceStep(NamedTuple):
    """From this age on a claim counts for this share of its confidence."""

    age_days: int
    percent: int


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """See the module docstring. The mappings are by kind of observable, such as ``ipv4-addr``, or ``ANY_KIND``."""

    grace_days: int | None = GRACE_DAYS
    """How many days what has expired is still shown; None: for ever."""
    default_days: Mapping[str, int] = field(default_factory=dict)
    """How many days a claim is valid that does not say until when."""
    longest_days: Mapping[str, int] = field(default_factory=dict)
    """How many days a claim is valid at most, whatever it says."""
    confidence_steps: Mapping[str, tuple[ConfidenceStep, ...]] = field(default_factory=dict)
    """By increasing age; the percentages never increase, so that a view never appears because time passes."""

    @property
    def is_by_kind(self) -> bool:
        """Whether anything depends on the kind of observable."""
        return bool(self.default_days or self.longest_days or self.confidence_steps)

    def default_of(self, kinds: Iterable[str]) -> int | None:
        """The default validity of a pattern with these kinds, in days; None if there is none. The shortest counts."""
        return _shortest(self.default_days, kinds)

    def longest_of(self, kinds: Iterable[str]) -> int | None:
        """The longest validity of a pattern with these kinds, in days; None if there is none. The shortest counts."""
        return _shortest(self.longest_days, kinds)

    def steps_of(self, kinds: Iterable[str]) -> list[tuple[ConfidenceStep, ...]]:
        """The confidence steps of a pattern with these kinds. At each age the least percentage counts."""
        return _of_kinds(self.confidence_steps, kinds)


class KeptVersions(NamedTuple):
    """Which superseded versions stay in a change log: those that neither value excludes."""

    since_us: int | None = None
    """Those that a newer one followed at this time or later; None: all."""
    number: int | None = None
    """The last ones of each object, up to this number; None: all."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How much the hub keeps of what it needs no more; None: all, for ever."""

    versions_days: int | None = None
    """Versions in change logs, after a newer one of the same object has followed, in days."""
    versions_number: int | None = None
    """Versions of each object in a change log, with the current one."""
    log_days: int | None = 7
    """Processed records of the event log, in days."""

    def versions(self, today_us: int | None) -> KeptVersions | None:
        """Which versions stay at this date (None: it is not known yet); None: all.

        >>> Retention(versions_days=1).versions(2 * DAY_US)
        KeptVersions(since_us=86400000000, number=None)
        """
        days = self.versions_days
        since_us = None if days is None or today_us is None else today_us - days * DAY_US
        kept = KeptVersions(since_us, self.versions_number)
        return None if kept == KeptVersions() else kept


def _shortest(by_kind: Mapping[str, int], kinds: Iterable[str]) -> int | None:
    return min(_of_kinds(by_kind, kinds), default=None)


def _of_kinds(by_kind: Mapping[str, T], kinds: Iterable[str]) -> list[T]:
    if not by_kind:
        return []
    found = [by_kind[kind] for kind in kinds if kind in by_kind]
    return found or [by_kind[kind] for kind in (ANY_KIND,) if kind in by_kind]
