"""Stores of tests that are about what is in them: with the schema from the start, and on SQLite without fsync.

Making the schema takes a tenth of a second, copying a file that has it a few milliseconds. That a store makes and
migrates itself, and keeps what was committed, is tested in ``tests/contracts/`` and ``tests/registry/``.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import event, select
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from hub.log.embedded import EmbeddedLog
from hub.model.claims import Change
from hub.model.words import Seq
from hub.store import tables as t
from hub.store.migrations import upgrade
from hub.store.port import WHOLE_LOG, Filter
from hub.store.postgres_address import Address
from hub.store.sql import SqlStore
from hub.store.sqlite import SqliteStore, open_sqlite
from tests.servers.postgres import Postgres
from tests.waiting import in_a_thread


async def a_store(path: Path, *, now_us: int) -> SqliteStore:
    """The store in this file, of a new hub where there is none yet."""
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_bytes(_migrated_file())
    store = await open_sqlite(path, now_us=now_us)
    event.listen(store.engine.sync_engine, "connect", _without_fsync)
    await store.engine.dispose()  # the connection that is there already
    return store


async def a_log(path: Path) -> EmbeddedLog:
    """The log in this file."""
    log = await EmbeddedLog.open(path)
    await log._in_thread(lambda: _without_fsync(log._db))
    return log


async def rows_of_log(
    store: SqlStore,
    log: int = 1,
    after: int = 0,
    by: Filter = WHOLE_LOG,
    *,
    limit: int = 1_000_000,
    limit_bytes: int = 1 << 40,
) -> list[Change]:
    """A page of a log, everything by default, with what the table says of each row besides."""
    page = await store.logs.page(log, Seq(after), limit=limit, limit_bytes=limit_bytes, by=by)
    c = t.changes.c
    async with store.reading() as conn:
        chained = (await conn.execute(select(c.seq, c.first, c.before).where(c.log == log))).all()
    chain = {row.seq: (bool(row.first), row.before) for row in chained}
    return [
        Change(
            log, row.seq, row.object_id, row.type, bool(row.withdrawn), row.date_added_us, row.version_us, body,
            *chain[row.seq],
        )
        for row, body in page.with_bodies()
    ]  # fmt: skip


def a_migrated_database(postgres: Postgres, name: str) -> str:
    """The URL of a new database that has the schema, and no hub yet."""
    return postgres.create_database(name, _migrated_template(postgres))


def _without_fsync(connection: Any, _record: object = None) -> None:
    connection.execute("pragma synchronous=off").close()
    connection.execute("pragma secure_delete=off").close()  # as most systems have it: what is deleted stays in the file


@cache
def _migrated_file() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hub.db"
        in_a_thread(asyncio.run, _migrate(create_async_engine(f"sqlite+aiosqlite:///{path}")))
        return path.read_bytes()


@cache
def _migrated_template(postgres: Postgres) -> str:
    name = f"migrated{os.getpid()}"
    url = postgres.create_database(name)

    async def migrate() -> None:
        address = await Address.of(url)
        await _migrate(create_async_engine("postgresql+asyncpg://", async_creator=address.connect))

    in_a_thread(asyncio.run, migrate())
    return name


async def _migrate(engine: AsyncEngine) -> None:
    try:
        await upgrade(engine)
    finally:
        await engine.dispose()
