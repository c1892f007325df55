"""What an export checks every value against before it writes it: the warning lists, and what operators have released.

A value with a hit is written all the same where an operator has released an object with the same pattern: the release
is stored with the held object itself, and nowhere else.
"""

from __future__ import annotations

import asyncio

from hub.core.hold import WarningLists
from hub.core.judge import judge
from hub.doors.context import Doors
from hub.model.words import Limits


class ValueChecks:
    """Warning lists and releases as one process has read them; kept from export to export."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors
        self._reading = asyncio.Lock()
        self._lists: WarningLists | None = None
        self._released: dict[int, str | None] = {}
        """The canonical pattern of each released object, by its number."""

    async def lists(self) -> WarningLists:
        """The lists, loaded at the first export: a process without exports saves their 40 MB."""
        async with self._reading:
            if self._lists is None:
                self._lists = await asyncio.to_thread(self._doors.settings.warning_lists)
            return self._lists

    async def released(self) -> frozenset[str]:
        """The patterns that operators have released so far. Call it after the head of the collection is known."""
        async with self._reading:
            found = await self._doors.store.intake.released(self._released)
            limits = self._doors.settings.intake.objects
            self._released.update(await asyncio.to_thread(lambda: {no: _pattern(v, limits) for no, v in found.items()}))
            return frozenset(pattern for pattern in self._released.values() if pattern is not None)


def _pattern(value: bytes, limits: Limits) -> str | None:
    """The pattern of an object as it was held, as collections show it."""
    found = judge(value, limits)
    return found[0].obj.get("pattern") if isinstance(found, list) else None
