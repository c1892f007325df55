"""What the parts of the store's contract share: the store under test, and processes that work on it."""

from __future__ import annotations

import asyncio
import json
import sys
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from hub.model.claims import Change
from hub.model.writes import Writes
from hub.store.sql import SqlStore
from tests.contracts.store_writer import open_store
from tests.waiting import WITHIN_S


def seqs(rows: Sequence[Change]) -> list[int]:
    return [row.seq for row in rows]


class StoreSuite(ABC):
    """The store under test, and processes that work on it."""

    @abstractmethod
    async def address(self) -> dict[str, str]:
        """What ``tests.contracts.store_writer.open_store`` needs to open the store under test, in any process."""

    async def open(self) -> SqlStore:
        """The store under test, opened once more; closed by the test."""
        return await open_store(await self.address())

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[SqlStore]:
        store = await self.open()
        try:
            yield store
        finally:
            await store.close()

    async def write(self, store: SqlStore, writes: Writes) -> None:
        async with store.transaction() as tx:
            await tx.policy()
            await tx.write(writes)

    async def someone_waits(self) -> bool:
        """Whether a step waits for another now; where a step keeps every other out, whoever is not done does."""
        return True

    async def done_or_waits(self, task: asyncio.Task[None]) -> bool:
        """Whether a task is done, or waits for a step."""
        return task.done() or await self.someone_waits()

    @asynccontextmanager
    async def a_writer(self, name: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """Another process that works on the store as fast as it can, killed at the end."""
        words = [sys.executable, "-m", "tests.contracts.store_writer", json.dumps(await self.address()), name]
        child = await asyncio.create_subprocess_exec(
            *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        try:
            yield child
        finally:
            with suppress(ProcessLookupError):
                child.kill()
            await child.communicate()

    async def next_number(self, child: asyncio.subprocess.Process) -> int:
        assert child.stdout is not None
        async with asyncio.timeout(WITHIN_S):
            line = await child.stdout.readline()
            if not line:
                assert child.stderr is not None
                raise AssertionError((await child.stderr.read()).decode())
            return int(line)
