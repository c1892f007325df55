"""Opens the registry of a configuration, with its broker, for the duration of one command."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager

from hub.app import open_store, opened_broker
from hub.cli.client import say
from hub.clock import Clock
from hub.config import Config
from hub.model.tokens import TokenUse
from hub.registry.port import Directory, DirectoryWriter, RegistryStore
from hub.registry.service import Registry

SAYS_AFTER_S = 1.0
"""How long a command waits for other writers before it says so."""


class _Patient:
    """A registry's store that says when a change has to wait."""

    def __init__(self, store: RegistryStore) -> None:
        self._store = store

    def reading(self) -> AbstractAsyncContextManager[Directory]:
        """See ``RegistryStore``. Readers never wait."""
        return self._store.reading()

    async def note_uses(self, uses: Mapping[int, TokenUse]) -> None:
        """See ``RegistryStore``."""
        await self._store.note_uses(uses)

    @asynccontextmanager
    async def change(self) -> AsyncIterator[DirectoryWriter]:
        """See ``RegistryStore``."""
        with saying_that_it_waits() as begun:
            async with self._store.change() as directory:
                begun()
                yield directory


@contextmanager
def saying_that_it_waits() -> Iterator[Callable[[], None]]:
    """Say so if what the block waits for takes long. It calls what it is given when the waiting is over."""
    told = asyncio.get_running_loop().call_later(
        SAYS_AFTER_S, say, "Waiting for its turn: another process is writing to the store."
    )
    try:
        yield told.cancel
    finally:
        told.cancel()


@asynccontextmanager
async def opened_registry(config: Config) -> AsyncIterator[Registry]:
    """Gives the registry; creates or migrates the store if needed. Raises TryAgain, Broken."""
    async with opened_broker(config) as broker:
        store = await open_store(config)
        try:
            clock = Clock(store)
            if (found := await clock.judge()) is not None:
                say(f"Warning: {found.says} {found.way_out}")
            yield Registry(_Patient(store.registry), broker=broker, now_us=clock.change_us)
        finally:
            await store.close()
