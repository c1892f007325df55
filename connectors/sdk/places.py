"""Where published objects stand in their files, so that a verdict can name the file and the line."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

MOST_RUNS = 100_000
"""How many runs are stored. A file needs one for each gap between its objects; what comes later has no place."""


class ObjectPlace(NamedTuple):
    """The file of an object, and which of its lines, rows or objects it is, from 1."""

    file: str
    unit: str
    """``line``, ``row`` or ``object``."""
    number: int

    def __str__(self) -> str:
        return f"{self.file}:{self.number}" if self.unit == "line" else f"{self.file}, {self.unit} {self.number:,}"

    def as_json(self) -> dict[str, str | int]:
        """For ``--json``: ``{"file": "feed.ndjson", "line": 17}``."""
        return {"file": self.file, self.unit: self.number}


@dataclass(slots=True)
class ObjectPlaces:
    """The places of objects by their index in a run. Objects in sequence take no memory of their own."""

    _starts: list[int] = field(default_factory=list)
    _places: list[ObjectPlace | None] = field(default_factory=list)
    _count: int = 0

    def extend(self, places: Iterable[ObjectPlace | None]) -> None:
        """Add the places of the next objects; None: unknown."""
        for place in places:
            if place != (self._after_last() if self._starts else None):
                self._begin(place)
            self._count += 1

    def at(self, index: int) -> ObjectPlace | None:
        """Returns the place of an object; None if it is unknown."""
        run = bisect_right(self._starts, index) - 1
        if run < 0 or index >= self._count or (place := self._places[run]) is None:
            return None
        return place._replace(number=place.number + index - self._starts[run])

    def _after_last(self) -> ObjectPlace | None:
        last = self._places[-1]
        return last and last._replace(number=last.number + self._count - self._starts[-1])

    def _begin(self, place: ObjectPlace | None) -> None:
        if len(self._starts) <= MOST_RUNS:
            self._starts.append(self._count)
            self._places.append(place if len(self._starts) <= MOST_RUNS else None)
