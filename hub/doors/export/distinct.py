"""Removes duplicates: from a whole export, with 8 bytes per value, or while selecting the best entries."""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable
from heapq import merge

from hub.doors.export.entry import ListItem

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
        name = value_digest(value)
        if self._has(name):
            return False
        self._recent.add(name)
        self._count += 1
        if len(self._recent) >= _RECENT:
            self._sort()
        return True

    def __contains__(self, value: str) -> bool:
        """Returns whether a value has been added."""
        return self._has(value_digest(value))

    def __len__(self) -> int:
        """Returns the number of different values."""
        return self._count

    def _has(self, name: int) -> bool:
        return name in self._recent or any(_is_in(some, name) for some in self._sorted)

    def _sort(self) -> None:
        new = array("q", sorted(self._recent))
        while self._sorted and len(self._sorted[-1]) <= len(new):
            new = array("q", merge(self._sorted.pop(), new))  # a list of numbers would take 40 bytes for each
        self._sorted.append(new)
        self._recent.clear()


def value_digest(value: str) -> int:
    """Returns 8 bytes that stand for a value, as a signed number."""
    digest = hashlib.blake2b(value.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def _is_in(some: array[int], name: int) -> bool:
    at = bisect_left(some, name)
    return at < len(some) and some[at] == name


def left_out_key(key: str) -> str:
    """Returns the key of an item that a list cannot have. Another kind may have the same value, which the list has."""
    return f"\0{key}"


class Best:
    """Selects the best ``most`` items among those that a list can have, each once."""

    def __init__(
        self,
        most: int,
        *,
        fits: Callable[[ListItem], bool] = lambda _: True,
        with_type: bool = True,
        counts_others: bool = False,
    ) -> None:
        """``fits``: whether the list can have an item. ``with_type``: whether the list says the type of each value, see
        ``Entry.key``. ``counts_others``: whether ``take`` counts what fits as well.
        """
        self._most = most
        self._fits = fits
        self._with_type = with_type
        self._counts_others = counts_others
        self._kept: dict[str, ListItem] = {}
        self._least = (-1, -1)
        """The rank of the last of so many as are wanted: nothing below it is among the best."""
        self._counted = DistinctValues()

    def add(self, items: Iterable[ListItem]) -> None:
        """Process more items."""
        for item in items:
            key, rank = item.key(with_type=self._with_type), item.rank
            if self._counts_others:
                self._counted.first_time(key)
                if rank < self._least:  # whether it fits makes no difference
                    continue
            if not self._fits(item):
                self._counted.first_time(key)
                continue
            known = self._kept.get(key)
            if rank >= self._least and (known is None or rank > known.rank):
                self._kept[key] = item
        if len(self._kept) > self._most + self._most // 4 + 1_000:
            ordered = self._ordered()
            self._kept, self._least = dict(ordered), ordered[-1][1].rank

    def take(self) -> tuple[list[ListItem], int]:
        """Returns and clears the items, best first, then by type and value, and the number of others that are counted:
        all, or those that did not fit.
        """
        best = self._ordered()
        self._kept = {}
        return [item for _, item in best], len(self._counted) - (len(best) if self._counts_others else 0)

    def _ordered(self) -> list[tuple[str, ListItem]]:
        by_rank = sorted(self._kept.items(), key=lambda one: (-one[1].rank[0], -one[1].rank[1], one[0]))
        return by_rank[: self._most]
