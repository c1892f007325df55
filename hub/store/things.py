"""Reads views and claims of single things. See ``hub/store/thing_port``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

from sqlalchemy import and_, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.core.merge.facts import feedback_on
from hub.model.claims import Claim, ClaimKey, View, claim_key
from hub.model.held import HeldAbout, HeldState
from hub.model.words import CanonicalKey, Seq, StixId, type_of_id
from hub.store import looking_up
from hub.store import tables as t
from hub.store.chunks import chunks
from hub.store.dialect import Dialect
from hub.store.rows import claim_of, past_view_of, view_of
from hub.store.thing_port import LookedUpThings, NamingReader, Placed, SearchKeys, ShownView


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

    async def relationships_of(self, keys: Collection[ClaimKey]) -> dict[ClaimKey, set[CanonicalKey]]:
        """See the port."""
        async with self._database.reading() as conn:
            rows = await self._database.rows_in(conn, t.placements, t.placements.c.key, list(keys))
        found: defaultdict[ClaimKey, set[CanonicalKey]] = defaultdict(set)
        for row in rows:
            found[ClaimKey(row.key)].add(CanonicalKey(row.thing))
        return dict(found)

    async def naming(
        self, values: Collection[bytes], limit: int, reader: NamingReader | None = None
    ) -> list[CanonicalKey]:
        """See the port."""
        v, w, c = t.named_values.c, t.views.c, t.contributions.c
        things = select(v.thing).where(v.value.in_(list(values))).order_by(v.alone.desc(), v.thing).limit(limit)
        if reader is not None:
            shown = exists().where(w.thing == v.thing, w.collection.in_(sorted(reader.collections)))
            # "+ 0": without statistics SQLite would look through all claims of the source, for each thing
            claimed = exists().where(c.thing == v.thing, c.source + 0 == reader.source)
            things = things.where(shown if reader.source is None else or_(shown, claimed))
        async with self._database.reading() as conn:
            return list(dict.fromkeys((await conn.execute(things)).scalars()))

    async def asserting(
        self, values: Collection[bytes], collections: Collection[int], limit: int
    ) -> list[CanonicalKey]:
        """See the port."""
        v, w = t.named_values.c, t.views.c
        shown = and_(w.thing == v.thing, w.collection.in_(sorted(collections)), w.alive)
        things = select(v.thing).join(t.views, shown).where(v.value.in_(sorted(values)), v.alone).distinct()
        async with self._database.reading() as conn:
            return list((await conn.execute(things.order_by(v.thing).limit(limit))).scalars())

    async def look_up(self, wanted: SearchKeys) -> LookedUpThings:
        """See the port."""
        return await looking_up.look_up(self._database, wanted)

    async def is_known(self, keys: Sequence[bytes]) -> list[bool]:
        """See the port."""
        return await looking_up.is_known(self._database, keys)

    async def linked(self, names: Collection[StixId], collection: int, limit: int) -> list[ShownView]:
        """See the port. A relationship is about a thing by itself, or is placed at one in the collection."""
        r, c, p, v = t.referring.c, t.contributions.c, t.placements.c, t.views.c
        claims = select(c.thing).join(t.referring, r.key == c.key)
        placed = select(p.thing).join(t.referring, r.key == p.key).where(p.collection == collection)
        found: dict[CanonicalKey, View] = {}
        async with self._database.reading() as conn:
            for things in (claims, placed):
                for some in chunks(sorted(names)):
                    of_names = things.where(r.target.in_(some))
                    here = select(t.views).where(v.thing.in_(of_names), v.collection == collection, v.alive)
                    rows = await conn.execute(here.where(v.type == "relationship").order_by(v.thing).limit(limit))
                    found.update({view.thing: view for view in map(view_of, rows)})
            views = [found[thing] for thing in sorted(found)[:limit]]
            bodies = await _bodies(conn, views)
        return [ShownView(view, bodies.get((view.collection, view.seq), b"")) for view in views]

    async def held_about(self, things: Collection[CanonicalKey], ids: Collection[StixId]) -> list[HeldAbout]:
        """See the port."""
        h = t.held.c
        states = (HeldState.WAITING, HeldState.RELEASED, HeldState.REFUSED)
        query = select(h.no, h.thing, h.source, h.stix_id, h.code, h.state)
        query = query.where(h.state.in_(states), h.withdrawal.is_(None))
        found: dict[int, HeldAbout] = {}
        async with self._database.reading() as conn:
            centres = sorted((await self._database.policy_in(conn)).claimants("indicator"))
            under_id = and_(h.source.in_(centres), h.stix_id.in_(sorted(ids)))
            for about in (h.thing.in_(sorted(things)), under_id):
                for no, thing, *rest in await conn.execute(query.where(about)):
                    key = None if thing is None else CanonicalKey(thing)
                    source, stix_id, code, state = rest
                    found[no] = HeldAbout(key, source, StixId(stix_id), code, HeldState(state))
        return [found[no] for no in sorted(found)]


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
