"""An aiosqlite connection with one round trip to its thread per statement; SQLAlchemy's adapter makes four.

A round trip wakes two threads, which takes many times longer than a short statement in SQLite. The adapter creates a
cursor, executes, fetches all rows and closes the cursor in one round trip each. Here executing and fetching are one
round trip, and cursors are created and closed without any.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite
from aiosqlite.context import contextmanager

T = TypeVar("T")


async def connect_sqlite(path: Path, *, timeout_s: float) -> SqliteConnection:
    """Open the file. A writer waits up to ``timeout_s`` seconds for another. Raises sqlite3.Error."""

    def connector() -> sqlite3.Connection:
        # cursors are created and closed in the event loop's thread, while no statement runs
        return sqlite3.connect(path, timeout=timeout_s, check_same_thread=False)

    connection = SqliteConnection(connector, iter_chunk_size=64)
    connection._thread.daemon = True  # as in SQLAlchemy: a process does not wait for it at exit
    await connection
    return connection


class SqliteConnection(aiosqlite.Connection):
    """See the head of this module."""

    idle = True
    """Whether the thread is idle. After a cancelled task it counts as busy until a later call has ended."""

    @contextmanager
    async def cursor(self) -> aiosqlite.Cursor:
        """Returns a new cursor, without a round trip."""
        return SqliteCursor(self, self._conn.cursor())

    async def rollback(self) -> None:
        """Roll back an open transaction; the pool calls this for every returned connection."""
        if not self.idle or self._conn.in_transaction:
            await super().rollback()

    async def rows(self, sql: str, values: Mapping[str, Any]) -> list[Any]:
        """Run one statement; returns its rows."""
        found: list[Any] = await self._execute(lambda: self._conn.execute(sql, values).fetchall())
        return found

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run several statements in one round trip; returns what ``work`` returns."""
        found: T = await self._execute(lambda: work(self._conn))
        return found

    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self.idle = False  # stays False if the task is cancelled, since the thread continues
        try:
            result = await super()._execute(fn, *args, **kwargs)  # type: ignore[no-untyped-call]
        except Exception:
            self.idle = True
            raise
        self.idle = True  # the thread runs calls in order, so all earlier calls have ended
        return result


class SqliteCursor(aiosqlite.Cursor):
    """A cursor that fetches all rows when it executes a statement."""

    _conn: SqliteConnection

    def __init__(self, connection: SqliteConnection, cursor: sqlite3.Cursor) -> None:
        super().__init__(connection, cursor)
        self._rows: list[Any] = []

    async def execute(self, sql: str, parameters: Iterable[Any] | None = None) -> SqliteCursor:
        """Run one statement and fetch its rows."""
        self._rows = await self._conn._execute(self._run, sql, () if parameters is None else parameters)
        return self

    def _run(self, sql: str, parameters: Any) -> list[Any]:
        return self._cursor.execute(sql, parameters).fetchall()

    async def fetchone(self) -> Any:
        """Returns the next row; None after the last."""
        return next(iter(await self.fetchmany(1)), None)

    async def fetchmany(self, size: int | None = None) -> list[Any]:
        """Returns the next ``size`` rows."""
        number = self._cursor.arraysize if size is None else size
        rows, self._rows = self._rows[:number], self._rows[number:]
        return rows

    async def fetchall(self) -> list[Any]:
        """Returns the remaining rows."""
        rows, self._rows = self._rows, []
        return rows

    async def close(self) -> None:
        """Close the cursor; this takes a round trip only if the thread still runs a statement."""
        if self._conn.idle:
            self._cursor.close()
        else:
            await super().close()
