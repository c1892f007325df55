"""What doors have made from the rows of a log and may be asked for again, up to a size, in this process.

Keys say all that a value depends on, the state of the log included: so a value is never out of date, and what has been
erased is not found. ``drop`` frees the memory of what nobody can ask for any more.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, Protocol, TypeVar

_ENTRY_BYTES = 1 << 10
"""The memory of an entry besides its value: the key, and its places in the tables."""


class Sized(Protocol):
    """A value that may be kept."""

    @property
    def size_bytes(self) -> int:
        """The size of the value; 0: it is not kept."""
        ...


V = TypeVar("V", bound=Sized)


class KeptValues(Generic[V]):
    """Values by key, the last used ones. A value that several ask for at the same time is made once."""

    def __init__(self, most_bytes: int, *, most_values: float = math.inf) -> None:
        """``most_values``: for values that take something besides their size, such as an open file."""
        self._most_bytes = most_bytes
        self._most_values = most_values
        self._values: OrderedDict[Hashable, tuple[V, int]] = OrderedDict()
        self._of_log: defaultdict[int, set[Hashable]] = defaultdict(set)
        self._drops: Counter[int] = Counter()
        self._making: dict[Hashable, asyncio.Lock] = {}
        self.held_bytes = 0

    def find(self, key: Hashable) -> V | None:
        """Returns the value of ``key``, if it is kept."""
        if key not in self._values:
            return None
        self._values.move_to_end(key)
        return self._values[key][0]

    async def get(self, key: Hashable, log: int, make: Callable[[], Awaitable[V]]) -> V:
        """Returns the value of ``key``, which depends on this log; ``make`` makes it. Raises what ``make`` raises."""
        lock = self._making.setdefault(key, asyncio.Lock())
        try:
            async with lock:
                if (found := self.find(key)) is not None:
                    return found
                drops = self._drops[log]
                made = await make()
                if drops == self._drops[log]:  # otherwise it may be made from what has been dropped
                    self._keep(key, log, made)
                return made
        finally:
            if self._making.get(key) is lock and not lock.locked():
                del self._making[key]

    def drop(self, log: int) -> None:
        """Remove all values that depend on a log, since there are newer rows."""
        self._drops[log] += 1
        for key in list(self._of_log[log]):
            self._remove(key)

    def _keep(self, key: Hashable, log: int, value: V) -> None:
        if not 0 < value.size_bytes <= self._most_bytes - _ENTRY_BYTES:
            return
        self._values[key] = (value, log)
        self._of_log[log].add(key)
        self.held_bytes += value.size_bytes + _ENTRY_BYTES
        while self.held_bytes > self._most_bytes or len(self._values) > self._most_values:
            self._remove(next(iter(self._values)))

    def _remove(self, key: Hashable) -> None:
        value, log = self._values.pop(key)
        self._of_log[log].discard(key)
        self.held_bytes -= value.size_bytes + _ENTRY_BYTES
