"""The connection of the store on SQLite makes one round trip to its thread for a statement, and leaves nothing open."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiosqlite
import pytest
from sqlalchemy import false, select, text, update

from hub.model.errors import TryAgain
from hub.store import sqlite_connection, sqlite_single
from hub.store import tables as t
from hub.store.sqlite import SqliteStore
from hub.store.sqlite_connection import SqliteConnection
from tests.stores import a_store
from tests.waiting import in_a_thread, until

ONE = select(t.hub.c.one)
COUNT = text("select count(*) from policy_changes")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = await a_store(tmp_path / "hub.db", now_us=0)
    async with opened.reading() as conn:
        await conn.execute(COUNT)
    yield opened
    await opened.close()


@pytest.fixture
def calls(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the functions that connections have called in their threads."""
    names: list[str] = []
    ask = aiosqlite.Connection._execute

    async def noted(self: aiosqlite.Connection, fn: Any, *args: Any, **options: Any) -> Any:
        names.append(fn.__name__)
        return await ask(self, fn, *args, **options)  # type: ignore[no-untyped-call]

    monkeypatch.setattr(aiosqlite.Connection, "_execute", noted)
    return names


async def test_a_statement_and_its_rows_are_one_round_trip(store: SqliteStore, calls: list[str]) -> None:
    async with store.reading() as conn:
        for _ in range(3):
            assert (await conn.execute(COUNT)).scalar_one() >= 0
    assert calls == ["_run", "_run", "_run", "_run", "commit"]  # the first is BEGIN


async def test_a_row_that_is_read_alone_is_one_round_trip(store: SqliteStore, calls: list[str]) -> None:
    assert await store.read_row(ONE, {}) == (1,)
    calls.clear()
    assert [await store.read_row(ONE, {}), await store.read_row(ONE.where(false()), {})] == [(1,), None]
    assert len(calls) == 2


async def test_many_rows_that_are_read_alone_at_once_need_few_connections(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []

    async def connect(*args: Any, **options: Any) -> SqliteConnection:
        opened.append(await sqlite_connection.connect_sqlite(*args, **options))
        return opened[-1]

    monkeypatch.setattr(sqlite_single, "connect_sqlite", connect)
    for _ in range(3):
        assert await asyncio.gather(*(store.read_row(ONE, {}) for _ in range(20))) == [(1,)] * 20
    assert 1 <= len(opened) <= 4


async def test_a_connection_is_used_again_after_a_read_was_cancelled(store: SqliteStore) -> None:
    for _ in range(10):
        reading = asyncio.ensure_future(store.read_row(ONE, {}))
        await asyncio.sleep(0)
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reading
    assert await store.read_row(ONE, {}) == (1,)


async def test_what_is_read_alone_is_the_newest_commit(store: SqliteStore) -> None:
    for number in range(3):
        async with store.begin() as conn:
            await conn.execute(update(t.logs).where(t.logs.c.no == 1).values(last_seq=number))
        assert (await store.logs.head(1)).seq == number


async def test_rows_may_be_read_in_parts(store: SqliteStore) -> None:
    three = text("select value from json_each('[1, 2, 3]')")
    async with store.reading() as conn:
        result = await conn.stream(three)
        assert [await result.fetchone(), await result.fetchmany(1), await result.fetchall()] == [(1,), [(2,)], [(3,)]]


async def test_a_writer_that_is_cancelled_while_it_waits_leaves_nothing_open(
    tmp_path: Path, store: SqliteStore, calls: list[str]
) -> None:
    async def write() -> None:
        async with store.begin() as conn:
            await conn.execute(COUNT)

    with contextlib.closing(
        sqlite3.connect(tmp_path / "hub.db", isolation_level=None, check_same_thread=False)
    ) as other:
        in_a_thread(other.execute, "begin immediate")
        async with asyncio.TaskGroup() as tasks:
            writing = tasks.create_task(write())
            await until(lambda: calls)
            writing.cancel()
            in_a_thread(other.execute, "rollback")
        assert writing.cancelled()
        # whoever waits for the file comes in, since nobody holds it
        in_a_thread(other.execute, "begin immediate")
        in_a_thread(other.execute, "rollback")
    await write()


async def test_a_statement_that_fails_leaves_the_connection_usable(store: SqliteStore) -> None:
    with pytest.raises(TryAgain, match="no such table"):
        async with store.begin() as conn:
            await conn.execute(text("select * from missing"))
    async with store.begin() as conn:
        assert (await conn.execute(COUNT)).scalar_one() >= 0
