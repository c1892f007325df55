"""Erases a value in the store: the requests, contributions, and the search through all other tables.

See ``hub/store/erasing_port`` for the promises, and ``hub/forgetting`` for the order. The statements are the same for
both dialects; what cleans the files is in each dialect.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any, assert_never

from sqlalchemy import Row, and_, delete, insert, select, union, update

from hub.model.claims import Claim, ClaimKey
from hub.model.forgettings import Erasable, ErasedCounts, Forgetting, Request
from hub.model.policy_changes import ForgettingLifted, ValueErased, ValueForgotten
from hub.model.words import CanonicalKey, Positions, StixId, Topic, TopicPartition
from hub.store import erasing_parts as parts
from hub.store import forgotten_tables as ft
from hub.store import policy_changes
from hub.store import tables as t
from hub.store.chunks import chunks
from hub.store.erasing_port import ErasablePart, Search
from hub.store.rows import claim_of
from hub.store.transaction import SqlTransaction

if TYPE_CHECKING:
    from hub.store.sql import SqlStore

_COUNTS = tuple(kind.name for kind in fields(ErasedCounts))


class SqlErasing:
    """See ``hub/store/erasing_port.ErasingStore``."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store

    @asynccontextmanager
    async def transaction(self, *, gives_way: bool = True) -> AsyncIterator[SqlErasingTransaction]:
        """See the port."""
        async with self._store.begin(gives_way=gives_way) as conn:
            yield SqlErasingTransaction(self._store, conn)

    async def requests(self) -> list[Forgetting]:
        """See the port."""
        async with self._store.reading() as conn:
            return [
                _forgetting(row) for row in await conn.execute(select(ft.forgettings).order_by(ft.forgettings.c.no))
            ]

    async def claims_after(self, no: int, limit: int) -> tuple[list[Claim], int | None]:
        """See the port."""
        c = t.contributions.c
        async with self._store.reading() as conn:
            upto = await parts.last_that_fits(conn, c.no, c.body, (c.no > no,), limit)
            if upto is None:
                return [], None
            rows = await conn.execute(select(t.contributions).where(c.no > no, c.no <= upto).order_by(c.no))
            return [claim_of(row) for row in rows], upto

    async def put_off(self, what: Erasable) -> dict[int, list[CanonicalKey]]:
        """See the port."""
        c, v = t.changes.c, t.views.c
        late = select(v.collection, v.thing, c.body).where(v.alive, v.late_us.is_not(None))
        found: dict[int, list[CanonicalKey]] = defaultdict(list)
        async with self._store.reading() as conn:
            rows = await conn.execute(late.where(c.log == v.collection, c.seq == v.seq).order_by(v.collection, v.thing))
            for no, thing, body in rows:
                if parts.body_says(body, what):
                    found[no].append(CanonicalKey(bytes(thing)))
        return found

    async def shown_under(self, things: Collection[CanonicalKey]) -> list[StixId]:
        """See the port."""
        async with self._store.reading() as conn:
            return [StixId(one) for one in sorted(await parts.ids_of(conn, things))]

    async def things_shown(self, object_id: StixId) -> list[CanonicalKey]:
        """See the port."""
        v, p = t.views.c, t.past_ids.c
        both = union(select(v.thing).where(v.object_id == object_id), select(p.thing).where(p.object_id == object_id))
        async with self._store.reading() as conn:
            return [CanonicalKey(bytes(thing)) for thing in (await conn.execute(both)).scalars()]

    async def positions(self) -> Positions:
        """See the port."""
        return await self._store.all_positions()

    async def unwanted(self) -> list[tuple[TopicPartition, int]]:
        """See the port."""
        async with self._store.reading() as conn:
            rows = await conn.execute(select(ft.unwanted))
            return [(TopicPartition(Topic(row.topic), row.partition), row.offset) for row in rows]

    async def settle_unwanted(self, records: Collection[tuple[TopicPartition, int]]) -> None:
        """See the port."""
        u = ft.unwanted.c
        async with self._store.begin(gives_way=True) as conn:
            for at, offset in records:
                here = and_(u.topic == at.topic, u.partition == at.partition, u.offset == offset)
                await conn.execute(delete(ft.unwanted).where(here))

    async def clean(self) -> None:
        """See the port."""
        await self._store.clean()


class SqlErasingTransaction(SqlTransaction):
    """See ``hub/store/erasing_port.ErasingTransaction``."""

    async def add(self, what: Erasable, request: Request, now_us: int, closing_us: int, key: bytes) -> int:
        """See the port."""
        row = {
            "at_us": now_us, "who": request.who, "reason": request.reason, "case_ref": request.case,
            "what": what.encode(), "closing_us": closing_us,
        }  # fmt: skip
        no = await policy_changes.insert_row(self.conn, ft.forgettings, row)
        kept = {one.digest: one for one in what.digests(key)}.values()
        await self.conn.execute(insert(ft.forgotten), [{"forgetting": no, **one._asdict()} for one in kept])
        change = ValueForgotten(no, request.who, request.reason, request.case)
        await policy_changes.record(self.conn, change, now_us)
        return no

    async def delete_claims(self, no: int, keys: Collection[ClaimKey]) -> None:
        """See the port."""
        for table in (t.referring, t.placements):
            for some in chunks(sorted(keys)):
                await self.conn.execute(delete(table).where(table.c.key.in_(some)))
        count = 0
        for some in chunks(sorted(keys)):
            gone = await self.conn.execute(delete(t.contributions).where(t.contributions.c.key.in_(some)))
            count += gone.rowcount
        await parts.count(self.conn, no, claims=count)

    async def erase(self, part: ErasablePart, search: Search, cursor: bytes, limit: int) -> bytes | None:
        """See the port."""
        f = ft.forgettings.c
        wanted = select(f.no).where(f.no == search.no, f.what.is_not(None)).with_for_update()
        if (await self.conn.execute(wanted)).first() is None:
            return None
        match part:
            case ErasablePart.VERSIONS:
                return await parts.erase_versions(self.conn, search, cursor, limit)
            case ErasablePart.RECEIPTS:
                return await parts.erase_receipts(self.conn, search, cursor, limit)
            case ErasablePart.HELD:
                return await parts.erase_held(self.conn, search, cursor, limit)
            case ErasablePart.OTHERS:
                await parts.erase_others(self.conn, search)
                return None
            case _ as never:
                assert_never(never)

    async def count_records(self, no: int, count: int) -> None:
        """See the port."""
        await parts.count(self.conn, no, records=count)

    async def searched(self, no: int, now_us: int) -> None:
        """See the port."""
        f = ft.forgettings.c
        await self.conn.execute(update(ft.forgettings).where(f.no == no).values(searched_us=now_us))

    async def erased(self, no: int, now_us: int) -> None:
        """See the port."""
        f = ft.forgettings.c
        await policy_changes.lock(self.conn)
        row = (await self.conn.execute(select(ft.forgettings).where(f.no == no, f.what.is_not(None)))).first()
        if row is not None:
            await self.conn.execute(update(ft.forgettings).where(f.no == no).values(what=None))
            await policy_changes.record(self.conn, ValueErased(no, asdict(_counts(row))), now_us)

    async def done(self, no: int, now_us: int) -> None:
        """See the port."""
        f = ft.forgettings.c
        await self.conn.execute(update(ft.forgettings).where(f.no == no, f.done_us.is_(None)).values(done_us=now_us))

    async def lift(self, no: int, now_us: int) -> list[int]:
        """See the port."""
        k = ft.forgotten.c
        digests = (await self.conn.execute(select(k.digest).where(k.forgetting == no))).scalars().all()
        lifted = {no}
        for some in chunks(digests):
            lifted.update((await self.conn.execute(select(k.forgetting).where(k.digest.in_(some)))).scalars())
            await self.conn.execute(delete(ft.forgotten).where(k.digest.in_(some)))
        others = select(k.forgetting).where(k.forgetting.in_(lifted), k.words > 0)
        lifted -= set((await self.conn.execute(others)).scalars())
        await self.conn.execute(delete(ft.forgotten).where(k.forgetting.in_(lifted)))
        requests = update(ft.forgettings).where(ft.forgettings.c.no.in_(lifted))
        await self.conn.execute(requests.values(lifted_us=now_us, what=None))
        for each in sorted(lifted):
            await policy_changes.record(self.conn, ForgettingLifted(each), now_us)
        return sorted(lifted)


def _forgetting(row: Row[Any]) -> Forgetting:
    return Forgetting(
        row.no, row.at_us, Request(row.who, row.reason, row.case_ref),
        None if row.what is None else Erasable.decode(row.what), row.closing_us, _counts(row),
        row.searched_us, row.done_us, row.lifted_us,
    )  # fmt: skip


def _counts(row: Row[Any]) -> ErasedCounts:
    return ErasedCounts(**{name: getattr(row, name) for name in _COUNTS})
