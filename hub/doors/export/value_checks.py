"""The data with which an export checks every value: warning lists, and objects that operators have released.

A value on a warning list is written if an operator has released an object with the same pattern. Releases are stored
only with the held objects.
"""

from __future__ import annotations

import asyncio

from hub.core.hold import WarningLists
from hub.core.judge import judge
from hub.doors.context import Doors
from hub.model.words import Limits


class ValueChecks:
    """Warning lists and releases, cached by the process between exports."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors
        self._reading = asyncio.Lock()
        self._lists: WarningLists | None = None
        self._released: dict[int, str | None] = {}
        """The canonical pattern of each released object, by number."""

    async def lists(self) -> WarningLists:
        """Returns the lists. They are loaded at the first export, since they take 40 MB."""
        async with self._reading:
            if self._lists is None:
                self._lists = await asyncio.to_thread(self._doors.settings.warning_lists)
            return self._lists

    @property
    def releases(self) -> int:
        """How many objects had been released when ``released`` was called last. It never falls, in no process: of what
        is erased, the number remains.
        """
        return len(self._released)

    async def released(self) -> frozenset[str]:
        """Returns the patterns that operators have released. Call this after reading the head of the collection."""
        async with self._reading:
            found = await self._doors.store.intake.released(self._released)
            if found:
                limits = self._doors.settings.intake.objects
                patterns = await asyncio.to_thread(lambda: {no: _pattern(v, limits) for no, v in found.items()})
                self._released.update(patterns)
            return frozenset(pattern for pattern in self._released.values() if pattern is not None)


def _pattern(value: bytes, limits: Limits) -> str | None:
    """Returns the canonical pattern of a held object, as collections show it."""
    found = judge(value, limits)
    return found[0].obj.get("pattern") if isinstance(found, list) else None
