"""The store over SQLAlchemy Core: what both dialects share. What a dialect changes stands in ``hub/store/dialect``."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Collection, Iterable

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from hub.model.claims import Change, Claim, View, claim_key
from hub.model.clock import Alive, Seen
from hub.model.errors import HubError
from hub.model.policy import Policy
from hub.model.words import CanonicalKey, Positions, Seq, StixId, TopicPartition
from hub.model.writes import Head
from hub.store import clock, policy_changes, reading, tasks
from hub.store import tables as t
from hub.store.clock import PutBack
from hub.store.dialect import Dialect
from hub.store.directory import SqlRegistry, read_policy
from hub.store.port import Filter, LogEnd
from hub.store.rows import claim_of, past_view_of, view_of
from hub.store.transaction import SqlTransaction


class SqlStore(Dialect):
    """See ``hub/store/port.Store``; an adapter adds its dialect."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.registry = SqlRegistry(self)
        self._policy: Policy | None = None

    # ------------------------------------------------------------ worker

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[SqlTransaction]:
        """See the port."""
        async with self.begin() as conn:
            yield SqlTransaction(self, conn)

    async def positions(self, partitions: Collection[TopicPartition]) -> Positions:
        """See the port."""
        wanted = set(partitions)
        return {at: position for at, position in (await self.all_positions()).items() if at in wanted}

    async def has_due(self, now_us: int) -> bool:
        """See the port."""
        async with self.look() as conn:
            return bool((await conn.execute(select(tasks.is_due(now_us)))).scalar_one())

    async def all_positions(self) -> Positions:
        """How far every partition has been carried."""
        async with self.look() as conn:
            return {at: reached.next for at, reached in (await reading.reached(conn)).items()}

    # ------------------------------------------------------------ clock

    async def seen(self) -> Seen:
        """The times that the store holds, by which a clock is judged."""
        async with self.look() as conn:
            return await clock.read_seen(conn)

    async def mark_alive(self, boot: str, alive: Alive) -> None:
        """Note that a worker works now."""
        async with self.begin() as conn:
            await clock.mark_alive(conn, boot, alive)

    async def put_back(self, now_us: int, *, later_than_us: int) -> PutBack:
        """Put back what is dated later, whole or not at all."""
        async with self.begin() as conn:
            return await clock.put_back(conn, now_us, later_than_us=later_than_us)

    # ------------------------------------------------------------ policy

    async def policy(self) -> Policy:
        """See the port."""
        async with self.look() as conn:
            return await self.policy_in(conn)

    async def policy_in(self, conn: AsyncConnection) -> Policy:
        """The policy as this transaction sees it."""
        number = await policy_changes.policy_number(conn)
        if self._policy is None or self._policy.number != number:
            self._policy = await self.read_policy(conn)
        return self._policy

    async def read_policy(self, conn: AsyncConnection) -> Policy:
        """The whole policy as of one moment, not before that of this transaction's last statement."""
        return await read_policy(conn)

    # ------------------------------------------------------------ doors

    async def read(self, log: int, after: Seq, *, limit: int, limit_bytes: int, by: Filter) -> list[Change]:
        """See the port."""
        async with self.look() as conn:
            return await reading.changes(conn, log, after, limit=limit, limit_bytes=limit_bytes, by=by)

    async def head(self, log: int) -> Head:
        """See the port."""
        async with self.look() as conn:
            return await reading.head(conn, log)

    async def heads(self) -> dict[int, Head]:
        """See the port."""
        async with self.look() as conn:
            rows = await conn.execute(select(t.logs.c.no, t.logs.c.last_seq, t.logs.c.last_us))
            return {row.no: Head(Seq(row.last_seq), row.last_us) for row in rows}

    async def log_ends(self) -> dict[int, LogEnd]:
        """See the port."""
        async with self.look() as conn:
            rows = await conn.execute(select(t.logs.c.no, t.logs.c.name, t.logs.c.last_seq))
            return {row.no: LogEnd(row.name, Seq(row.last_seq)) for row in rows}

    async def find_views(self, object_id: StixId, collections: Iterable[int]) -> list[View]:
        """See the port."""
        wanted = list(collections)
        async with self.look() as conn:
            now = await conn.execute(select(t.views).where(t.views.c.object_id == object_id))
            found = [view_of(row) for row in now if row.collection in wanted]
            past = await conn.execute(select(t.past_ids).where(t.past_ids.c.object_id == object_id))
            found.extend(past_view_of(row) for row in past if row.collection in wanted)
        return found

    async def views_of(self, thing: CanonicalKey, collections: Iterable[int]) -> list[View]:
        """See the port."""
        wanted = set(collections)
        async with self.look() as conn:
            rows = await conn.execute(select(t.views).where(t.views.c.thing == thing))
            return [view_of(row) for row in rows if row.collection in wanted]

    async def find_claims(self, things: Collection[CanonicalKey], ids: Collection[StixId]) -> list[Claim]:
        """See the port."""
        async with self.look() as conn:
            policy = await self.policy_in(conn)
            keys = [claim_key(centre, stix_id) for stix_id in ids for centre in policy.centres]
            c = t.contributions.c
            found = {
                row.key: claim_of(row)
                for column, values in ((c.thing, list(things)), (c.key, keys))
                for row in await self.rows_in(conn, t.contributions, column, values)
            }
            return list(found.values())

    async def things_naming(self, values: Collection[bytes], limit: int) -> list[CanonicalKey]:
        """See the port."""
        v = t.named_values.c
        async with self.look() as conn:
            things = select(v.thing).where(v.value.in_(list(values))).order_by(v.alone.desc(), v.thing).limit(limit)
            return list(dict.fromkeys((await conn.execute(things)).scalars()))

    async def key(self) -> bytes:
        """See the port."""
        async with self.look() as conn:
            return bytes((await conn.execute(select(t.hub.c.cursor_key))).scalar_one())

    async def ready(self) -> bool:
        """See the port."""
        try:
            async with self.look() as conn:
                await conn.execute(select(t.hub.c.one))
        except HubError:
            return False
        return True

    async def close(self) -> None:
        """See the port."""
        await self.engine.dispose()
