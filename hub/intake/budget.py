"""Limits the memory of all requests together and of each caller's: a request for more waits, then gets TryAgain."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from types import TracebackType
from weakref import WeakValueDictionary

from hub.model.errors import TryAgain

PARTS = 4
"""One caller gets one of so many parts of a budget. Large enough for the usual request, small enough for the others."""


class Budget:
    """A number of bytes shared between requests. Belongs to one event loop.

    Callers that wait take turns, each with its requests in order of arrival. A request waits while the requests of its
    caller would hold more than a part of the budget, and the others' pass it. Only the oldest of a caller's requests
    that hold memory may exceed the part: so one always succeeds, also a large one, and one that grows.
    """

    def __init__(self, total_bytes: int, *, wait_s: float, code: str, says: str) -> None:
        """``code`` and ``says``: of the TryAgain for requests that wait longer than ``wait_s``."""
        self.total_bytes = total_bytes
        self.free_bytes = total_bytes
        self._part_bytes = total_bytes // PARTS
        self._wait_s = wait_s
        self._code, self._says = code, says
        self._callers: WeakValueDictionary[Hashable, _Caller] = WeakValueDictionary()
        """Those that have a share."""
        self._turns: dict[_Caller, None] = {}
        """The callers with waiting requests, in the order of their turns."""

    def share(self, whose: Hashable) -> Share:
        """A request's share, empty at first; an async context manager that returns all of it at the end.

        ``whose``: the caller; all without a name share the part of None.
        """
        caller = self._callers.get(whose)
        if caller is None:
            self._callers[whose] = caller = _Caller()
        return Share(self, caller)

    async def take(self, share: Share, size_bytes: int) -> None:
        """Wait until a share can have this many bytes more. Raises TryAgain after ``wait_s``.

        What it gets at the moment at which its request ends is returned with the rest of the share.
        """
        turn = asyncio.get_running_loop().create_future()
        share.caller.waiting[share] = (size_bytes, turn)
        self._turns.setdefault(share.caller)
        self._serve()
        if turn.done():
            return
        try:
            async with asyncio.timeout(self._wait_s):
                await turn
        except TimeoutError:
            raise self._overloaded() from None
        finally:
            if share in share.caller.waiting:
                self._end_wait(share)
                self._serve()

    def _overloaded(self) -> TryAgain:
        way_out = "Send it again in a moment, or in smaller parts."
        return TryAgain(self._code, self._says, way_out, retry_after_s=max(1, round(self._wait_s / 2)))

    def give(self, share: Share, size_bytes: int) -> None:
        """Return bytes of a share to the budget."""
        self._move(share, -size_bytes)
        self._serve()

    def _move(self, share: Share, size_bytes: int) -> None:
        self.free_bytes -= size_bytes
        share.held_bytes += size_bytes
        share.caller.held_bytes += size_bytes
        if share.held_bytes:
            share.caller.holding.setdefault(share)
        else:
            share.caller.holding.pop(share, None)

    def _serve(self) -> None:
        while (share := self._next()) is not None:
            size_bytes, turn = share.caller.waiting[share]
            if not turn.done():
                if size_bytes > self.free_bytes:
                    return  # those behind wait as well: otherwise small requests would keep out a large one
                self._move(share, size_bytes)
                turn.set_result(None)
            self._end_wait(share)

    def _next(self) -> Share | None:
        """Whose turn it is."""
        return next((share for caller in self._turns if (share := caller.next(self._part_bytes)) is not None), None)

    def _end_wait(self, share: Share) -> None:
        """Remove a share from those that wait; its caller's next one has its turn after the other callers."""
        caller = share.caller
        del caller.waiting[share]
        del self._turns[caller]
        if caller.waiting:
            self._turns[caller] = None


class _Caller:
    """The requests of one caller."""

    def __init__(self) -> None:
        self.held_bytes = 0
        self.holding: dict[Share, None] = {}
        """Those that hold memory, the oldest first."""
        self.waiting: dict[Share, tuple[int, asyncio.Future[None]]] = {}
        """Those that wait, and for how many bytes more, in order of arrival."""

    def next(self, part_bytes: int) -> Share | None:
        """Returns which of those that wait is next; None if it would exceed the caller's part."""
        first = next(iter(self.waiting))
        oldest = next(iter(self.holding), first)
        if oldest in self.waiting:
            return oldest
        return first if self.held_bytes + self.waiting[first][0] <= part_bytes else None


class Share:
    """The bytes of a budget that one request holds."""

    def __init__(self, budget: Budget, caller: _Caller) -> None:
        self._budget = budget
        self.caller = caller
        self.held_bytes = 0

    async def grow_to(self, size_bytes: int) -> None:
        """Hold at least this many bytes; waits until they are free. Requests that wait for one another time out.

        Raises TryAgain if they are not free in time.
        """
        size_bytes = min(size_bytes, self._budget.total_bytes)  # a single request must always succeed
        if size_bytes > self.held_bytes:
            await self._budget.take(self, size_bytes - self.held_bytes)

    def shrink_to(self, size_bytes: int) -> None:
        """Return the bytes above this size."""
        if size_bytes < self.held_bytes:
            self._budget.give(self, self.held_bytes - size_bytes)

    async def __aenter__(self) -> Share:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shrink_to(0)
