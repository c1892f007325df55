"""Reads views and claims of single things. See ``hub/store/port.ThingReader``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.core.merge.facts import feedback_on
from hub.model.claims import Claim, ClaimKey, ClaimState, View, claim_key
from hub.model.words import CanonicalKey, Seq, StixId, type_of_id
from hub.store import tables as t
from hub.store.chunks import chunks
from hub.store.dialect import Dialect
from hub.store.port import OwnClaim, Placed, ShownView
from hub.store.rows import claim_of, past_view_of, view_of


class SqlThings:
    """See the port."""

    def __init__(self, database: Dialect) -> None:
        self._database = database

    async def shown(self, things: Collection[CanonicalKey], collections: Collection[int]) -> list[ShownView]:
        """See the port."""
        wanted = set(collections)
        async with self._database.reading() as conn:
            rows = await self._database.rows_in(conn, t.views, t.views.c.thing, list(things))
            views = [view_of(row) for row in rows if row.collection in wanted]
            bodies = await _bodies(conn, views)
        return [ShownView(view, bodies.get((view.collection, view.seq), b"")) for view in views]

    async def views_under(self, object_id: StixId, collections: Collection[int]) -> list[View]:
        """See the port."""
        wanted = set(collections)
        async with self._database.reading() as conn:
            now = await conn.execute(select(t.views).where(t.views.c.object_id == object_id))
            found = [view_of(row) for row in now if row.collection in wanted]
            past = await conn.execute(select(t.past_ids).where(t.past_ids.c.object_id == object_id))
            found.extend(past_view_of(row) for row in past if row.collection in wanted)
        return found

    async def claims_about(self, things: Collection[CanonicalKey]) -> list[Claim]:
        """See the port."""
        async with self._database.reading() as conn:
            rows = await self._database.rows_in(conn, t.contributions, t.contributions.c.thing, list(things))
        return [claim_of(row) for row in rows]

    async def claims_under(self, ids: Collection[StixId]) -> list[Claim]:
        """See the port."""
        async with self._database.reading() as conn:
            policy = await self._database.policy_in(conn)
            keys = [claim_key(source, stix_id) for stix_id in ids for source in policy.claimants(type_of_id(stix_id))]
            rows = await self._database.rows_in(conn, t.contributions, t.contributions.c.key, keys)
        return [claim_of(row) for row in rows]

    async def claims_of(
        self, source: int, things: Collection[CanonicalKey], after: bytes, limit: int
    ) -> list[OwnClaim]:
        """See the port."""
        c, p, wanted = t.contributions.c, t.placements.c, sorted(things)
        first, end = max(after, source.to_bytes(4, "big")), (source + 1).to_bytes(4, "big")
        mine = select(c.key, c.id, c.type, c.modified_us, c.state).where(c.key > first, c.key < end)
        found: dict[ClaimKey, OwnClaim] = {}
        async with self._database.reading() as conn:
            for about in (c.thing.in_(wanted), c.key.in_(select(p.key).where(p.thing.in_(wanted)))):
                for row in await conn.execute(mine.where(about).order_by(c.key).limit(limit)):
                    key = ClaimKey(bytes(row.key))
                    found[key] = OwnClaim(key, StixId(row.id), row.type, row.modified_us, ClaimState(row.state))
        return [found[key] for key in sorted(found)[:limit]]

    async def feedback_on(self, names: Collection[StixId]) -> list[Claim]:
        """See the port."""
        async with self._database.reading() as conn:
            pairs = await self._database.rows_in(conn, t.referring, t.referring.c.target, list(map(feedback_on, names)))
            keys = list({row.key for row in pairs})
            rows = await self._database.rows_in(conn, t.contributions, t.contributions.c.key, keys)
        return [claim_of(row) for row in rows]

    async def placed(self, things: Collection[CanonicalKey]) -> list[Placed]:
        """See the port."""
        async with self._database.reading() as conn:
            rows = await self._database.rows_in(conn, t.placements, t.placements.c.thing, list(things))
            keys = list({row.key for row in rows})
            found = await self._database.rows_in(conn, t.contributions, t.contributions.c.key, keys)
        claims = {row.key: claim_of(row) for row in found}
        return [Placed(CanonicalKey(row.thing), row.collection, claims[row.key]) for row in rows if row.key in claims]

    async def relationships_of(self, keys: Collection[ClaimKey]) -> set[CanonicalKey]:
        """See the port."""
        async with self._database.reading() as conn:
            rows = await self._database.rows_in(conn, t.placements, t.placements.c.key, list(keys))
        return {CanonicalKey(row.thing) for row in rows}

    async def naming(self, values: Collection[bytes], limit: int) -> list[CanonicalKey]:
        """See the port."""
        v = t.named_values.c
        async with self._database.reading() as conn:
            things = select(v.thing).where(v.value.in_(list(values))).order_by(v.alone.desc(), v.thing).limit(limit)
            return list(dict.fromkeys((await conn.execute(things)).scalars()))


async def _bodies(conn: AsyncConnection, views: Collection[View]) -> dict[tuple[int, Seq], bytes]:
    """Returns the bodies of the rows that these views point to, by collection and number."""
    wanted: dict[int, list[Seq]] = defaultdict(list)
    for view in views:
        wanted[view.collection].append(view.seq)
    c = t.changes.c
    found: dict[tuple[int, Seq], bytes] = {}
    for log, seqs in wanted.items():
        for some in chunks(sorted(seqs)):
            rows = await conn.execute(select(c.seq, c.body).where(c.log == log, c.seq.in_(some)))
            found.update({(log, Seq(row.seq)): row.body for row in rows})
    return found
