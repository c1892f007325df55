"""The store on PostgreSQL: several concurrent workers, bulk writes by COPY, LISTEN and NOTIFY for watchers.

A step runs at READ COMMITTED, so that it reads the newest commits after a lock was granted. Readers see one snapshot.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Table, any_, bindparam, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from hub.model.policy import Policy
from hub.store import forgotten_tables as ft
from hub.store import tables as t
from hub.store.bootstrap import ensure_content
from hub.store.dialect import selected
from hub.store.directory import read_policy
from hub.store.migrations import upgrade
from hub.store.postgres_address import CONNECT_WITHIN_S, Address
from hub.store.postgres_bulk import Bulk
from hub.store.postgres_errors import AWAY, Contended, LockTableFull, told_plainly
from hub.store.postgres_locks import ALONE_FOR, AdvisoryLocks, LockRoom, room_of
from hub.store.sql import SqlStore

POOL = 10
CHANNEL = "ctihub"
CLEAN_WITHIN_S = 86_400.0
ERASABLE = (
    t.contributions, t.referring, t.placements, t.named_values, t.views, t.past_ids, t.changes, t.receipt_parts, t.held,
    t.tasks, t.pins, t.policy_changes, ft.forgettings, ft.unwanted,
)  # fmt: skip
"""The tables in which a value may have been that was erased."""
POLL_S = 1.0
"""How often a watcher yields without a notification, in seconds: the server may lose notifications."""
RECONNECT_S = (0.1, 0.5, 1.0)


async def open_postgres(url: str, *, now_us: int) -> PostgresStore:
    """Open the store in this database (``postgresql://…``); create or migrate it if needed.

    ``now_us`` is the creation time of a new store. Raises TryAgain when the server is not available, Broken when it
    refuses the connection or the URL is wrong.
    """
    address = await Address.of(url)
    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=address.connect,
        pool_size=POOL,
        max_overflow=POOL,
        pool_timeout=CONNECT_WITHIN_S,
    )
    try:
        with told_plainly():
            await upgrade(engine)
            async with engine.connect() as conn:
                room = await room_of(conn)
        store = PostgresStore(engine, address, room)
        await ensure_content(store, now_us)
    except BaseException:
        await engine.dispose()
        raise
    return store


class PostgresStore(SqlStore):
    """See ``hub/store/port.Store``."""

    def __init__(self, engine: AsyncEngine, address: Address, room: LockRoom) -> None:
        super().__init__(engine)
        self.address = address
        self.room = room
        self._bulk = Bulk()

    @contextlib.asynccontextmanager
    async def begin(self, *, gives_way: bool = False) -> AsyncIterator[AsyncConnection]:  # noqa: ARG002
        """See ``SqlStore``. Operators' changes do not wait for steps: these lock no row that a change writes."""
        try:
            with told_plainly():
                async with self.engine.connect() as conn, conn.begin():
                    yield conn
        except Contended:
            self.room.run_alone(1)
            raise
        except LockTableFull:
            self.room.run_alone(ALONE_FOR)
            raise

    @staticmethod
    def joined(bodies: ColumnElement[bytes], seq: ColumnElement[int]) -> ColumnElement[bytes]:
        """See ``SqlStore``."""
        return func.string_agg(bodies, aggregate_order_by(literal(b","), seq))

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """See ``SqlStore``."""
        with told_plainly():
            async with self.engine.connect() as conn:
                await conn.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
                async with conn.begin():
                    yield conn

    @contextlib.asynccontextmanager
    async def sharing(self, shared: str | None) -> AsyncIterator[AsyncConnection]:
        """See ``SqlStore``."""
        async with self.reading() as conn:
            if shared:  # a name that PostgreSQL has given; the statement takes no parameters
                await conn.exec_driver_sql(f"set transaction snapshot '{shared}'")
            await conn.execute(select(t.hub.c.one))
            yield conn

    @contextlib.asynccontextmanager
    async def shared_moment(self) -> AsyncIterator[str]:
        """See the port."""
        async with self.reading() as conn:
            yield str((await conn.exec_driver_sql("select pg_export_snapshot()")).scalar_one())

    async def watch(self) -> AsyncGenerator[None, None]:
        """See the port. Never ends and never raises: while the server is not available, it yields at each attempt."""
        failed = 0
        while True:
            try:
                async with _listening(self.address) as woken:
                    failed = 0
                    while True:
                        yield
                        with contextlib.suppress(TimeoutError):
                            async with asyncio.timeout(POLL_S):
                                await woken.next()
            except AWAY:
                yield
                await asyncio.sleep(RECONNECT_S[min(failed, len(RECONNECT_S) - 1)])
                failed += 1

    async def _read_policy(self, conn: AsyncConnection) -> Policy:  # noqa: ARG002 - it may see many moments
        """See ``SqlStore``. It reads in several statements but from one snapshot."""
        async with self.reading() as still:
            return await read_policy(still)

    def upsert(self, table: Table, keys: Sequence[str], add: Sequence[str] = ()) -> str:
        """See ``SqlStore``."""
        return self._bulk.upsert(table, keys, add)

    def insert(self, table: Table) -> str:
        """See ``SqlStore``."""
        return self._bulk.insert(table)

    async def many(self, conn: AsyncConnection, sql: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """See ``SqlStore``."""
        raw = await conn.get_raw_connection()
        await self._bulk.write(raw.driver_connection, sql, rows)

    async def rows_in(
        self, conn: AsyncConnection, rows: Table | Select[Any], column: ColumnElement[Any], values: Sequence[Any]
    ) -> Sequence[Row[Any]]:
        """See ``SqlStore``. The values are one array, so that a statement is planned once for any number of values."""
        if not values:
            return []
        wanted = bindparam(None, list(values), type_=ARRAY(column.type))
        found: Sequence[Row[Any]] = (await conn.execute(selected(rows).where(column == any_(wanted)))).all()
        return found

    def locks(self, conn: AsyncConnection) -> AdvisoryLocks:
        """See ``SqlStore``."""
        return AdvisoryLocks(conn, self.room)

    async def clean(self) -> None:
        """See ``SqlStore``. One table after the other: each lock is released before the next is taken.

        The samples that the planner keeps of the values in a table are made anew too.
        """
        with told_plainly():
            connection = await self.address.connect()
            try:
                for table in ERASABLE:
                    await connection.execute(f"vacuum (full, analyze) {table.name}", timeout=CLEAN_WITHIN_S)
                await connection.execute("vacuum full pg_catalog.pg_statistic", timeout=CLEAN_WITHIN_S)
            finally:
                await connection.close()

    async def announce(self, conn: AsyncConnection) -> None:
        """See ``SqlStore``. One notification without content per transaction: such commits wait for one another."""
        await conn.exec_driver_sql(f"notify {CHANNEL}")


# ---------------------------------------------------------------- notifications


class _Woken:
    """An event that each notification sets; it ends with the connection."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._gone = False

    def ring(self, *_: object) -> None:
        self._event.set()

    def end(self, *_: object) -> None:
        self._gone = True
        self._event.set()

    async def next(self) -> None:
        """Wait for a notification after the last call. Raises ConnectionError when the connection has ended."""
        await self._event.wait()
        self._event.clear()
        if self._gone:
            raise ConnectionError("the listening connection has ended")


@contextlib.asynccontextmanager
async def _listening(address: Address) -> AsyncIterator[_Woken]:
    """A dedicated connection for LISTEN: pooled connections are busy and are reset between uses."""
    connection = await address.connect()
    woken = _Woken()
    try:
        connection.add_termination_listener(woken.end)
        await connection.add_listener(CHANNEL, woken.ring)
        yield woken
    finally:
        connection.terminate()  # no statement is pending; ``close`` would wait for a server that may not be available
