"""Each value once: over a whole export in 8 bytes a value, or the best few of it."""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator

from hub.doors.export.blockable import Entry

_RECENT = 65_536


class Seen:
    """Which values have been. Two values are taken for one with a chance of 1 in 37 million at a million of them.

    Recent ones are in a set, older ones in sorted arrays that double in size, so that a million take 8 MB.
    """

    def __init__(self) -> None:
        self._recent: set[int] = set()
        self._sorted: list[array[int]] = []

    def first_time(self, value: str) -> bool:
        """Whether this value has not been before; it has been from now on."""
        name = int.from_bytes(hashlib.blake2b(value.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")
        if name in self._recent or any(_has(some, name) for some in self._sorted):
            return False
        self._recent.add(name)
        if len(self._recent) >= _RECENT:
            self._sort()
        return True

    def _sort(self) -> None:
        new = array("Q", sorted(self._recent))
        while self._sorted and len(self._sorted[-1]) <= len(new):
            new = array("Q", sorted([*self._sorted.pop(), *new]))
        self._sorted.append(new)
        self._recent.clear()


def _has(some: array[int], name: int) -> bool:
    at = bisect_left(some, name)
    return at < len(some) and some[at] == name


class Best:
    """The best ``limit`` entries of any number, each value once."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: dict[tuple[str, str], Entry] = {}

    def add(self, entries: Iterable[Entry]) -> None:
        """Look at further entries."""
        for entry in entries:
            known = self._kept.get((entry.type, entry.value))
            if known is None or entry.rank > known.rank:
                self._kept[entry.type, entry.value] = entry
        if len(self._kept) > self._limit + self._limit // 4 + 1_000:
            self._kept = {(entry.type, entry.value): entry for entry in self.ordered()}

    def ordered(self) -> Iterator[Entry]:
        """The best first; equals by type and value."""
        by_rank = sorted(self._kept.values(), key=lambda e: (-e.rank[0], -e.rank[1], e.type, e.value))
        yield from by_rank[: self._limit]
