"""Sends what is finished on the disk: its length and counts first, then parts, while the reader may read it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from fastapi import Request
from fastapi.responses import Response, StreamingResponse

from hub.doors.budgeted import AnswerShare
from hub.doors.context import Doors
from hub.doors.methods import is_head
from hub.doors.reads import note_facts
from hub.model.errors import NotAuthenticated
from hub.model.policy import Collection


class Finished(Protocol):
    """A list or a file that is complete."""

    @property
    def size_bytes(self) -> int:
        """Its length."""
        ...

    @property
    def lines(self) -> int:
        """The number of its entries."""
        ...

    @property
    def skipped(self) -> int:
        """How many values were left out."""
        ...

    def part(self, start: int, size: int) -> bytes:
        """Returns up to ``size`` bytes from ``start``."""
        ...


@dataclass(frozen=True, slots=True)
class Sending:
    """What is sent."""

    collection: Collection
    found: Finished
    share: AnswerShare
    checked_s: float
    """When the reader's access was last checked, in the time of the event loop."""


async def sent(doors: Doors, request: Request, what: Sending, headers: dict[str, str]) -> Response:
    """Returns the answer with what is finished; to HEAD only the headers."""
    found, part_bytes = what.found, doors.settings.list_part_bytes
    headers |= {
        "content-length": str(found.size_bytes),
        "x-ctihub-lines": str(found.lines),
        "x-ctihub-skipped": str(found.skipped),
    }
    note_facts(request.scope, objects=found.lines)
    if is_head(request):
        return Response(headers=headers)
    if found.size_bytes <= part_bytes:
        return what.share.hand_over(Response(await asyncio.to_thread(found.part, 0, part_bytes), headers=headers))
    parts = _parts(doors, request, what)
    return what.share.hand_over(StreamingResponse(parts, headers=headers), 2 * part_bytes)


async def _parts(doors: Doors, request: Request, what: Sending) -> AsyncIterator[bytes]:
    """Yields the parts of a list. Raises NotAuthenticated in the middle if the reader loses access."""
    loop, checked_s = asyncio.get_running_loop(), what.checked_s
    credentials = doors.gate.credentials(request)
    size = doors.settings.list_part_bytes
    for start in range(0, what.found.size_bytes, size):
        if loop.time() - checked_s > doors.settings.recheck_s:
            checked_s = loop.time()
            if not await doors.gate.still_open(credentials, what.collection):
                raise NotAuthenticated("auth.ended", "These credentials are not valid any more.")
        yield await asyncio.to_thread(what.found.part, start, size)
