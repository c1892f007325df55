"""Statements that change collections, as a part of a change of the registry."""

from __future__ import annotations

import json
from dataclasses import replace

from sqlalchemy import delete, insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.model.policy import Collection
from hub.store import tables as t
from hub.store.policy_changes import insert_row


class SqlCollectionWriter:
    """See ``hub/registry/port.CollectionWriter``."""

    _conn: AsyncConnection

    async def add_collection(self, collection: Collection, now_us: int) -> Collection:
        """See the port. The collection's number is that of its change log."""
        no = await insert_row(self._conn, t.logs, {"name": f"collection.{collection.name}"})
        row = {
            "no": no,
            "name": collection.name,
            "id": collection.id,
            "level": collection.audience.level.label,
            "group": collection.audience.group,
            "types": json.dumps(sorted(collection.types)),
            "kinds": json.dumps(sorted(collection.kinds)),
            "min_confidence": collection.min_confidence,
            "created_us": now_us,
            "alert": collection.alert,
        }
        await self._conn.execute(insert(t.collections).values(row))
        return replace(collection, no=no)

    async def set_alert(self, collection: int, alert: bool) -> None:
        """See the port."""
        await self._conn.execute(update(t.collections).where(t.collections.c.no == collection).values(alert=alert))

    async def remove_collection(self, collection: int) -> None:
        """See the port. The log keeps its number but gets another name, so that a later collection starts a new log."""
        await self._conn.execute(delete(t.collections).where(t.collections.c.no == collection))
        await self._conn.execute(update(t.logs).where(t.logs.c.no == collection).values(name=f"removed.{collection}"))
