"""Removes duplicates: from a whole export, with 8 bytes per value, or while selecting the best entries."""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_left
from collections.abc import Iterable

from hub.doors.export.entry import Entry

_RECENT = 65_536


class DistinctValues:
    """A set of values, by their hashes. With a million values, the chance of any false duplicate is 1 in 37 million.

    Recent values are in a set, older ones in sorted arrays that double in size, so that a million take 8 MB.
    """

    def __init__(self) -> None:
        self._recent: set[int] = set()
        self._sorted: list[array[int]] = []
        self._count = 0

    def first_time(self, value: str) -> bool:
        """Adds a value; returns whether it is new."""
        name = int.from_bytes(hashlib.blake2b(value.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")
        if name in self._recent or any(_has(some, name) for some in self._sorted):
            return False
        self._recent.add(name)
        self._count += 1
        if len(self._recent) >= _RECENT:
            self._sort()
        return True

    def __len__(self) -> int:
        """Returns the number of different values."""
        return self._count

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
    """Selects the best ``most`` entries, each value once."""

    def __init__(self, most: int, *, counts_others: bool = False) -> None:
        self._most = most
        self._kept: dict[tuple[str, str], Entry] = {}
        self._seen = DistinctValues() if counts_others else None

    def add(self, entries: Iterable[Entry]) -> None:
        """Process more entries."""
        for entry in entries:
            if self._seen is not None:
                self._seen.first_time(f"{entry.type} {entry.value}")
            known = self._kept.get((entry.type, entry.value))
            if known is None or entry.rank > known.rank:
                self._kept[entry.type, entry.value] = entry
        if len(self._kept) > self._most + self._most // 4 + 1_000:
            self._kept = {(entry.type, entry.value): entry for entry in self._ordered()}

    def take(self) -> tuple[list[Entry], int]:
        """Returns and clears the entries, best first, then by type and value, and the number of others if counted."""
        best = self._ordered()
        self._kept = {}
        return best, 0 if self._seen is None else len(self._seen) - len(best)

    def _ordered(self) -> list[Entry]:
        by_rank = sorted(self._kept.values(), key=lambda e: (-e.rank[0], -e.rank[1], e.type, e.value))
        return by_rank[: self._most]
