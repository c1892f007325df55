"""Statements on the times in the store: read the latest time, record when workers were alive, and correct times that a
wrong clock has written.

Each function takes a connection with an open transaction. The statements are the same for both dialects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import orjson
from sqlalchemy import Column, bindparam, delete, func, insert, or_, select, union_all, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.core.merge.runs import restamped, stamps_in
from hub.model.clock import Alive, StoredTimes
from hub.model.policy import LOG_OF_NOBODY
from hub.model.policy_changes import CollectionAdded, TimesPutBack
from hub.model.tasks import Recompute
from hub.model.times import from_us, midnight_after, stix_time
from hub.model.words import Seq, Stamp, stamp_of
from hub.store import journal_tables as j
from hub.store import policy_changes, tasks
from hub.store import tables as t
from hub.store import token_tables as tt
from hub.store import webhook_tables as wt
from hub.store.chunks import chunks
from hub.store.directory import SqlDirectoryWriter, read_collections
from hub.store.journal import redate_journal
from hub.store.webhooks import count_webhook_change

_KEPT_ALIVE = 1_000
"""How many machine starts are kept. In a cluster each node has its own, and nodes are replaced often."""
_STEP_US = 20
"""Microseconds between two rows of a log, as in ``hub/core/merge/numbering.py``."""
_TIME_BYTES = 8
_LATER_US = 600_000_000
"""How far a source's ``modified`` may be ahead of the clock, in microseconds: the default of the configuration."""


async def read_times(conn: AsyncConnection) -> StoredTimes:
    """Returns the latest time in the store, and when workers were last alive, by machine start."""
    latest = union_all(*(select(func.max(column)) for column in _TIMES_OF_WORK)).subquery()
    latest_us = (await conn.execute(select(func.max(latest.c[0])))).scalar_one()
    rows = await conn.execute(select(t.alive))
    return StoredTimes(int(latest_us or 0), {row.boot: Alive(row.at_us, row.uptime_us) for row in rows})


async def mark_alive(conn: AsyncConnection, boot: str, alive: Alive) -> None:
    """Record that a worker was alive, on a machine with this boot id."""
    a = t.alive.c
    await conn.execute(delete(t.alive).where(a.boot == boot))
    await conn.execute(insert(t.alive).values(boot=boot, at_us=alive.at_us, uptime_us=alive.uptime_us))
    oldest = select(a.at_us).order_by(a.at_us.desc()).offset(_KEPT_ALIVE).limit(1).scalar_subquery()
    await conn.execute(delete(t.alive).where(a.at_us <= oldest))


# ---------------------------------------------------------------- correcting times


@dataclass(frozen=True, slots=True)
class PutBack:
    """What had a time later than the clock and was corrected."""

    collections: tuple[str, ...] = ()
    """Collections that were made again, with the same names and new ids."""
    days: int = 0
    """Dates (rows of ``ticks``) that were deleted."""
    claims: int = 0
    """Contributions and held objects whose time of arrival was corrected."""
    rejections: int = 0
    changes: int = 0
    """Rows with a time of the hub's own: changes of the registry, principals, groups, tasks and others."""
    modified_later: int = 0
    """Contributions whose ``modified``, as the source sent it, is later than the clock. They are not changed."""


async def put_back(conn: AsyncConnection, now_us: int, *, later_than_us: int) -> PutBack:
    """Set all times later than ``later_than_us`` back, to ``now_us`` at most; returns what was changed.

    Rows of a collection are never redated under the same collection id: a client that has read the wrong dates would
    take the correct ones for old rows. A collection with such rows is removed and made again, with a new id.
    """
    await policy_changes.lock(conn)
    days = await _count(conn, delete(t.ticks).where(t.ticks.c.day > from_us(later_than_us).date().isoformat()))
    changes = 0
    for column in _TIMES_OF_ROWS:
        changes += await _count(conn, update(column.table).where(column > later_than_us).values({column.name: now_us}))
    changes += await redate_journal(conn, now_us, later_than_us)
    due = t.tasks.c.due_us
    await conn.execute(update(t.tasks).where(due > midnight_after(now_us)).values(due_us=now_us))
    a = t.alive.c
    await conn.execute(delete(t.alive).where(a.at_us > later_than_us))
    claims = await _restamp(conn, now_us, later_than_us)
    rejections = await _redate_rejections(conn, now_us, later_than_us)
    collections = await _begin_anew(conn, now_us, later_than_us)
    logs = t.logs.c
    await conn.execute(update(t.logs).where(logs.last_us > later_than_us).values(last_us=now_us))
    c = t.contributions.c
    later = await conn.execute(select(func.count()).where(c.modified_us > now_us + _LATER_US))
    await count_webhook_change(conn)  # last: the process that delivers cannot renew its lease until this is committed
    found = PutBack(collections, days, claims, rejections, changes, int(later.scalar_one()))
    if replace(found, modified_later=0) != PutBack():
        said = {"collections": list(collections), "days": days, "claims": claims, "rejections": rejections}
        await policy_changes.record(conn, TimesPutBack(said), now_us)
    return found


async def _count(conn: AsyncConnection, statement: Any) -> int:
    return int((await conn.execute(statement)).rowcount)


async def _begin_anew(conn: AsyncConnection, now_us: int, later_than_us: int) -> tuple[str, ...]:
    """Make collections again whose logs have later dates; returns their names. Later steps recompute their content."""
    late = select(t.logs.c.no).where(t.logs.c.last_us > later_than_us)
    numbers = set((await conn.execute(late)).scalars())
    again = [each for each in (await read_collections(conn)).values() if each.no in numbers]
    directory = SqlDirectoryWriter(conn)
    for collection in again:
        await _forget(conn, collection.no)
        made = await directory.add_collection(replace(collection, no=0, id=str(uuid4())), now_us)
        said = {"id": made.id, "instead_of": collection.id}
        await directory.record(CollectionAdded(made.name, made.no, said), now_us)
    return tuple(each.name for each in again)


async def _forget(conn: AsyncConnection, no: int) -> None:
    await SqlDirectoryWriter(conn).remove_collection(no)
    await conn.execute(delete(t.changes).where(t.changes.c.log == no))
    for table in (t.views, t.past_ids, t.uses, t.placements):
        await conn.execute(delete(table).where(table.c.collection == no))
    await tasks.cancel(conn, [Recompute(collection=no)])


async def _redate_rejections(conn: AsyncConnection, now_us: int, later_than_us: int) -> int:
    """Redate rejections in place; returns how many. They keep their numbers, since their source pages by number."""
    c, logs = t.changes.c, t.logs.c
    of_centres = select(logs.no).where(
        logs.last_us > later_than_us, or_(logs.name.startswith("rejected."), logs.name.startswith(LOG_OF_NOBODY))
    )
    done = 0
    for no in (await conn.execute(of_centres)).scalars().all():
        rows = (await conn.execute(select(c.seq, c.date_added_us).where(c.log == no).order_by(c.seq))).all()
        late = [Seq(row.seq) for row in rows if row.date_added_us > later_than_us]
        before_us = max((row.date_added_us for row in rows if row.date_added_us <= later_than_us), default=0)
        first_us = max(before_us + _STEP_US, now_us - _STEP_US * (len(late) - 1))
        dated = {seq: first_us + _STEP_US * i for i, seq in enumerate(late)}
        for some in chunks(late):
            bodies = await conn.execute(select(c.seq, c.body).where(c.log == no, c.seq.in_(some)))
            new = [
                {"at_seq": row.seq, "us": dated[row.seq], "bytes": _dated(row.body, dated[row.seq])} for row in bodies
            ]
            await conn.execute(_REDATED.where(c.log == no), new)
        if late:
            await conn.execute(update(t.logs).where(logs.no == no).values(last_us=dated[late[-1]]))
        done += len(late)
    return done


def _dated(rejection: bytes, us: int) -> bytes:
    return orjson.dumps(orjson.loads(rejection) | {"at": stix_time(us)})


# ---------------------------------------------------------------- times of arrival


async def _restamp(conn: AsyncConnection, now_us: int, later_than_us: int) -> int:
    """Set back the stamps of later arrivals, in the same order and one microsecond apart; returns how many."""
    late = bytes(stamp_of(later_than_us + 1, 0, 0))
    c, h = t.contributions.c, t.held.c
    of_claims = select(c.key, c.stamp, c.since).where(or_(c.stamp >= late, c.since >= late))
    of_held = select(h.no, h.stamp).where(h.stamp >= late)
    claims, held = (await conn.execute(of_claims)).all(), (await conn.execute(of_held)).all()
    stamps = [row.stamp for row in (*claims, *held)] + [each for row in claims for each in stamps_in(row.since)]
    anew = order_kept((each for each in stamps if each >= late), now_us)
    new = [{"at_key": r.key, "by": anew(r.stamp), "run": restamped(r.since, anew)} for r in claims]
    for some in chunks(new):
        await conn.execute(_RESTAMPED, list(some))
    waiting = [{"at_no": row.no, "by": anew(row.stamp)} for row in held]
    for part in chunks(waiting):
        await conn.execute(_HELD_RESTAMPED, list(part))
    return len(new) + len(waiting)


def order_kept(stamps: Iterable[bytes], now_us: int) -> Callable[[bytes], Stamp]:
    """Returns a function that sets the times in ``stamps`` back, the latest to ``now_us``. It keeps other times."""
    times = sorted({each[:_TIME_BYTES] for each in stamps})
    new = {time: (now_us - back).to_bytes(_TIME_BYTES, "big") for back, time in enumerate(reversed(times))}
    return lambda each: Stamp(new.get(each[:_TIME_BYTES], each[:_TIME_BYTES]) + each[_TIME_BYTES:])


_RESTAMPED = (
    update(t.contributions)
    .where(t.contributions.c.key == bindparam("at_key"))
    .values(stamp=bindparam("by"), since=bindparam("run"))
)
_HELD_RESTAMPED = update(t.held).where(t.held.c.no == bindparam("at_no")).values(stamp=bindparam("by"))
_REDATED = (
    update(t.changes)
    .where(t.changes.c.seq == bindparam("at_seq"))
    .values(date_added_us=bindparam("us"), version_us=bindparam("us"), body=bindparam("bytes"))
)

_TIMES_OF_WORK: tuple[Column[Any], ...] = (
    t.logs.c.last_us,
    t.positions.c.moved_us,
    t.ticks.c.at_us,
    t.policy_changes.c.at_us,
    t.alive.c.at_us,
    t.hub.c.created_us,
)
"""Columns of small tables. The latest time among them is the latest in the store."""

_TIMES_OF_ROWS: tuple[Column[Any], ...] = (
    t.hub.c.created_us,
    t.policy_changes.c.at_us,
    t.ticks.c.at_us,
    t.tasks.c.time_us,
    t.positions.c.moved_us,
    t.principals.c.created_us,
    t.groups.c.created_us,
    t.collections.c.created_us,
    t.held.c.at_us,
    j.fetched.c.at_us,
    tt.tokens.c.created_us,
    tt.token_digests.c.created_us,
    tt.token_digests.c.used_us,
    tt.token_digests.c.refused_us,
    wt.webhooks.c.created_us,
    wt.webhooks.c.failed_us,
    wt.webhooks.c.due_us,
    wt.webhooks.c.delivered_us,
)
"""Times that the hub set and that nothing else depends on: each may be corrected separately."""
