"""Statements on tasks, the work for later steps.

Each function takes a connection with an open transaction. The statements are the same for both dialects.
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
    """Add tasks, each from its start. ``time_us``: when they were caused; ``due_us``: the earliest time to run."""
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
    """Delete these tasks."""
    for some in chunks(sorted({_json.encode(task) for task in tasks})):
        await conn.execute(delete(t.tasks).where(t.tasks.c.task.in_(some)))


def is_due(now_us: int) -> ColumnElement[bool]:
    """Returns a condition: the task is due."""
    return exists().where(t.tasks.c.due_us <= now_us)


async def count(conn: AsyncConnection, kind: type[Task]) -> int:
    """Returns how many tasks of a kind there are."""
    counted = select(func.count()).where(t.tasks.c.kind == kind.__name__)
    return int((await conn.execute(counted)).scalar_one())


async def due(conn: AsyncConnection, now_us: int) -> list[DueTask]:
    """Returns the tasks that are due, the oldest first."""
    rows = await conn.execute(select(t.tasks).where(t.tasks.c.due_us <= now_us).order_by(t.tasks.c.no))
    return [_due(row) for row in rows]


async def take(conn: AsyncConnection, task: DueTask) -> bool:
    """Lock a task until the end of the transaction. Returns False if another worker has locked it or moved it."""
    here = select(t.tasks.c.no).where(t.tasks.c.no == task.no, t.tasks.c.cursor == task.cursor)
    return (await conn.execute(here.with_for_update(skip_locked=True))).first() is not None


async def move(conn: AsyncConnection, task: DueTask, cursor: bytes) -> None:
    """Record how far a task is done."""
    await conn.execute(update(t.tasks).where(t.tasks.c.no == task.no).values(cursor=cursor))


async def defer(conn: AsyncConnection, task: DueTask, due_us: int) -> None:
    """Schedule a task again, not before ``due_us``."""
    await conn.execute(update(t.tasks).where(t.tasks.c.no == task.no).values(due_us=due_us))


async def finish(conn: AsyncConnection, task: DueTask) -> None:
    """Delete a task that is done."""
    await conn.execute(delete(t.tasks).where(t.tasks.c.no == task.no))


async def load_turns(conn: AsyncConnection) -> dict[None, dict[tuple[int, StixId], bytes]]:
    """Returns the cursors of the pending turns of referrers, by collection and id."""
    rows = (await conn.execute(select(t.tasks).where(t.tasks.c.kind == TakeTurns.__name__))).all()
    found = [(task, row.cursor) for row in rows if isinstance(task := _json.decode(row.task), TakeTurns)]
    return {None: {(task.collection, task.name): bytes(cursor) for task, cursor in found}}


def _due(row: Row[Any]) -> DueTask:
    return DueTask(row.no, _json.decode(row.task), bytes(row.cursor), row.time_us)
