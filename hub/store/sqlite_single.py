"""Statements that are read alone, without SQLAlchemy's connections: those take ten times as long as a short statement.

A statement alone is a transaction in SQLite. There are few connections: many reads at once wait for one another, which
takes less time than opening a connection for each.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Select
from sqlalchemy.dialects.sqlite import dialect
from sqlalchemy.sql.compiler import SQLCompiler

from hub.store.sqlite_connection import SqliteConnection, connect_sqlite

_CONNECTIONS = 4
T = TypeVar("T")


class SingleReads:
    """Reads with single statements; opens its connections when it needs them. Raises sqlite3.Error."""

    def __init__(self, path: Path, *, timeout_s: float) -> None:
        self._path = path
        self._timeout_s = timeout_s
        self._turn = asyncio.Semaphore(_CONNECTIONS)
        self._unused: list[SqliteConnection] = []

    async def rows(self, statement: Select[Any], values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Returns the rows of a statement, with values as the driver returns them."""
        compiled = _compiled(statement)
        parameters = compiled.construct_params(dict(values))
        return await self.run(lambda connection: connection.execute(compiled.string, parameters).fetchall())

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Returns what ``work`` reads; it ends any transaction that it begins."""
        async with self._turn:
            connection = self._unused.pop() if self._unused else await self._open()  # the last one has a warm cache
            try:
                return await connection.run(work)
            finally:
                self._unused.append(connection)  # a statement that was cancelled ends before the next one begins

    async def close(self) -> None:
        """Close the connections."""
        while self._unused:
            await self._unused.pop().close()

    async def _open(self) -> SqliteConnection:
        connection = await connect_sqlite(self._path, timeout_s=self._timeout_s)
        for pragma in ("query_only=on", "cache_size=-8192", "temp_store=memory"):
            await connection.rows(f"pragma {pragma}", {})
        return connection


@lru_cache(maxsize=512)
def _compiled(statement: Select[Any]) -> SQLCompiler:
    """The text of a statement, which is made once: callers keep their statements."""
    compiled = statement.compile(dialect=dialect(paramstyle="named"))
    assert isinstance(compiled, SQLCompiler)  # noqa: S101 - as for every Select
    return compiled
