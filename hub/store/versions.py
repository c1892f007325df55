"""Statements that delete superseded versions from change logs.

A version is deleted when a newer one of the same object has followed it long ago, or when enough newer ones have
followed. The last version of each object stays, and so does its withdrawal, and the version before a withdrawal without
a body. So whoever reads the log from any number on ends with the current content.

Each row is looked at once for its age (``logs.aged_seq``) and once for the number of versions (``logs.counted_seq``).
``logs.pruned_seq`` is the last row whose older versions were deleted: above it no row is missing.

Each function takes a connection with an open transaction. The statements are the same for both dialects.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Select, bindparam, case, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.model.lifecycle import KeptVersions
from hub.store import edits
from hub.store import tables as t
from hub.store.chunks import chunks

_LOG = t.logs.c


async def drop(conn: AsyncConnection, log: int, kept: KeptVersions, limit: int) -> bool:
    """Look at the next ``limit`` rows, and delete what they have superseded and what is not kept. Returns whether there
    may be more.
    """
    # locked, as writers lock it, so that a step that writes to this log has ended or begins after this one
    place = (await conn.execute(select(t.logs).where(_LOG.no == log).with_for_update())).one()
    more = False
    if kept.since_us is not None:
        more = await _by_age(conn, place, kept.since_us, limit)
    if kept.number is not None:
        more = await _by_number(conn, place, kept.number, limit) or more
    return more


async def _by_age(conn: AsyncConnection, place: Row[Any], since_us: int, limit: int) -> bool:
    """Delete all versions before each row that is older than ``since_us``."""
    aged = _next(place, place.aged_seq, limit).where(t.changes.c.date_added_us < since_us)
    found = (await conn.execute(aged)).all()
    await _keep(conn, place.no, found, 1)
    if found:
        await _note(conn, place.no, aged_seq=found[-1].seq)
    return len(found) == limit


async def _by_number(conn: AsyncConnection, place: Row[Any], number: int, limit: int) -> bool:
    """Delete all but the last ``number`` versions of each object. If so far more have been kept, begin again."""
    begun = place.counted_seq if place.counted_to is not None and place.counted_to <= number else 0
    found = (await conn.execute(_next(place, begun, limit))).all()
    await _keep(conn, place.no, found, number)
    await _note(conn, place.no, counted_seq=found[-1].seq if found else begun, counted_to=number)
    return len(found) == limit


def _next(place: Row[Any], after: int, limit: int) -> Select[Any]:
    c = t.changes.c
    rows = select(c.seq, c.before).where(c.log == place.no, c.seq > after)
    return rows.order_by(c.seq).limit(limit)


async def _keep(conn: AsyncConnection, log: int, rows: Sequence[Row[Any]], number: int) -> None:
    """Delete what is older than the last ``number`` versions up to these rows, of each of their objects. What has come
    back begins anew, as in ``changes.before``.

    Rows are looked at in order, so there are at most ``number`` versions of each before the first of these rows.
    """
    newest = {row.seq for row in rows if row.before is not None} - {row.before for row in rows}
    chains: dict[int, list[Row[Any]]] = defaultdict(list)
    for some in chunks(sorted(newest)):
        for row in await conn.execute(_from_the_last_kept(log, some, number)):
            chains[row.newest].append(row)
    cuts = {last_kept.seq: gone for last_kept, *gone in chains.values() if gone}
    if not cuts:
        return
    firsts = [{"at": seq, "is_first": bool(gone[-1].first)} for seq, gone in cuts.items()]
    await conn.execute(_IS_FIRST.where(t.changes.c.log == log), firsts)
    for some in chunks([row.seq for gone in cuts.values() for row in gone]):
        await conn.execute(delete(t.changes).where(t.changes.c.log == log, t.changes.c.seq.in_(some)))
    await edits.note(conn, log)
    pruned = max(cuts)
    await conn.execute(update(t.logs).where(_LOG.no == log, _LOG.pruned_seq < pruned).values(pruned_seq=pruned))


def _from_the_last_kept(log: int, newest: Sequence[int], number: int) -> Select[Any]:
    """Selects from the chain of each of these rows the last version that is kept, and all before it."""
    c = t.changes.c
    is_version = case((func.length(c.body) > 0, 1), else_=0)  # a withdrawal without a body is none
    head = select(c.seq.label("newest"), c.seq, c.before, c.first, is_version.label("number"))
    chain = head.where(c.log == log, c.seq.in_(newest)).cte("chain", recursive=True)
    older = select(chain.c.newest, c.seq, c.before, c.first, chain.c.number + is_version)
    chain = chain.union_all(older.where(c.log == log, c.seq == chain.c.before))
    rows = select(chain.c.newest, chain.c.seq, chain.c.first).where(chain.c.number >= number)
    return rows.order_by(chain.c.newest, chain.c.seq.desc())


async def _note(conn: AsyncConnection, log: int, **values: int) -> None:
    await conn.execute(update(t.logs).where(_LOG.no == log).values(**values))


_IS_FIRST = update(t.changes).where(t.changes.c.seq == bindparam("at")).values(before=None, first=bindparam("is_first"))
