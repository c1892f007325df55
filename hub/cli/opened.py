"""The store and the broker of a configuration, opened for the length of one command."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from hub.config import Config, PostgresAt, SqliteAt
from hub.model.errors import Broken
from hub.registry.desk import wall_clock_us
from hub.registry.service import Registry

if TYPE_CHECKING:
    from hub.store.sql import SqlStore


@asynccontextmanager
async def opened_registry(config: Config) -> AsyncIterator[Registry]:
    """The registry of this deployment; the store is made and migrated where needed. Raises TryAgain, Broken."""
    store = await open_store(config)
    try:
        yield Registry(store)
    finally:
        await store.close()


async def open_store(config: Config) -> SqlStore:
    """The store of this deployment."""
    match config.database:
        case SqliteAt(path):
            from hub.store.sqlite import open_sqlite

            return await open_sqlite(path, now_us=wall_clock_us())
        case PostgresAt():
            raise Broken("store.postgres", "PostgreSQL is not here yet.", "Leave DATABASE_URL out.")
