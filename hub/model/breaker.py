"""The circuit breaker against mass withdrawals as values: its limits, and what it has counted of one source.

Source: docs/semantics.md, section 3, "Circuit breaker".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

SHARE = 20
"""Percent of its live claims that a source may take back within an hour, if the operator has not decided otherwise."""
LEAST = 1_000
"""So many claims may always be taken back, if the operator has not decided otherwise."""
WINDOW_MIN = 60
"""Over how many minutes it counts: the current one and those before it."""
_MINUTE_US = 60_000_000


def minute_of(time_us: int) -> int:
    """The minute of a time in microseconds since 1970, in minutes since 1970."""
    return time_us // _MINUTE_US


@dataclass(frozen=True, slots=True)
class BreakerLimits:
    """How much a source may take back within an hour before the rest is held."""

    share: int = SHARE
    """Percent of its live claims; 0 switches the breaker off."""
    least: int = LEAST
    """So many claims may always be taken back."""

    def most(self, claims: int) -> int:
        """How many claims a source that has this many may take back within an hour."""
        return max(self.least, claims * self.share // 100)


class Minute(NamedTuple):
    """What a source has taken back within one minute."""

    minute: int
    taken: int
    """Claims that were withdrawn or revoked, or that fewer may see than before."""
    ended: int
    """Of these the claims that are live no more."""


@dataclass(frozen=True, slots=True)
class BreakerState:
    """What the breaker knows of one source."""

    minutes: tuple[Minute, ...] = ()
    """Of the last hour, oldest first; without those in which nothing was taken back."""
    tripped_us: int | None = None
    """When it has tripped; None: it has not, or that was decided since."""


class BreakerRecord(NamedTuple):
    """What the store has for the breaker of one source."""

    state: BreakerState
    live: int
    """The number of the source's live claims."""


@dataclass(frozen=True, slots=True)
class Trip:
    """A breaker that has tripped, and waits for a decision."""

    source: int
    tripped_us: int
    waiting: int
    """How many objects and withdrawals it holds."""
