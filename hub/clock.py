"""This process's clock. Nothing is dated by it before it has been compared with the latest time in the store.

A doubt is reported, and nothing is dated until the clock is right; what arrives meanwhile stays in the event log.
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
"""The kernel's own time and ours are the same within this; one of them is counted in whole seconds since the start."""

_BOOT, _UPTIME, _STAT = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/uptime"), Path("/proc/stat")
_TIME_ERROR = 5
"""What ``adjtimex`` returns of a clock that is not synchronised; below, it is. Source: adjtimex(2)."""
_TIMEX_BYTES = 512
"""More than ``struct timex`` has on any machine."""


def wall_clock_us() -> int:
    """Microseconds since 1970, as this machine has it."""
    return time.time_ns() // 1_000


def since_start_us() -> int:
    """Microseconds since the machine's start, sleep included where the system counts it."""
    which = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime_ns(which) // 1_000


def examine(now_us: int) -> Witness:
    """What this machine's kernel says. Read from its files, which a process may not be shown otherwise than others."""
    try:
        boot = _BOOT.read_text("ascii").strip()
        uptime_us = int(float(_UPTIME.read_text("ascii").split()[0]) * 1_000_000)
        started_s = int(next(line.split()[1] for line in _STAT.read_text("ascii").splitlines() if line[:6] == "btime "))
    except (OSError, ValueError, IndexError, StopIteration):
        return Witness()
    agrees = abs(started_s * 1_000_000 + uptime_us - now_us) <= AGREES_US
    return Witness(boot, uptime_us, agrees and _kernel_is_synchronised())


def _kernel_is_synchronised() -> bool:
    """Whether the kernel is told the time by others; False where it cannot be asked."""
    asked = getattr(ctypes.CDLL(None), "adjtimex", None)
    if asked is None:
        return False
    nothing_to_set = ctypes.create_string_buffer(_TIMEX_BYTES)
    return 0 <= int(asked(nothing_to_set)) < _TIME_ERROR


def alive_now(witness: Witness, now_us: int) -> Alive:
    """The sign of life that a worker leaves."""
    return Alive(now_us, witness.uptime_us)


class TimesStore(Protocol):
    """The store, as far as it knows times."""

    async def stored_times(self) -> StoredTimes:
        """The times that it holds. Raises TryAgain."""
        ...


class Clock:
    """Gives the time while nothing speaks against it. One per process."""

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
        """The time when it was last judged good, and what had passed since the machine's start."""
        self.doubt: Doubt | None = None
        """What speaks against it now."""

    async def look(self) -> tuple[Doubt | None, Witness]:
        """Judge it by the store, and say who spoke for it. A doubt holds at once; ``trust`` ends one."""
        seen = await self._store.stored_times()
        now_us = self._wall_us()
        witness = await asyncio.to_thread(self._witness, now_us)
        found = doubt(now_us, seen, witness)
        if found is not None:
            self.doubt = found
        return found, witness

    def trust(self) -> None:
        """From now on the time is given: ``look`` found nothing, and what a doubt has left is cleared away."""
        self._trusted = (self._wall_us(), self._passed_us())
        self.doubt = None

    async def judge(self) -> Doubt | None:
        """Look, and trust it if nothing speaks against it."""
        found, _ = await self.look()
        if found is None:
            self.trust()
        return found

    def now_us(self) -> int:
        """Microseconds since 1970. Raises TryAgain while it is in doubt."""
        now_us = self._looked_at()
        if self.doubt is not None:
            raise TryAgain(IN_DOUBT, self.doubt.says, self.doubt.way_out)
        if self._trusted is None:
            raise TryAgain(IN_DOUBT, "The clock has not been looked at yet.")
        return now_us

    def is_in_doubt(self) -> bool:
        """Whether anything speaks against it, or nobody has looked."""
        self._looked_at()
        return self.doubt is not None or self._trusted is None

    def change_us(self) -> int:
        """When a change of the registry is made, which waits for no clock: one that is ahead gives the latest time that
        the hub has seen, so that nothing is dated later than the truth.
        """
        now_us = self._looked_at()
        return self.doubt.latest_us if self.doubt is not None and self.doubt.is_ahead else now_us

    def _looked_at(self) -> int:
        """The time; a jump since it was last judged is a doubt at once, without asking anybody."""
        now_us = self._wall_us()
        if self._trusted is not None and self.doubt is None:
            expected_us = self._trusted[0] + self._passed_us() - self._trusted[1]
            if abs(now_us - expected_us) > JUMP_US:
                self.doubt = Doubt(now_us, expected_us)
        return now_us
