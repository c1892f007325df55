"""Whether this machine's clock may be believed, judged by what the hub has seen before.

Whoever dates anything asks first: a date that is once ahead of the truth stays in the hub's logs, and in every client
that has read it. Source: docs/operating.md, "The clock".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hub.model.times import DAY_US, from_us

JUMP_US = DAY_US
"""A clock may be off by so much against what the hub has seen; a smaller error passes by itself."""


@dataclass(frozen=True, slots=True)
class Alive:
    """When a worker last worked on a machine since its start: by the clock, and by the time since that start."""

    at_us: int
    uptime_us: int


@dataclass(frozen=True, slots=True)
class StoredTimes:
    """The times that the store holds."""

    latest_us: int
    """The greatest of them all."""
    alive: Mapping[str, Alive]
    """By the start of a machine that a worker ran on, as its kernel names it."""


@dataclass(frozen=True, slots=True)
class Witness:
    """What speaks for the clock besides itself. Nothing of it need be known."""

    boot: str | None = None
    """The kernel's name for the machine's last start."""
    uptime_us: int = 0
    """The time since then, which no change of the clock moves."""
    synchronised: bool = False
    """The kernel is told the time by other machines (NTP), and says what our clock says."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """The clock cannot be believed, or the store cannot."""

    now_us: int
    latest_us: int

    @property
    def is_ahead(self) -> bool:
        """Whether the clock is ahead of the store: a wrong clock or a long rest, which look the same."""
        return self.now_us > self.latest_us

    @property
    def says(self) -> str:
        """One sentence: what does not fit."""
        clock, store = _minute(self.now_us), _minute(self.latest_us)
        days = f"{round(abs(self.now_us - self.latest_us) / DAY_US):,} d"
        if self.is_ahead:
            return f"The clock says {clock}, {days} after the hub last worked ({store})."
        return f"The clock says {clock}, but the store has times up to {store}, {days} later."

    @property
    def way_out(self) -> str:
        """What an operator does."""
        if self.is_ahead:
            right = "If the clock is right and the hub was off for so long"
        else:
            right = "If the clock is right and the store was written by a wrong one"
        return (
            "A wrong clock: set it (NTP), and the hub goes on by itself. "
            f"{right}: ctihub clock accept YYYY-MM-DD, with today's date."
        )


def doubt(now_us: int, seen: StoredTimes, witness: Witness) -> Doubt | None:
    """What speaks against a clock that says ``now_us``; None where it may be believed.

    Behind the store either of the two is wrong, and no witness tells which is to be mended. Ahead of it the hub may
    have been off: that is believed where the machine has been running all the while and counted the same time, or
    where its kernel is synchronised.
    """
    ahead_us = now_us - seen.latest_us
    if abs(ahead_us) <= JUMP_US:
        return None
    if ahead_us > 0 and (witness.synchronised or _has_passed(now_us, seen, witness)):
        return None
    return Doubt(now_us, seen.latest_us)


def _has_passed(now_us: int, seen: StoredTimes, witness: Witness) -> bool:
    """Whether the machine itself has counted the time since a worker last worked on it."""
    before = seen.alive.get(witness.boot) if witness.boot is not None else None
    if before is None:
        return False
    return abs((now_us - before.at_us) - (witness.uptime_us - before.uptime_us)) <= JUMP_US


def _minute(us: int) -> str:
    return f"{from_us(us):%Y-%m-%d %H:%M} UTC"
