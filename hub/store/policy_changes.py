"""Statements on the numbered changes of the registry, the policy and the date.

Each function takes a connection with an open transaction. The statements are the same for both dialects.
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
    """Lock out other changes until this transaction ends. Call this first: later reads then see the newest commits.

    So the numbers of changes follow the order of commits: a reader that has seen one has seen all lower ones.
    SQLite serialises its writers and ignores FOR UPDATE.
    """
    await conn.execute(select(t.hub.c.one).with_for_update())


NUMBER = select(func.coalesce(func.max(t.policy_changes.c.no), 0))
"""The number of the newest change."""


async def policy_number(conn: AsyncConnection) -> int:
    """Returns the number of the newest change; 0 before the first."""
    return int((await conn.execute(NUMBER)).scalar_one())


async def record(conn: AsyncConnection, change: PolicyChange, now_us: int) -> int:
    """Append a numbered change, and add tasks that recompute what it affects; returns the number."""
    await lock(conn)
    row = {"at_us": now_us, "kind": type(change).__name__, "body": _json.encode(change)}
    number = await insert_row(conn, t.policy_changes, row)
    await tasks.add(conn, affected(change), now_us)
    return number


async def set_date(conn: AsyncConnection, day: str, now_us: int) -> None:
    """Set the date (``YYYY-MM-DD``), unless that date or a later one is set."""
    await lock(conn)
    last = (await conn.execute(select(func.max(t.ticks.c.day)))).scalar_one()
    if last is None or last < day:
        await conn.execute(insert(t.ticks).values({"day": day, "at_us": now_us}))
        await record(conn, DateSet(day), now_us)


async def insert_row(conn: AsyncConnection, table: Table, row: Mapping[str, Any]) -> int:
    """Insert one row; returns the key that the database assigned."""
    key = (await conn.execute(insert(table).values(row))).inserted_primary_key
    assert key is not None  # noqa: S101 - an insert of one row into a table with a serial key has one
    return int(key[0])
