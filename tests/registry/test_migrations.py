"""The migrated schema is that of ``tables.py``, in both dialects; opening is safe at once and with newer stores."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from hub.model.errors import Broken
from hub.store import migrations
from hub.store.migrations import HEAD, upgrade, version
from hub.store.sqlite import open_sqlite
from hub.store.tables import metadata
from tests.registry.builders import NOON_US
from tests.servers.postgres import Postgres


def _differences(connection: Connection) -> list[Any]:
    context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
    found = compare_metadata(context, metadata)
    return [each for each in found if "alembic_version" not in str(each)]


async def _assert_as_in_tables(engine: AsyncEngine) -> None:
    await upgrade(engine)
    async with engine.connect() as conn:
        assert await version(conn) == HEAD
        assert await conn.run_sync(_differences) == []


async def test_sqlite_is_migrated_to_what_tables_say(tmp_path: Path) -> None:
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'store.sqlite'}")
    try:
        await _assert_as_in_tables(engine)
    finally:
        await engine.dispose()


async def test_postgresql_is_migrated_to_what_tables_say(postgres: Postgres, postgres_url: str) -> None:
    address = postgres_url.replace("postgresql://", "postgresql+asyncpg://")
    trusting = ssl.create_default_context(cafile=str(postgres.ca_file))
    engine = create_async_engine(address, connect_args={"ssl": trusting})
    try:
        await asyncio.gather(*(upgrade(engine) for _ in range(4)))
        await _assert_as_in_tables(engine)
    finally:
        await engine.dispose()


def test_the_head_is_the_newest_script() -> None:
    scripts = ScriptDirectory(Path(migrations.__file__).parent)
    assert scripts.get_heads() == [HEAD]


async def test_many_may_open_a_new_store_at_once(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    stores = await asyncio.gather(*(open_sqlite(path, now_us=NOON_US) for _ in range(6)))
    try:
        policies = [await store.policy() for store in stores]
        assert len({policy.namespace for policy in policies}) == 1
        assert {len(policy.collections) for policy in policies} == {3}
    finally:
        for store in stores:
            await store.close()


async def test_a_store_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    store = await open_sqlite(path, now_us=NOON_US)
    async with store.begin() as conn:
        await conn.execute(text("update alembic_version set version_num = '9999'"))
    await store.close()
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
    try:
        with pytest.raises(Broken, match="9999"):
            await upgrade(engine)
    finally:
        await engine.dispose()
