"""Decides whether this machine's clock is plausible, by comparing it with the times that the hub has stored.

Checked before anything is dated: a date in the future would stay in the hub's logs, and in every client that has read
it.

Source: docs/operating.md, "The clock".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hub.model.times import DAY_US, from_us

JUMP_US = DAY_US
"""The largest accepted difference between the clock and the stored times."""


@dataclass(frozen=True, slots=True)
class Alive:
    """When a worker last ran on a machine: by the clock, and as time since the machine's start."""

    at_us: int
    uptime_us: int


@dataclass(frozen=True, slots=True)
class StoredTimes:
    """The times that the store holds."""

    latest_us: int
    """The latest of all stored times."""
    alive: Mapping[str, Alive]
    """By boot id of the machine that a worker ran on."""


@dataclass(frozen=True, slots=True)
class Witness:
    """Evidence for the clock from the kernel. Each part may be unknown."""

    boot: str | None = None
    """The kernel's boot id."""
    uptime_us: int = 0
    """The time since the start, which changes of the clock do not affect."""
    synchronised: bool = False
    """Whether the kernel's clock is synchronised by NTP and agrees with ours."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """The clock and the store contradict each other."""

    now_us: int
    latest_us: int

    @property
    def is_ahead(self) -> bool:
        """Whether the clock is ahead of the store: either it is wrong, or the hub was off for long."""
        return self.now_us > self.latest_us

    @property
    def says(self) -> str:
        """One sentence that states the contradiction."""
        clock, store = _minute(self.now_us), _minute(self.latest_us)
        days = f"{round(abs(self.now_us - self.latest_us) / DAY_US):,} d"
        if self.is_ahead:
            return f"The clock says {clock}, {days} after the hub last worked ({store})."
        return f"The clock says {clock}, but the store has times up to {store}, {days} later."

    @property
    def way_out(self) -> str:
        """What the operator should do."""
        if self.is_ahead:
            right = "If the clock is right and the hub was off for so long"
        else:
            right = "If the clock is right and the store was written by a wrong one"
        return (
            "If the clock is wrong, set it (NTP), and the hub continues automatically. "
            f"{right}: ctihub clock accept YYYY-MM-DD, with today's date."
        )


def doubt(now_us: int, seen: StoredTimes, witness: Witness) -> Doubt | None:
    """The contradiction between a clock at ``now_us`` and the store; None if the clock is plausible.

    If the clock is behind the store, either may be wrong, and no evidence decides which. If it is ahead, the hub may
    have been off: this is accepted if the machine has been running and has counted the same time, or if its kernel is
    synchronised.
    """
    ahead_us = now_us - seen.latest_us
    if abs(ahead_us) <= JUMP_US:
        return None
    if ahead_us > 0 and (witness.synchronised or _has_passed(now_us, seen, witness)):
        return None
    return Doubt(now_us, seen.latest_us)


def _has_passed(now_us: int, seen: StoredTimes, witness: Witness) -> bool:
    """Whether the machine itself has counted the time since a worker last ran on it."""
    before = seen.alive.get(witness.boot) if witness.boot is not None else None
    if before is None:
        return False
    return abs((now_us - before.at_us) - (witness.uptime_us - before.uptime_us)) <= JUMP_US


def _minute(us: int) -> str:
    return f"{from_us(us):%Y-%m-%d %H:%M} UTC"
