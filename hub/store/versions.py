"""Statements that delete superseded versions from change logs.

A row is deleted when a newer version of the same object has followed it long ago. The last version of each object
stays, and so does its withdrawal, and the version before a withdrawal without a body. So whoever reads the log from any
number on ends with the current content. ``logs.pruned_seq`` says up to which row this has been done: above it no row is
missing.

Each function takes a connection with an open transaction. The statements are the same for both dialects.
"""

from __future__ import annotations

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.store import edits
from hub.store import tables as t


async def drop(conn: AsyncConnection, log: int, before_us: int, limit: int) -> bool:
    """Look at the next ``limit`` rows that are older than ``before_us``, and delete the versions that they have
    superseded. Returns whether there may be more.
    """
    logs, c = t.logs.c, t.changes.c
    # locked, as writers lock it, so that a step that writes to this log has ended or begins after this one
    pruned = (await conn.execute(select(logs.pruned_seq).where(logs.no == log).with_for_update())).scalar_one()
    rows = select(c.seq, c.before, func.length(c.body).label("size")).where(c.log == log, c.seq > pruned)
    found = (await conn.execute(rows.where(c.date_added_us < before_us).order_by(c.seq).limit(limit))).all()
    if not found:
        return False
    has_dropped = False
    for row in found:  # the oldest first: a version may be superseded by one that is superseded itself
        if row.before is not None and row.size > 0:
            first = (await conn.execute(select(c.first).where(c.log == log, c.seq == row.before))).scalar()
            values = {"before": None, "first": bool(first)}
            await conn.execute(update(t.changes).where(c.log == log, c.seq == row.seq).values(values))
            await conn.execute(delete(t.changes).where(c.log == log, c.seq == row.before))
            has_dropped = True
    if has_dropped:
        await edits.note(conn, log)
    await conn.execute(update(t.logs).where(logs.no == log).values(pruned_seq=found[-1].seq))
    return len(found) == limit
