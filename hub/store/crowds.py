"""Statements on what earlier steps have left for later ones.

Functions over a connection that is inside a transaction already; neutral to the dialect.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.model.words import StixId
from hub.model.writes import REFERRERS
from hub.store import tables as t
from hub.store.chunks import chunks
from hub.store.port import Sweep


async def steps_left(conn: AsyncConnection) -> list[Sweep]:
    """The steps that earlier ones have left, the oldest first."""
    s = t.sweeps.c
    rows = await conn.execute(select(t.sweeps).where(~s.done, s.scope.startswith(REFERRERS)).order_by(s.no))
    return [Sweep(row.no, row.scope, bytes(row.cursor), row.time_us) for row in rows]


async def load_turns(conn: AsyncConnection) -> dict[None, dict[tuple[int, StixId], bytes]]:
    """How far earlier steps have got with what they left, by collection and name."""
    found = {}
    for task in await steps_left(conn):
        _, no, name = task.scope.split(":", 2)
        found[int(no), StixId(name)] = task.cursor
    return {None: found}


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
