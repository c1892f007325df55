"""The store on SQLite: one file, WAL, fsync at each commit. Writers wait for one another; readers never wait."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, LargeBinary, Row, Select, Table, cast, event, func, literal_column, select, text
from sqlalchemy.dialects.sqlite import dialect as sqlite_dialect
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from hub.sqlite_file import write_anew
from hub.store import sqlite_connection, sqlite_errors
from hub.store import tables as t
from hub.store.bootstrap import ensure_content
from hub.store.chunks import chunks
from hub.store.dialect import RowsWanted, selected
from hub.store.migrations import upgrade
from hub.store.sql import SqlStore
from hub.store.sqlite_precedence import Precedence
from hub.store.sqlite_single import SingleReads
from hub.store.tables import written_columns

T = TypeVar("T")
_BUSY_S = 60
"""How long a writer waits for another, in seconds. On a slow disk or a busy machine a step takes seconds."""
_MOST_VALUES = 512
"""The most parameters of a statement that reads rows by a column: a power of two."""
_POLL_S = 0.01
"""The interval in which a watcher checks for commits of other processes; a check takes 10 microseconds."""


async def open_sqlite(path: Path, *, now_us: int) -> SqliteStore:
    """Open the store in this file; create or migrate it if needed. ``now_us`` is the creation time of a new store.

    Raises TryAgain when the store is busy, Broken when the file is damaged or not accessible.
    """
    precedence = await asyncio.to_thread(_make, path)
    engine = await asyncio.to_thread(sqlite_engine, path)
    store = SqliteStore(engine, path, precedence)
    try:
        with sqlite_errors.told_plainly(path):
            await upgrade(engine)
        await ensure_content(store, now_us)
    except BaseException:
        await store.close()
        raise
    return store


def _make(path: Path) -> Precedence:
    """Create the file, readable by the hub's user only, as it has secrets. SQLite's other files get the same mode."""
    with sqlite_errors.access_told(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600, exist_ok=True)
    sqlite_errors.ensure_whole(path)
    _use_wal(path)
    with sqlite_errors.access_told(path):
        return Precedence(path.with_name(f"{path.name}-asking"))


def _use_wal(path: Path) -> None:
    with sqlite_errors.told_plainly(path), contextlib.closing(sqlite3.connect(path, timeout=_BUSY_S)) as connection:
        until = time.monotonic() + _BUSY_S
        while True:
            try:
                connection.execute("pragma journal_mode=wal")  # the file keeps it
            except sqlite3.OperationalError as error:
                # when two connections change it at once, SQLite refuses one of them without waiting
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                    raise
                time.sleep(_POLL_S)
            else:
                return


def sqlite_engine(path: Path) -> AsyncEngine:
    """Returns an engine for an existing, migrated file, with the settings and transactions of the store."""
    engine = create_async_engine(
        f"sqlite+aiosqlite:///{path}",
        async_creator=partial(sqlite_connection.connect_sqlite, path, timeout_s=_BUSY_S),
        pool_size=4,
        max_overflow=12,
        pool_use_lifo=True,  # reuse the connection with the warm cache
    )

    @event.listens_for(engine.sync_engine, "connect")
    def _settings(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # BEGIN is sent explicitly
        cursor = connection.cursor()
        for pragma in ("synchronous=full", "cache_size=-32768", "temp_store=memory", "wal_autocheckpoint=4000"):
            cursor.execute(f"pragma {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Any) -> None:
        # upgrading a read transaction to a write transaction may fail with "database is locked": BEGIN IMMEDIATE
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("begin immediate" if writes else "begin")

    return engine


class SqliteStore(SqlStore):
    """See ``hub/store/port.Store``."""

    def __init__(self, engine: AsyncEngine, path: Path, precedence: Precedence) -> None:
        super().__init__(engine)
        self._path = path
        self._precedence = precedence
        self._single = SingleReads(path, timeout_s=_BUSY_S)

    @contextlib.asynccontextmanager
    async def begin(self, *, gives_way: bool = False) -> AsyncIterator[AsyncConnection]:
        """See ``SqlStore``."""
        with sqlite_errors.told_plainly(self._path):
            async with self.engine.connect() as conn, contextlib.AsyncExitStack() as stack:
                await conn.execution_options(writes=True)
                if gives_way:
                    await self._precedence.give_way()
                    await stack.enter_async_context(conn.begin())
                else:
                    async with self._precedence.asking():
                        await stack.enter_async_context(conn.begin())
                yield conn

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """See ``SqlStore``."""
        with sqlite_errors.told_plainly(self._path):
            async with self.engine.connect() as conn, conn.begin():
                yield conn

    async def read_rows(self, statement: Select[Any], values: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        """See ``Dialect``."""
        with sqlite_errors.told_plainly(self._path):
            return await self._single.rows(statement, values)

    async def read_in_turn(self, reads: Generator[RowsWanted, Sequence[Sequence[Any]], T]) -> T:
        """See ``Dialect``. All of it is one round trip to the thread of a connection."""

        def work(connection: sqlite3.Connection) -> T:
            connection.execute("begin")
            try:
                wanted = next(reads)
                while True:
                    parts = _statements(*wanted)
                    wanted = reads.send([row for sql, some in parts for row in connection.execute(sql, some)])
            except StopIteration as end:
                found: T = end.value
                return found
            finally:
                connection.execute("rollback")

        with sqlite_errors.told_plainly(self._path):
            return await self._single.run(work)

    @staticmethod
    def joined(bodies: ColumnElement[bytes], seq: ColumnElement[int]) -> ColumnElement[bytes]:  # noqa: ARG004
        """See ``SqlStore``. The result of ``group_concat`` would be decoded as text."""
        return cast(func.group_concat(bodies, literal_column("','")), LargeBinary)

    @contextlib.asynccontextmanager
    async def sharing(self, shared: str | None) -> AsyncIterator[AsyncConnection]:  # noqa: ARG002
        """See ``SqlStore``. The snapshot begins with the first read."""
        with sqlite_errors.told_plainly(self._path):
            async with self.engine.connect() as conn:
                driver = (await conn.get_raw_connection()).driver_connection
                assert driver is not None  # noqa: S101 - it is connected
                await driver.execute("pragma temp_store=file")
                try:
                    async with conn.begin():
                        await conn.execute(select(t.hub.c.one))
                        yield conn
                finally:
                    await driver.execute("pragma temp_store=memory")

    @contextlib.asynccontextmanager
    async def shared_moment(self) -> AsyncIterator[str]:
        """See the port. While nobody can write, all snapshots are of the same moment."""
        async with self.begin() as conn:
            yield ""
            await conn.rollback()

    async def clean(self) -> None:
        """See ``SqlStore``."""
        with sqlite_errors.told_plainly(self._path):
            async with self._precedence.asking():
                await asyncio.to_thread(write_anew, self._path, timeout_s=_BUSY_S)

    async def close(self) -> None:
        """See the port."""
        await super().close()
        await self._single.close()
        self._precedence.close()

    async def watch(self) -> AsyncGenerator[None, None]:
        """See the port: ``data_version`` changes when another connection has committed.

        A separate thread checks it: a hundred checks per second in the event loop would cost a tenth of a core.
        """
        loop, changed, stop = asyncio.get_running_loop(), asyncio.Event(), threading.Event()
        ended: list[BaseException | None] = []

        def tell() -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(changed.set)

        def look() -> None:
            try:
                _look_for_commits(self._path, stop, tell)
                ended.append(None)
            except sqlite3.Error as error:
                ended.append(error)
            tell()

        threading.Thread(target=look, name="store-watch", daemon=True).start()
        try:
            while not ended:
                await changed.wait()
                changed.clear()
                yield
            with sqlite_errors.told_plainly(self._path):
                raise ended[0] or sqlite3.OperationalError("the watch has ended")
        finally:
            stop.set()

    def upsert(self, table: Table, keys: Sequence[str], add: Sequence[str] = ()) -> str:
        """See ``SqlStore``."""
        name = table.name
        sets = ", ".join(
            f'"{c.name}" = "{name}"."{c.name}" + excluded."{c.name}"'
            if c.name in add
            else f'"{c.name}" = excluded."{c.name}"'
            for c in written_columns(table)
            if c.name not in keys
        )
        on = ", ".join(f'"{key}"' for key in keys)
        return f"{self.insert(table)} on conflict ({on}) do update set {sets}"

    def insert(self, table: Table) -> str:
        """See ``SqlStore``."""
        names = [column.name for column in written_columns(table)]
        into = ", ".join(f'"{name}"' for name in names)
        return f'insert into "{table.name}" ({into}) values ({", ".join("?" * len(names))})'  # noqa: S608

    async def rows_in(
        self, conn: AsyncConnection, rows: Table | Select[Any], column: ColumnElement[Any], values: Sequence[Any]
    ) -> Sequence[Row[Any]]:
        """See ``SqlStore``. SQLAlchemy would write a statement anew for each number of values."""
        found: list[Row[Any]] = []
        for sql, some in _statements(rows, column, values):
            found.extend((await conn.exec_driver_sql(sql, some)).all())
        return found

    async def announce(self, conn: AsyncConnection) -> None:
        """Does nothing: watchers poll the file."""

    async def many(self, conn: AsyncConnection, sql: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """See ``SqlStore``."""
        await conn.exec_driver_sql(sql, list(rows))


def _statements(
    rows: Table | Select[Any], column: ColumnElement[Any], values: Sequence[Any]
) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """The statements of ``rows_in`` with their parameters."""
    for some in chunks(values, _MOST_VALUES):
        number = 1 << (len(some) - 1).bit_length()  # few statements, which SQLite keeps prepared
        yield _rows_in(rows, column, number), (*some, *[some[0]] * (number - len(some)))


@lru_cache(maxsize=256)
def _rows_in(rows: Table | Select[Any], column: ColumnElement[Any], number: int) -> str:
    """The text of a statement with ``number`` parameters for the values of a column."""
    wanted = text(f"{column} in ({', '.join('?' * number)})")
    return str(selected(rows).where(wanted).compile(dialect=sqlite_dialect()))


def _look_for_commits(path: Path, stop: threading.Event, tell: Callable[[], None]) -> None:
    """Call ``tell`` at the start and after each commit of another connection, until ``stop`` is set."""
    with contextlib.closing(sqlite3.connect(path, timeout=_BUSY_S)) as connection:
        seen = None
        while True:
            now = connection.execute("pragma data_version").fetchone()
            if now != seen:
                seen = now
                tell()
            if stop.wait(_POLL_S):
                return
