"""Statements on who refers to what, where they may be many; on ids that collections made; on steps left to be done.

Functions over a connection that is inside a transaction already; neutral to the dialect.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.model.claims import Claim, ClaimKey
from hub.model.step import REFERRERS, Loaded, Wanted
from hub.model.words import CanonicalKey, StixId
from hub.store import reading
from hub.store import tables as t
from hub.store.chunks import chunks
from hub.store.port import Sweep

_COUNTED = "sighting-of:"
"""Begins the names whose referrers are counted, all of them (hub/core/merge/scene.sighting_of)."""


async def load_referrers(conn: AsyncConnection, wanted: Wanted, loaded: Loaded) -> set[ClaimKey]:
    """The keys of who refers to the wanted ids; an id with too many joins ``loaded.crowds`` instead."""
    r = t.referring.c
    loaded.referrers.update({target: [] for target in wanted.referrers})
    few: list[StixId] = []
    for some in chunks(sorted(wanted.referrers)):
        counted = select(r.target, func.count()).where(r.target.in_(some)).group_by(r.target)
        for target, number in await conn.execute(counted):
            if number <= wanted.crowd or target.startswith(_COUNTED):
                few.append(StixId(target))
            else:
                loaded.crowds.add(StixId(target))
                del loaded.referrers[StixId(target)]
    for some in chunks(few):
        for target, key in await conn.execute(select(r.target, r.key).where(r.target.in_(some))):
            loaded.referrers[target].append(key)
    return {key for keys in loaded.referrers.values() for key in keys}


async def load_pages(
    conn: AsyncConnection, wanted: Wanted, loaded: Loaded, claim_of: Callable[[Row[Any]], Claim]
) -> None:
    """The next contributions that refer to each wanted id, in the order of their keys."""
    r, c = t.referring.c, t.contributions.c
    for target, after in sorted(wanted.pages):
        keys = select(r.key).where(r.target == target, r.key > after).order_by(r.key).limit(wanted.crowd)
        found = [row.key for row in await conn.execute(keys)]
        rows = await conn.execute(select(t.contributions).where(c.key.in_(found)).order_by(c.key))
        loaded.pages[target, after] = [claim_of(row) for row in rows]


async def load_issued(conn: AsyncConnection, wanted: Wanted, loaded: Loaded) -> None:
    """The things for which a collection made the wanted ids, now or in the past."""
    for some in chunks(sorted(wanted.issued)):
        for table in (t.past_ids, t.views):
            rows = await conn.execute(select(table.c.object_id, table.c.thing).where(table.c.object_id.in_(some)))
            loaded.issued.update({StixId(row.object_id): CanonicalKey(row.thing) for row in rows})


async def load_past(conn: AsyncConnection, wanted: Wanted, loaded: Loaded) -> None:
    """The last objects shown under ids that another id of the same view has followed."""
    p, c = t.past_ids.c, t.changes.c
    for some in chunks(sorted({object_id for _, object_id in wanted.past})):
        where = (p.object_id.in_(some), c.log == p.collection, c.seq == p.seq)
        for row in (await conn.execute(select(t.changes).where(*where))).all():
            if row.body or row.before is None:
                last = row
            else:  # it had been withdrawn before the other id came
                last = (await conn.execute(select(t.changes).where(c.log == row.log, c.seq == row.before))).one()
            loaded.past[row.log, StixId(row.object_id)] = reading.whole(last)


async def steps_left(conn: AsyncConnection) -> list[Sweep]:
    """The steps that earlier ones have left, the oldest first."""
    s = t.sweeps.c
    rows = await conn.execute(select(t.sweeps).where(~s.done, s.scope.startswith(REFERRERS)).order_by(s.no))
    return [Sweep(row.no, row.scope, bytes(row.cursor), row.time_us) for row in rows]


async def move_left(conn: AsyncConnection, task: Sweep, reached: bytes | None) -> bool:
    """Note how far a left step has come, None: to its end; False when another worker was faster."""
    s = t.sweeps.c
    here = (s.no == task.no, s.cursor == task.cursor)
    if reached is None:
        return (await conn.execute(delete(t.sweeps).where(*here))).rowcount == 1
    return (await conn.execute(update(t.sweeps).where(*here).values(cursor=reached))).rowcount == 1


async def add_sweeps(conn: AsyncConnection, sweeps: Collection[tuple[str, int]], cancelled: Collection[str]) -> None:
    """Note what is left for later steps, and the time that their rows carry; forget what is not any more."""
    over = sorted({*cancelled, *(scope for scope, _ in sweeps)})
    for some in chunks(over):
        await conn.execute(delete(t.sweeps).where(t.sweeps.c.scope.in_(some)))
    rows = [{"scope": scope, "cursor": b"", "time_us": time_us, "done": False} for scope, time_us in sorted(sweeps)]
    if rows:
        await conn.execute(insert(t.sweeps), rows)
