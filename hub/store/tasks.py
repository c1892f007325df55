"""Statements on the tasks that are left for later steps.

Functions over a connection that is inside a transaction already; neutral to the dialect.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, exists, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.model.tasks import DueTask, TakeTurns, Task
from hub.model.words import StixId
from hub.store import tables as t
from hub.store.chunks import chunks
from hub.store.typed_json import TypedJson

_json: TypedJson[Task] = TypedJson(Task)


async def add(conn: AsyncConnection, tasks: Collection[Task], time_us: int, *, due_us: int = 0) -> None:
    """Leave tasks, each from its beginning. ``time_us``: when they were caused; ``due_us``: not to be done before."""
    await cancel(conn, tasks)
    rows = [
        {
            "kind": type(task).__name__,
            "task": _json.encode(task),
            "cursor": b"",
            "time_us": time_us,
            "due_us": due_us,
        }
        for task in tasks
    ]
    if rows:
        await conn.execute(insert(t.tasks), rows)


async def cancel(conn: AsyncConnection, tasks: Collection[Task]) -> None:
    """Let these be done no more."""
    for some in chunks(sorted({_json.encode(task) for task in tasks})):
        await conn.execute(delete(t.tasks).where(t.tasks.c.task.in_(some)))


def is_due(now_us: int) -> ColumnElement[bool]:
    """Whether there is anything to be done."""
    return exists().where(t.tasks.c.due_us <= now_us)


async def count(conn: AsyncConnection, kind: type[Task]) -> int:
    """How many tasks of a kind there are."""
    counted = select(func.count()).where(t.tasks.c.kind == kind.__name__)
    return int((await conn.execute(counted)).scalar_one())


async def due(conn: AsyncConnection, now_us: int) -> list[DueTask]:
    """What is to be done now, the oldest first."""
    rows = await conn.execute(select(t.tasks).where(t.tasks.c.due_us <= now_us).order_by(t.tasks.c.no))
    return [_due(row) for row in rows]


async def take(conn: AsyncConnection, task: DueTask) -> bool:
    """Keep other workers from a task until the end of the transaction; False when one has it, or has done it."""
    here = select(t.tasks.c.no).where(t.tasks.c.no == task.no, t.tasks.c.cursor == task.cursor)
    return (await conn.execute(here.with_for_update(skip_locked=True))).first() is not None


async def move(conn: AsyncConnection, task: DueTask, cursor: bytes) -> None:
    """Note how far a task has come."""
    await conn.execute(update(t.tasks).where(t.tasks.c.no == task.no).values(cursor=cursor))


async def defer(conn: AsyncConnection, task: DueTask, due_us: int) -> None:
    """Have a task done again, not before this time."""
    await conn.execute(update(t.tasks).where(t.tasks.c.no == task.no).values(due_us=due_us))


async def finish(conn: AsyncConnection, task: DueTask) -> None:
    """Forget a task that is done."""
    await conn.execute(delete(t.tasks).where(t.tasks.c.no == task.no))


async def load_turns(conn: AsyncConnection) -> dict[None, dict[tuple[int, StixId], bytes]]:
    """How far the referrers of which ids have had their turn, by collection."""
    rows = (await conn.execute(select(t.tasks).where(t.tasks.c.kind == TakeTurns.__name__))).all()
    found = [(task, row.cursor) for row in rows if isinstance(task := _json.decode(row.task), TakeTurns)]
    return {None: {(task.collection, task.name): bytes(cursor) for task, cursor in found}}


def _due(row: Row[Any]) -> DueTask:
    return DueTask(row.no, _json.decode(row.task), bytes(row.cursor), row.time_us)
