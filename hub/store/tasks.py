"""Statements on tasks, the work for later steps.

Each function takes a connection with an open transaction. The statements are the same for both dialects.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.model.claims import ClaimKey, first_key
from hub.model.reads import ClaimsPage
from hub.model.stix_types import FILL_ORDER, fill_part
from hub.model.tasks import (
    DueTask,
    PublishLate,
    Recompute,
    RecomputeDue,
    RecomputeId,
    TakeTurns,
    Task,
    TaskProgress,
    progress_of,
)
from hub.model.words import CanonicalKey, StixId
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


async def publish_late(conn: AsyncConnection, late: Mapping[tuple[int, CanonicalKey], int | None]) -> None:
    """Have the versions published that are put off until these times: one task for each collection, due at the earliest
    of them.
    """
    first: dict[int, int] = {}
    for (no, _), due_us in late.items():
        if due_us is not None:
            first[no] = min(due_us, first.get(no, due_us))
    for no, due_us in sorted(first.items()):
        task: Task = PublishLate(no)
        mine = t.tasks.c.task == _json.encode(task)
        if (await conn.execute(select(t.tasks.c.no).where(mine))).first() is None:
            await add(conn, [task], due_us, due_us=due_us)
        await conn.execute(update(t.tasks).where(mine, t.tasks.c.due_us > due_us).values(due_us=due_us))


async def cancel(conn: AsyncConnection, tasks: Collection[Task]) -> None:
    """Delete these tasks."""
    for some in chunks(sorted({_json.encode(task) for task in tasks})):
        await conn.execute(delete(t.tasks).where(t.tasks.c.task.in_(some)))


async def progress(conn: AsyncConnection) -> list[TaskProgress]:
    """Returns how far the tasks over contributions are, the oldest first."""
    rows = await conn.execute(select(t.tasks).where(t.tasks.c.kind == Recompute.__name__).order_by(t.tasks.c.no))
    return [
        progress_of(task, done=row.done, total=row.total, started_us=row.started_us, moved_us=row.moved_us)
        for row in rows
        if isinstance(task := _json.decode(row.task), Recompute)
    ]


async def unfinished(conn: AsyncConnection) -> list[Recompute | RecomputeDue]:
    """Returns the tasks until whose end views may differ from the policy."""
    kinds = (Recompute.__name__, RecomputeDue.__name__)
    rows = await conn.execute(select(t.tasks.c.task).where(t.tasks.c.kind.in_(kinds)))
    found = [_json.decode(row.task) for row in rows]
    return [task for task in found if isinstance(task, Recompute | RecomputeDue)]


async def named(conn: AsyncConnection) -> list[tuple[int, StixId]]:
    """Returns the numbers of the tasks that are about one id, with the id."""
    kinds = (RecomputeId.__name__, TakeTurns.__name__)
    rows = await conn.execute(select(t.tasks.c.no, t.tasks.c.task).where(t.tasks.c.kind.in_(kinds)))
    found = [(row.no, _json.decode(row.task)) for row in rows]
    return [(no, task.name) for no, task in found if isinstance(task, RecomputeId | TakeTurns)]


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


async def start(conn: AsyncConnection, task: DueTask, now_us: int) -> DueTask:
    """Set the end of a task over contributions; returns the task with it."""
    c = t.contributions.c
    covered = select(func.coalesce(func.max(c.no), 0), func.count())
    until, total = (await conn.execute(_of(covered, task.task))).one()
    values = {"until": until, "total": total, "started_us": now_us}
    await conn.execute(update(t.tasks).where(t.tasks.c.no == task.no).values(values))
    return replace(task, until=until)


async def page(conn: AsyncConnection, task: DueTask, after: bytes, limit: int) -> ClaimsPage:
    """Returns the next contributions of a started task, by part (``FILL_ORDER``) and key. A place in this order is the
    number of the part and the key before it. Those that came after the start are left out: their step knew the new
    policy. But a new collection takes them too, since it leaves what is still to come to later steps.
    """
    c = t.contributions.c
    kind = task.task.type if isinstance(task.task, Recompute) else None
    found: list[ClaimKey] = []
    begin = after[0] if after else 0
    for part, types in list(enumerate(FILL_ORDER))[begin:]:
        if kind is not None and part != fill_part(kind):
            continue
        past = after[1:] if part == begin else b""
        query = select(c.key).where(c.key > past, _in_part(types)).order_by(c.key)
        if not isinstance(task.task, Recompute) or task.task.collection is None:
            query = query.where(c.no <= task.until)
        rows = await conn.execute(_of(query.limit(limit - len(found)), task.task))
        found += [ClaimKey(key) for key in rows.scalars()]
        if len(found) == limit:
            return ClaimsPage(found, bytes([part]) + found[-1])
    return ClaimsPage(found, None)


def _in_part(types: frozenset[str] | None) -> ColumnElement[bool]:
    kind = t.contributions.c.type
    if types is not None:
        return kind.in_(sorted(types))
    return kind.not_in(sorted(frozenset().union(*(some for some in FILL_ORDER if some is not None))))


def _of(query: Select[Any], task: Task) -> Select[Any]:
    """Restricts a query of contributions to those that a task covers."""
    if not isinstance(task, Recompute):
        return query
    c, p = t.contributions.c, t.principals.c
    if task.type is not None:
        query = query.where(c.type == task.type)
    if task.source is None:
        return query
    its = and_(c.source == task.source, c.key >= first_key(task.source), c.key < first_key(task.source + 1))
    members = c.source.in_(select(p.no).where(p.accredited_by == task.source))
    return query.where(or_(its, members) if task.with_members else its)


async def note(conn: AsyncConnection, task: DueTask, done: int, now_us: int) -> None:
    """Add to the number of contributions that a task has computed."""
    values = {"done": t.tasks.c.done + done, "moved_us": now_us}
    await conn.execute(update(t.tasks).where(t.tasks.c.no == task.no).values(values))


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
    return DueTask(row.no, _json.decode(row.task), bytes(row.cursor), row.time_us, row.until)
