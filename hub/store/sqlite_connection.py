"""A connection of aiosqlite that goes to its thread once for a statement, where SQLAlchemy's adapter goes four times.

Each time costs both threads a wake-up, which is many times what SQLite itself takes for a short statement. The adapter
asks for a cursor, runs the statement, fetches all rows and closes the cursor; here the statement and its rows are one
question, and what waits for nobody is done at once.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import aiosqlite
from aiosqlite.context import contextmanager


async def connect(path: Path, *, timeout_s: float) -> aiosqlite.Connection:
    """Open the file. A writer waits ``timeout_s`` for another. Raises sqlite3.Error."""

    def connector() -> sqlite3.Connection:
        # cursors are made and closed in the event loop's thread, while no statement runs
        return sqlite3.connect(path, timeout=timeout_s, check_same_thread=False)

    connection = Connection(connector, iter_chunk_size=64)
    connection._thread.daemon = True  # a process that ends waits for no connection; SQLAlchemy's own are so too
    return await connection


class Connection(aiosqlite.Connection):
    """See the head of this module."""

    idle = True
    """Whether the thread has answered all that it was asked. Not so after a question whose asker was cancelled."""

    @contextmanager
    async def cursor(self) -> aiosqlite.Cursor:
        """A cursor, for which nobody waits."""
        return Cursor(self, self._conn.cursor())

    async def rollback(self) -> None:
        """Roll back what is open; the pool calls this for every connection that comes back to it."""
        if not self.idle or self._conn.in_transaction:
            await super().rollback()

    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        try:
            answer = await super()._execute(fn, *args, **kwargs)  # type: ignore[no-untyped-call]
        except asyncio.CancelledError:
            self.idle = False
            raise
        except BaseException:
            self.idle = True
            raise
        self.idle = True  # the thread takes one question after another: those before this one are answered too
        return answer


class Cursor(aiosqlite.Cursor):
    """A cursor that has fetched all rows of its statement."""

    _conn: Connection

    def __init__(self, connection: Connection, cursor: sqlite3.Cursor) -> None:
        super().__init__(connection, cursor)
        self._rows: list[Any] = []

    async def execute(self, sql: str, parameters: Iterable[Any] | None = None) -> Cursor:
        """Run one statement and fetch its rows."""
        self._rows = await self._conn._execute(self._run, sql, () if parameters is None else parameters)
        return self

    def _run(self, sql: str, parameters: Any) -> list[Any]:
        return self._cursor.execute(sql, parameters).fetchall()

    async def fetchall(self) -> list[Any]:
        """The rows, once."""
        rows, self._rows = self._rows, []
        return rows

    async def close(self) -> None:
        """Close: at once, unless the thread still runs a statement."""
        if self._conn.idle:
            self._cursor.close()
        else:
            await super().close()
