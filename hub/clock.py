"""The clock of this process. It gives no time before it has been compared with the latest time in the store.

A contradiction (``Doubt``) is reported, and nothing is dated until the clock is right; new records wait in the event
log.
"""

from __future__ import annotations

import asyncio
import ctypes
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from hub.model.clock import JUMP_US, Alive, Doubt, StoredTimes, Witness, doubt
from hub.model.errors import TryAgain

IN_DOUBT = "clock.in-doubt"
AGREES_US = 60_000_000
"""The kernel's time and ours agree within this limit; the kernel gives its start in whole seconds."""

_BOOT, _UPTIME, _STAT = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/uptime"), Path("/proc/stat")
_TIME_ERROR = 5
"""The result of ``adjtimex`` for a clock that is not synchronised; lower values: it is. Source: adjtimex(2)."""
_TIMEX_BYTES = 512
"""Larger than ``struct timex`` on any machine."""


def wall_clock_us() -> int:
    """Microseconds since 1970, by this machine's clock."""
    return time.time_ns() // 1_000


def since_start_us() -> int:
    """Microseconds since the machine's start, including sleep where the system counts it."""
    which = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime_ns(which) // 1_000


def examine(now_us: int) -> Witness:
    """The kernel's evidence about the clock, read from its files; empty if they cannot be read."""
    try:
        boot = _BOOT.read_text("ascii").strip()
        uptime_us = int(float(_UPTIME.read_text("ascii").split()[0]) * 1_000_000)
        started_s = int(next(line.split()[1] for line in _STAT.read_text("ascii").splitlines() if line[:6] == "btime "))
    except (OSError, ValueError, IndexError, StopIteration):
        return Witness()
    agrees = abs(started_s * 1_000_000 + uptime_us - now_us) <= AGREES_US
    return Witness(boot, uptime_us, agrees and _kernel_is_synchronised())


def _kernel_is_synchronised() -> bool:
    """Whether the kernel's clock is synchronised; False if it cannot be asked."""
    asked = getattr(ctypes.CDLL(None), "adjtimex", None)
    if asked is None:
        return False
    nothing_to_set = ctypes.create_string_buffer(_TIMEX_BYTES)
    return 0 <= int(asked(nothing_to_set)) < _TIME_ERROR


def alive_now(witness: Witness, now_us: int) -> Alive:
    """The mark that a worker writes to show when it last ran."""
    return Alive(now_us, witness.uptime_us)


class TimesStore(Protocol):
    """The part of the store that knows times."""

    async def stored_times(self) -> StoredTimes:
        """The times that it holds. Raises TryAgain."""
        ...


class Clock:
    """Gives the time unless it is in doubt. One per process."""

    def __init__(
        self,
        store: TimesStore,
        *,
        wall_us: Callable[[], int] = wall_clock_us,
        passed_us: Callable[[], int] = since_start_us,
        witness: Callable[[int], Witness] = examine,
    ) -> None:
        self._store = store
        self._wall_us = wall_us
        self._passed_us = passed_us
        self._witness = witness
        self._trusted: tuple[int, int] | None = None
        """The time when the clock was last trusted, and the time since the machine's start at that moment."""
        self.doubt: Doubt | None = None
        """The current doubt, if any."""

    async def look(self) -> tuple[Doubt | None, Witness]:
        """Compare the clock with the store. Returns the doubt, if any, and the evidence. A doubt takes effect at once;
        only ``trust`` ends it.
        """
        seen = await self._store.stored_times()
        now_us = self._wall_us()
        witness = await asyncio.to_thread(self._witness, now_us)
        found = doubt(now_us, seen, witness)
        if found is not None:
            self.doubt = found
        return found, witness

    def trust(self) -> None:
        """Trust the clock from now on. Call it after ``look`` found no doubt and the effects of an earlier one are
        corrected.
        """
        self._trusted = (self._wall_us(), self._passed_us())
        self.doubt = None

    async def judge(self) -> Doubt | None:
        """Look, and trust the clock if there is no doubt. Returns the doubt, if any."""
        found, _ = await self.look()
        if found is None:
            self.trust()
        return found

    def now_us(self) -> int:
        """Microseconds since 1970. Raises TryAgain while the clock is in doubt."""
        now_us = self._looked_at()
        if self.doubt is not None:
            raise TryAgain(IN_DOUBT, self.doubt.says, self.doubt.way_out)
        if self._trusted is None:
            raise TryAgain(IN_DOUBT, "The clock has not been checked yet.")
        return now_us

    def is_in_doubt(self) -> bool:
        """Whether the clock is in doubt, or has not been compared yet."""
        self._looked_at()
        return self.doubt is not None or self._trusted is None

    def change_us(self) -> int:
        """The time for a change of the registry, which never waits for the clock. A clock that is ahead gives the
        latest stored time instead, so that nothing is dated in the future.
        """
        now_us = self._looked_at()
        return self.doubt.latest_us if self.doubt is not None and self.doubt.is_ahead else now_us

    def _looked_at(self) -> int:
        """The time. A jump since it was last trusted is a doubt at once, without reading the store."""
        now_us = self._wall_us()
        if self._trusted is not None and self.doubt is None:
            expected_us = self._trusted[0] + self._passed_us() - self._trusted[1]
            if abs(now_us - expected_us) > JUMP_US:
                self.doubt = Doubt(now_us, expected_us)
        return now_us
