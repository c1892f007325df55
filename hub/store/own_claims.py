"""Reads what a source itself has published. See ``hub/store/own_port``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

from sqlalchemy import exists, or_, select

from hub.model.claims import ClaimKey, ClaimState, claim_key
from hub.model.words import CanonicalKey, StixId
from hub.store import tables as t
from hub.store.chunks import chunks
from hub.store.dialect import Dialect
from hub.store.own_port import OwnClaim, OwnPage, ShownUnder

_SCANNED = 20_000


class SqlOwnClaims:
    """See the port."""

    def __init__(self, database: Dialect) -> None:
        self._database = database

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

    async def claims_from(self, source: int, states: Collection[ClaimState], after: int, limit: int) -> OwnPage:
        """See the port. One page looks at ``_SCANNED`` contributions at most, so that it is short whatever they are."""
        c = t.contributions.c
        mine = (c.source == source, c.no > after)
        last = select(c.no).where(*mine).order_by(c.no).offset(_SCANNED - 1).limit(1)
        wanted = select(c.no, c.key, c.id, c.type, c.modified_us, c.state).where(*mine, c.state.in_(sorted(states)))
        async with self._database.reading() as conn:
            end = (await conn.execute(last)).scalar()
            within = wanted if end is None else wanted.where(c.no <= end)
            rows = (await conn.execute(within.order_by(c.no).limit(limit + 1))).all()
        found = [
            OwnClaim(ClaimKey(bytes(row.key)), StixId(row.id), row.type, row.modified_us, ClaimState(row.state))
            for row in rows[:limit]
        ]
        return OwnPage(found, int(rows[limit - 1].no) if len(rows) > limit else end)

    async def showing(
        self, keys: Collection[ClaimKey], collections: Collection[int]
    ) -> dict[ClaimKey, list[ShownUnder]]:
        """See the port. A relationship is about a thing by itself, or is placed at one in a collection."""
        c, p, v = t.contributions.c, t.placements.c, t.views.c
        here = (v.collection.in_(sorted(collections)), v.alive)
        itself = select(c.key, v.collection, v.object_id).where(v.thing == c.thing, *here)
        placed = select(p.key, v.collection, v.object_id).where(v.thing == p.thing, v.collection == p.collection, *here)
        found: defaultdict[ClaimKey, set[ShownUnder]] = defaultdict(set)
        async with self._database.reading() as conn:
            for some in chunks(sorted(keys)):
                for query in (itself.where(c.key.in_(some)), placed.where(p.key.in_(some))):
                    for key, collection, object_id in await conn.execute(query):
                        found[ClaimKey(bytes(key))].add(ShownUnder(collection, StixId(object_id)))
        return {key: sorted(places) for key, places in found.items()}

    async def not_shown(self, source: int, ids: Collection[StixId], collections: Collection[int]) -> list[StixId]:
        """See the port. A relationship is about a thing by itself, or is placed at one in a collection."""
        c, p, v = t.contributions.c, t.placements.c, t.views.c
        here = v.collection.in_(sorted(collections))
        at_its_place = (p.key == c.key, v.thing == p.thing, v.collection == p.collection)
        shown = or_(exists().where(v.thing == c.thing, here, v.alive), exists().where(*at_its_place, here, v.alive))
        stands = c.state.not_in([state for state in ClaimState if state.is_withdrawn])
        found: list[StixId] = []
        async with self._database.reading() as conn:
            for some in chunks(sorted({claim_key(source, stix_id) for stix_id in ids})):
                found += (await conn.execute(select(c.id).where(c.key.in_(some), stands, ~shown))).scalars()
        return sorted(found)
