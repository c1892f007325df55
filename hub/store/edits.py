"""Counts changes of a log other than its growth, so that an answer made from old rows can be told from a new one.

Whatever changes or deletes rows of a log without adding one calls ``note`` in the same transaction.
"""

from __future__ import annotations

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.store import tables as t


async def note(conn: AsyncConnection, log: int) -> None:
    """Count one edit of a log."""
    logs = t.logs.c
    await conn.execute(update(t.logs).where(logs.no == log).values(edits=logs.edits + 1))
