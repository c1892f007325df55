"""The methods that differ between SQL dialects: each adapter of the store defines them."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import ColumnElement, Row, Select, Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.model.policy import Policy
from hub.store.locks import Locks, NoLocks

T = TypeVar("T")


class RowsWanted(NamedTuple):
    """The parameters of ``Dialect.rows_in``."""

    rows: Table | Select[Any]
    column: ColumnElement[Any]
    values: Sequence[Any]


class ReadingDialect(ABC):
    """The methods that only read."""

    @abstractmethod
    def reading(self) -> contextlib.AbstractAsyncContextManager[AsyncConnection]:
        """A read-only transaction; all reads see one snapshot."""

    async def read_rows(self, statement: Select[Any], values: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        """Returns the rows of a statement that reads all that is needed. Values are as the driver returns them: a
        Boolean may be an integer. The statement is made once and kept.
        """
        async with self.reading() as conn:
            found: Sequence[Row[Any]] = (await conn.execute(statement, values)).all()
            return found

    async def read_row(self, statement: Select[Any], values: Mapping[str, Any]) -> Sequence[Any] | None:
        """Returns the first row of ``read_rows``; None without rows."""
        return next(iter(await self.read_rows(statement, values)), None)

    async def read_in_turn(self, reads: Generator[RowsWanted, Sequence[Sequence[Any]], T]) -> T:
        """Performs reads, each of which may depend on the rows of those before it, as of one moment; returns what the
        generator returns. Rows are as in ``rows_in``, and known by the places of their columns only.
        """
        async with self.reading() as conn:
            try:
                wanted = next(reads)
                while True:
                    wanted = reads.send(await self.rows_in(conn, *wanted))
            except StopIteration as end:
                found: T = end.value
                return found

    @staticmethod
    @abstractmethod
    def joined(bodies: ColumnElement[bytes], seq: ColumnElement[int]) -> ColumnElement[bytes]:
        """An aggregate: ``bodies`` with commas between them. The rows are sorted by ``seq`` already."""

    @abstractmethod
    def sharing(self, shared: str | None) -> contextlib.AbstractAsyncContextManager[AsyncConnection]:
        """As ``reading``, and as of the moment ``shared`` if given. Its sorts use files, not memory."""

    @abstractmethod
    def shared_moment(self) -> contextlib.AbstractAsyncContextManager[str]:
        """See the port."""

    @abstractmethod
    def watch(self) -> AsyncGenerator[None, None]:
        """See the port."""

    @abstractmethod
    async def rows_in(
        self, conn: AsyncConnection, rows: Table | Select[Any], column: ColumnElement[Any], values: Sequence[Any]
    ) -> Sequence[Row[Any]]:
        """Returns the rows of a table or a statement with these values in an indexed column, for any number of values.
        They are as the driver returns them: a Boolean may be an integer.
        """


class Dialect(ReadingDialect):
    """The methods that write, and those of both."""

    @abstractmethod
    def begin(self, *, gives_way: bool = False) -> contextlib.AbstractAsyncContextManager[AsyncConnection]:
        """A write transaction, committed at the end of the block. ``gives_way``: where the database has one writer at a
        time, all that wait without this go first. Raises TryAgain when the server is not available.
        """

    @abstractmethod
    def upsert(self, table: Table, keys: Sequence[str], add: Sequence[str] = ()) -> str:
        """Returns the text of an insert with positional parameters for ``tables.written_columns``, in order. Rows
        with the same ``keys`` are replaced; new values of ``add`` columns are added to the old ones.
        """

    @abstractmethod
    async def many(self, conn: AsyncConnection, sql: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """Run one statement for many rows."""

    @abstractmethod
    def insert(self, table: Table) -> str:
        """Returns the text of a plain insert with the parameters of ``upsert``, for ``many``."""

    def locks(self, conn: AsyncConnection) -> Locks:  # noqa: ARG002 - an adapter with many writers needs it
        """Returns the locks between the steps of several workers; ``NoLocks`` where the database serialises writers."""
        return NoLocks()

    @abstractmethod
    async def announce(self, conn: AsyncConnection) -> None:
        """Notify watchers in other processes when the transaction commits."""

    @abstractmethod
    async def clean(self) -> None:
        """See ``hub/store/erasing_port.ErasingStore``."""

    @abstractmethod
    async def policy_in(self, conn: AsyncConnection) -> Policy:
        """Returns the policy as this transaction sees it."""


def selected(rows: Table | Select[Any]) -> Select[Any]:
    """The statement itself, or that for all columns of a table."""
    return rows if isinstance(rows, Select) else select(rows)
