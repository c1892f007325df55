"""Opens the registry of a configuration, with its broker, for the duration of one command."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hub.app import open_store, opened_broker
from hub.cli.client import say
from hub.clock import Clock
from hub.config import Config
from hub.registry.service import Registry


@asynccontextmanager
async def opened_registry(config: Config) -> AsyncIterator[Registry]:
    """Gives the registry; creates or migrates the store if needed. Raises TryAgain, Broken."""
    async with opened_broker(config) as broker:
        store = await open_store(config)
        try:
            clock = Clock(store)
            if (found := await clock.judge()) is not None:
                say(f"Warning: {found.says} {found.way_out}")
            yield Registry(store.registry, broker=broker, now_us=clock.change_us)
        finally:
            await store.close()
