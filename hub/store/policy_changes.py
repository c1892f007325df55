"""Statements on the numbered changes: of the registry, of the policy, of the date.

Functions over a connection that is inside a transaction already; neutral to the dialect.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Table, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.store import tables as t

SCOPE_ALL = "all"


def scope_of_centre(no: int) -> str:
    """The scope of a change that concerns one centre's contributions."""
    return f"centre:{no}"


def scope_of_collection(no: int) -> str:
    """The scope of a change that concerns one collection's views."""
    return f"collection:{no}"


async def lock(conn: AsyncConnection) -> None:
    """Make other operators wait until this transaction ends. Begin with it: what is read after it is the newest.

    Numbers of changes are then given in the order of the commits: who has seen one has seen all below it.
    SQLite serialises its writers anyway and ignores FOR UPDATE.
    """
    await conn.execute(select(t.hub.c.one).with_for_update())


async def policy_number(conn: AsyncConnection) -> int:
    """The number of the newest change; 0 before the first."""
    return int((await conn.execute(select(func.coalesce(func.max(t.policy_changes.c.no), 0)))).scalar_one())


async def record_change(
    conn: AsyncConnection, kind: str, body: Mapping[str, Any], scope: str | None, now_us: int
) -> int:
    """Append a numbered change of policy, and what is to be looked at again because of it; returns the number.

    ``scope`` is ``all``, ``centre:NUMBER``, ``collection:NUMBER``, or None where no view can change.
    """
    await lock(conn)
    row = {"at_us": now_us, "kind": kind, "body": json.dumps(body, sort_keys=True)}
    number = await insert_row(conn, t.policy_changes, row)
    if scope is not None:
        sweep = {"scope": scope, "cursor": b"", "time_us": now_us, "done": False}
        await conn.execute(insert(t.sweeps).values(sweep))
    return number


async def tick(conn: AsyncConnection, day: str, now_us: int) -> bool:
    """Set the date (``YYYY-MM-DD``); an earlier one than the latest, or the same, is ignored. Whether it was set."""
    await lock(conn)
    last = (await conn.execute(select(func.max(t.ticks.c.day)))).scalar_one()
    if last is not None and last >= day:
        return False
    await conn.execute(insert(t.ticks).values({"day": day, "at_us": now_us}))
    await record_change(conn, "tick", {"day": day}, None, now_us)
    return True


async def insert_row(conn: AsyncConnection, table: Table, row: Mapping[str, Any]) -> int:
    """Insert one row; returns the number that the database gave it."""
    key = (await conn.execute(insert(table).values(row))).inserted_primary_key
    assert key is not None  # noqa: S101 - an insert of one row into a table with a serial key has one
    return int(key[0])
