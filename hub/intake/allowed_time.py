"""Limits how long a request waits for its peer, which sends a body or reads a response, and holds memory meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class AllowedTime:
    """The time that is left to a peer.

    It may do nothing for ``stall_s`` at a time, and needs in all no more than that and a second for each
    ``slowest_bytes_per_s`` that it moves: otherwise it could hold the memory for ever with single bytes.
    """

    def __init__(self, stall_s: float, *, slowest_bytes_per_s: int) -> None:
        self._stall_s = stall_s
        self._left_s = stall_s
        self._slowest_bytes_per_s = slowest_bytes_per_s

    @asynccontextmanager
    async def wait(self) -> AsyncIterator[None]:
        """Waits for the peer in the block. Raises TimeoutError when its time is over."""
        clock = asyncio.get_running_loop().time
        began_s = clock()
        async with asyncio.timeout(min(self._stall_s, self._left_s)):
            yield
        self._left_s -= clock() - began_s

    def moved(self, size_bytes: int) -> None:
        """So many bytes came or went."""
        self._left_s += size_bytes / self._slowest_bytes_per_s
