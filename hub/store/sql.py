"""The store on SQLAlchemy Core: what both dialects share. ``hub/store/dialect`` declares what differs.

Connections are used only inside ``hub/store``. For other packages there is one reader class for each subject.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Collection

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from hub.model.clock import Alive, StoredTimes
from hub.model.errors import HubError
from hub.model.policy import Policy
from hub.model.tasks import DueTask, TaskProgress
from hub.model.words import Positions, TopicPartition
from hub.store import clock, policy_changes, tasks
from hub.store import tables as t
from hub.store.clock import PutBack
from hub.store.dialect import Dialect
from hub.store.directory import SqlRegistry, read_policy
from hub.store.erasing import SqlErasing
from hub.store.intake import SqlIntake
from hub.store.journal import SqlJournal
from hub.store.logs import SqlLogs
from hub.store.own_claims import SqlOwnClaims
from hub.store.repairs import SqlRepairs
from hub.store.snapshot import SqlSnapshot
from hub.store.things import SqlThings
from hub.store.transaction import SqlTransaction
from hub.store.webhooks import SqlWebhooks


class SqlStore(Dialect):
    """See ``hub/store/port.Store``; an adapter adds its dialect."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.registry = SqlRegistry(self)
        self.logs = SqlLogs(self)
        self.things = SqlThings(self)
        self.own_claims = SqlOwnClaims(self)
        self.intake = SqlIntake(self)
        self.erasing = SqlErasing(self)
        self.journal = SqlJournal(self)
        self.webhooks = SqlWebhooks(self)
        self._policy: Policy | None = None

    # ------------------------------------------------------------ worker

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[SqlTransaction]:
        """See the port."""
        async with self.begin(gives_way=True) as conn:
            yield SqlTransaction(self, conn)

    async def positions(self, partitions: Collection[TopicPartition]) -> Positions:
        """See the port."""
        wanted = set(partitions)
        return {at: position for at, position in (await self.all_positions()).items() if at in wanted}

    async def due(self, now_us: int) -> list[DueTask]:
        """See the port."""
        async with self.reading() as conn:
            return await tasks.due(conn, now_us)

    async def progress(self) -> list[TaskProgress]:
        """See the port."""
        async with self.reading() as conn:
            return await tasks.progress(conn)

    async def all_positions(self) -> Positions:
        """Returns the next position of every partition."""
        return {at: reached.next for at, reached in (await self.intake.reached()).items()}

    # ------------------------------------------------------------ verification

    @contextlib.asynccontextmanager
    async def snapshot(self, shared: str | None = None) -> AsyncIterator[SqlSnapshot]:
        """See the port."""
        async with self.sharing(shared) as conn:
            # not from the cache: another transaction may have read a newer policy
            yield await SqlSnapshot(self, conn).begin(await read_policy(conn))

    @contextlib.asynccontextmanager
    async def repairing(self) -> AsyncIterator[SqlRepairs]:
        """See the port."""
        async with self.begin(gives_way=True) as conn:
            tx = SqlRepairs(self, conn)
            await tx.alone()
            yield tx

    # ------------------------------------------------------------ clock

    async def stored_times(self) -> StoredTimes:
        """Returns the times in the store that the clock is compared with."""
        async with self.reading() as conn:
            return await clock.read_times(conn)

    async def mark_alive(self, boot: str, alive: Alive) -> None:
        """Record that a worker is alive."""
        async with self.begin() as conn:
            await clock.mark_alive(conn, boot, alive)

    async def put_back(self, now_us: int, *, later_than_us: int) -> PutBack:
        """Correct later times, in one transaction; see ``hub/store/clock``."""
        async with self.begin() as conn:
            return await clock.put_back(conn, now_us, later_than_us=later_than_us)

    # ------------------------------------------------------------ policy

    async def policy(self) -> Policy:
        """See the port."""
        cached, found = self._policy, await self.read_row(policy_changes.NUMBER, {})
        if cached is not None and found is not None and found[0] == cached.number:
            return cached
        async with self.reading() as conn:
            return await self.policy_in(conn)

    async def policy_in(self, conn: AsyncConnection) -> Policy:
        """See ``Dialect``."""
        number = await policy_changes.policy_number(conn)
        if self._policy is None or self._policy.number != number:
            self._policy = await self._read_policy(conn)
        return self._policy

    async def _read_policy(self, conn: AsyncConnection) -> Policy:
        """Returns the policy of one snapshot, which is not older than this transaction's last statement."""
        return await read_policy(conn)

    # ------------------------------------------------------------ key, readiness, closing

    async def key(self) -> bytes:
        """See the port."""
        async with self.reading() as conn:
            return bytes((await conn.execute(select(t.hub.c.cursor_key))).scalar_one())

    async def ready(self) -> bool:
        """See the port."""
        try:
            async with self.reading() as conn:
                await conn.execute(select(t.hub.c.one))
        except HubError:
            return False
        return True

    async def close(self) -> None:
        """See the port."""
        await self.engine.dispose()
