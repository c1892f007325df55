"""Creates the initial content of a store: the hub's row, the built-in groups, the default collections."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.model.policy import LOG_OF_NOBODY, Audience, Collection, Group
from hub.model.tasks import SetDate
from hub.model.times import midnight_after
from hub.model.words import BUILT_IN_GROUPS, COMMUNITY, NETWORK, PUBLIC, CollectionName, Level, StixId
from hub.store import tables as t
from hub.store import tasks
from hub.store.dialect import Dialect
from hub.store.directory import SqlDirectoryWriter
from hub.store.policy_changes import insert_row

DEFAULT_COLLECTIONS: tuple[tuple[CollectionName, Audience], ...] = (
    (CollectionName("public"), Audience(Level.CLEAR, PUBLIC)),
    (CollectionName("community"), Audience(Level.GREEN, COMMUNITY)),
    (CollectionName("network"), Audience(Level.AMBER_STRICT, NETWORK)),
)
"""Source: docs/semantics.md, section 1, "collection"."""

_CURSOR_KEY_BYTES = 32


async def ensure_content(database: Dialect, now_us: int) -> None:
    """Create the initial content if the store has none. Takes no write lock if it has."""
    async with database.reading() as conn:
        made = (await conn.execute(select(t.hub.c.one))).first() is not None
    if not made:
        async with database.begin() as conn:
            await _create(conn, now_us)


async def _create(conn: AsyncConnection, now_us: int) -> None:
    """Create the initial content, unless another process has.

    Two processes may run this at the same time: the hub's row is inserted first, and its key admits only one of them.
    """
    if (await conn.execute(select(t.hub.c.one))).first() is not None:
        return
    try:
        async with conn.begin_nested():
            await conn.execute(insert(t.hub).values(_new_hub(now_us)))
    except IntegrityError:
        return
    directory = SqlDirectoryWriter(conn)
    for group in BUILT_IN_GROUPS:
        await directory.add_group(Group(group, StixId(f"marking-definition--{uuid4()}"), now_us), ())
    for name, audience in DEFAULT_COLLECTIONS:
        await directory.add_collection(Collection(0, name, str(uuid4()), audience), now_us)
    await insert_row(conn, t.logs, {"name": LOG_OF_NOBODY})
    await tasks.add(conn, [SetDate()], now_us, due_us=midnight_after(now_us))


def _new_hub(now_us: int) -> Mapping[str, Any]:
    return {
        "one": 1,
        "namespace": str(uuid4()),
        "identity": f"identity--{uuid4()}",
        "cursor_key": secrets.token_bytes(_CURSOR_KEY_BYTES),
        "created_us": now_us,
    }
