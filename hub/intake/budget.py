"""Limits the memory of all requests together: a request for more waits, and then gets TryAgain."""

from __future__ import annotations

import asyncio
from collections import deque
from types import TracebackType

from hub.model.errors import TryAgain


class Budget:
    """A number of bytes shared between requests in order of arrival. Belongs to one event loop."""

    def __init__(self, total_bytes: int, *, wait_s: float, code: str, says: str) -> None:
        """``code`` and ``says``: of the TryAgain for requests that wait longer than ``wait_s``."""
        self.total_bytes = total_bytes
        self.free_bytes = total_bytes
        self._wait_s = wait_s
        self._code, self._says = code, says
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    def share(self) -> Share:
        """A request's share, empty at first; an async context manager that returns all of it at the end."""
        return Share(self)

    async def take(self, size_bytes: int) -> None:
        """Wait until this many bytes are free and take them. Raises TryAgain after ``wait_s``."""
        if not self._waiting and self.free_bytes >= size_bytes:
            self.free_bytes -= size_bytes
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((size_bytes, turn))
        got = False
        try:
            async with asyncio.timeout(self._wait_s):
                await turn
            got = True
        except TimeoutError:
            raise self._overloaded() from None
        finally:
            if not got:
                self._leave(size_bytes, turn)

    def _leave(self, size_bytes: int, turn: asyncio.Future[None]) -> None:
        """A request stopped waiting, possibly just after it was served."""
        if turn.done() and not turn.cancelled():
            self.give(size_bytes)
            return
        self._waiting = deque(place for place in self._waiting if place[1] is not turn)
        self._serve()

    def _overloaded(self) -> TryAgain:
        way_out = "Send it again in a moment, or in smaller parts."
        return TryAgain(self._code, self._says, way_out, retry_after_s=max(1, round(self._wait_s / 2)))

    def give(self, size_bytes: int) -> None:
        """Return bytes to the budget."""
        self.free_bytes += size_bytes
        self._serve()

    def _serve(self) -> None:
        while self._waiting and (self._waiting[0][0] <= self.free_bytes or self._waiting[0][1].done()):
            size_bytes, turn = self._waiting.popleft()
            if not turn.done():
                self.free_bytes -= size_bytes
                turn.set_result(None)


class Share:
    """The bytes of a budget that one request holds."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.held_bytes = 0

    async def grow_to(self, size_bytes: int) -> None:
        """Hold at least this many bytes; waits until they are free. Requests that wait for one another time out.

        Raises TryAgain if they are not free in time.
        """
        size_bytes = min(size_bytes, self._budget.total_bytes)  # a single request must always succeed
        more = size_bytes - self.held_bytes
        if more > 0:
            await self._budget.take(more)
            self.held_bytes += more

    def shrink_to(self, size_bytes: int) -> None:
        """Return the bytes above this size."""
        if size_bytes < self.held_bytes:
            self._budget.give(self.held_bytes - size_bytes)
            self.held_bytes = size_bytes

    async def __aenter__(self) -> Share:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shrink_to(0)
