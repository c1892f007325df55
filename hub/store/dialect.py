"""What a dialect of SQL changes: the methods that each adapter of the store defines for itself."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.model.policy import Policy
from hub.store.chunks import chunks
from hub.store.locks import Locks, NoLocks


class Dialect(ABC):
    """See the head of this module."""

    @abstractmethod
    def begin(self) -> contextlib.AbstractAsyncContextManager[AsyncConnection]:
        """A transaction that may write; commits at the end of the block. Raises TryAgain when the server is away."""

    @abstractmethod
    def reading(self) -> contextlib.AbstractAsyncContextManager[AsyncConnection]:
        """A transaction that only reads, all of it at one moment."""

    @abstractmethod
    def watch(self) -> AsyncGenerator[None, None]:
        """See the port."""

    @abstractmethod
    def upsert(self, table: Table, keys: Sequence[str], add: Sequence[str] = ()) -> str:
        """The text of an insert with positional parameters for all columns of ``table`` in their order; a row with
        the same ``keys`` is replaced, except that ``add`` columns grow by the new value."""

    @abstractmethod
    async def many(self, conn: AsyncConnection, sql: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """Run one statement for many rows."""

    @abstractmethod
    def insert(self, table: Table, columns: Sequence[str] | None = None) -> str:
        """The text of a plain insert with positional parameters, for ``many``."""

    def locks(self, conn: AsyncConnection) -> Locks:  # noqa: ARG002 - an adapter with many writers needs it
        """What keeps the steps of several workers apart; nothing where writers are serialised anyway."""
        return NoLocks()

    @abstractmethod
    async def announce(self, conn: AsyncConnection) -> None:
        """Tell watchers in other processes, with the commit."""

    @abstractmethod
    async def policy_in(self, conn: AsyncConnection) -> Policy:
        """The policy as this transaction sees it."""

    async def rows_in(
        self, conn: AsyncConnection, table: Table, column: ColumnElement[Any], values: Sequence[Any]
    ) -> Sequence[Row[Any]]:
        """The rows with these values in an indexed column, however many they are."""
        found: list[Row[Any]] = []
        for some in chunks(values):
            found.extend((await conn.execute(select(table).where(column.in_(some)))).all())
        return found
