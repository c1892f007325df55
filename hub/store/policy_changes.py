"""Statements on the numbered changes: of the registry, of the policy, of the date.

Functions over a connection that is inside a transaction already; neutral to the dialect.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Table, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.model.policy_changes import DateSet, PolicyChange, affected
from hub.store import tables as t
from hub.store import tasks
from hub.store.typed_json import TypedJson

_json: TypedJson[PolicyChange] = TypedJson(PolicyChange)


async def lock(conn: AsyncConnection) -> None:
    """Make other operators wait until this transaction ends. Begin with it: what is read after it is the newest.

    Numbers of changes are then given in the order of the commits: who has seen one has seen all below it.
    SQLite serialises its writers anyway and ignores FOR UPDATE.
    """
    await conn.execute(select(t.hub.c.one).with_for_update())


async def policy_number(conn: AsyncConnection) -> int:
    """The number of the newest change; 0 before the first."""
    return int((await conn.execute(select(func.coalesce(func.max(t.policy_changes.c.no), 0)))).scalar_one())


async def record(conn: AsyncConnection, change: PolicyChange, now_us: int) -> int:
    """Append a numbered change, and leave what it affects to be looked at again; returns the number."""
    await lock(conn)
    row = {"at_us": now_us, "kind": type(change).__name__, "body": _json.encode(change)}
    number = await insert_row(conn, t.policy_changes, row)
    await tasks.add(conn, affected(change), now_us)
    return number


async def set_date(conn: AsyncConnection, day: str, now_us: int) -> None:
    """Set the date (``YYYY-MM-DD``), unless it is that day already, or later."""
    await lock(conn)
    last = (await conn.execute(select(func.max(t.ticks.c.day)))).scalar_one()
    if last is None or last < day:
        await conn.execute(insert(t.ticks).values({"day": day, "at_us": now_us}))
        await record(conn, DateSet(day), now_us)


async def insert_row(conn: AsyncConnection, table: Table, row: Mapping[str, Any]) -> int:
    """Insert one row; returns the number that the database gave it."""
    key = (await conn.execute(insert(table).values(row))).inserted_primary_key
    assert key is not None  # noqa: S101 - an insert of one row into a table with a serial key has one
    return int(key[0])
