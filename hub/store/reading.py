"""Statements of the doors on what became of what was sent, and on single objects' versions: reading only.

Functions over a connection that is inside a transaction already; neutral to the dialect.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast

import orjson
from sqlalchemy import ColumnElement, Row, Select, func, select
from sqlalchemy import column as sql_column
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.model.claims import Change
from hub.model.words import CanonicalKey, Seq, StixId, TopicPartition
from hub.model.writes import Head, ReceiptCounts
from hub.store import tables as t
from hub.store.chunks import chunks
from hub.store.port import Filter

_IDS_PER_QUERY = 400


class Readable(Protocol):
    """Where the tables are; ``hub/store/sql.SqlStore`` is one."""

    def look(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A transaction that only reads, all of it at one moment. Raises TryAgain."""
        ...


@dataclass(frozen=True, slots=True)
class ProblemPart:
    """Where the problems of one part of a receipt are."""

    receipt: str
    centre: int
    first_index: int


@dataclass(frozen=True, slots=True)
class Placed:
    """A contribution that stands for a merged relationship in one collection."""

    thing: CanonicalKey
    collection: int
    centre: int
    id: StixId


async def receipt_counts(conn: AsyncConnection, receipt: str, centre: int) -> ReceiptCounts:
    """What a receipt came to so far, summed over its parts."""
    p = t.receipt_parts.c
    sums = [func.coalesce(func.sum(column), 0) for column in (p.accepted, p.unchanged, p.held, p.rejected)]
    row = (await conn.execute(select(*sums).where(p.receipt == receipt, p.centre == centre))).one()
    return ReceiptCounts(*(int(value) for value in row))


async def problem_parts(conn: AsyncConnection, receipt: str, centre: int) -> list[ProblemPart]:
    """The parts of a receipt that have problems, by the index of their first one; parts of equal index once."""
    p = t.receipt_parts.c
    rows = await conn.execute(
        select(p.first_index)
        .where(p.receipt == receipt, p.centre == centre, p.problems != b"[]")
        .order_by(p.first_index)
        .distinct()
    )
    return [ProblemPart(receipt, centre, row.first_index) for row in rows]


async def problems_of(conn: AsyncConnection, part: ProblemPart) -> list[Mapping[str, Any]]:
    """The problems of the parts with this first index: ``index``, ``id``, ``state``, ``code``, ``message``."""
    p = t.receipt_parts.c
    rows = await conn.execute(
        select(p.problems).where(
            p.receipt == part.receipt, p.centre == part.centre, p.first_index == part.first_index, p.problems != b"[]"
        )
    )
    return [problem for row in rows for problem in orjson.loads(row.problems)]


async def log_number(conn: AsyncConnection, name: str) -> int | None:
    """The number of the log ``collection.<name>`` or ``rejected.<centre>``; None when there is none."""
    found = await conn.execute(select(t.logs.c.no).where(t.logs.c.name == name))
    return found.scalar()


@dataclass(frozen=True, slots=True)
class Reached:
    """How far a partition of the event log has been carried into the store, and when that last moved."""

    next: int
    moved_us: int


async def reached(conn: AsyncConnection) -> dict[TopicPartition, Reached]:
    """Every partition of which something has been carried."""
    rows = await conn.execute(select(t.positions))
    return {TopicPartition(row.topic, row.partition): Reached(row.next, row.moved_us) for row in rows}


async def counts(conn: AsyncConnection) -> dict[int, ReceiptCounts]:
    """Per centre, what all that it ever sent came to."""
    rows = await conn.execute(select(t.counts))
    return {row.centre: ReceiptCounts(row.accepted, row.unchanged, row.held, row.rejected) for row in rows}


async def versions(conn: AsyncConnection, log: int, object_ids: Collection[str]) -> dict[str, list[Change]]:
    """Of each id that this log shows (or shows as revoked) all versions that it shows, newest first.

    One chain of rows per object, so the cost is that of its versions and not of the log.
    """
    found: dict[str, list[Change]] = {object_id: [] for object_id in object_ids}
    for some in chunks(sorted(object_ids), _IDS_PER_QUERY):
        for row in await _chains(conn, log, some):
            found[row.object_id].append(whole(row))
    return {object_id: chain for object_id, chain in found.items() if chain}


async def _chains(conn: AsyncConnection, log: int, object_ids: Sequence[str]) -> Sequence[Row[Any]]:
    c = t.changes.c
    v, p = t.views.c, t.past_ids.c
    newest = select(v.seq).where(v.object_id.in_(object_ids), v.collection == log)
    newest_past = select(p.seq).where(p.object_id.in_(object_ids), p.collection == log)
    chain = (
        select(c.seq, c.before)
        .where(c.log == log, c.shown == t.SHOWN_NOW, c.seq.in_(newest.union(newest_past)))
        .cte("chain", recursive=True)
    )
    chain = chain.union_all(
        select(c.seq, c.before).where(c.log == log, c.seq == chain.c.before, c.shown == t.SHOWN_BEFORE)
    )
    rows = await conn.execute(
        select(t.changes).where(c.log == log, c.seq.in_(select(chain.c.seq))).order_by(c.seq.desc())
    )
    return rows.all()


def whole(row: Row[Any]) -> Change:
    """A whole row of the table."""
    return _change(row, row.log, row.body)


def _change(row: Row[Any], log: int, body: bytes) -> Change:
    return Change(
        log, Seq(row.seq), StixId(row.object_id), row.type, bool(row.withdrawn), row.date_added_us, row.version_us,
        body, bool(row.first), row.before,
    )  # fmt: skip


async def placed(conn: AsyncConnection, things: Collection[bytes]) -> list[Placed]:
    """The contributions that stand for these merged relationships, by collection."""
    p, c = t.placements.c, t.contributions.c
    rows = await conn.execute(
        select(p.thing, p.collection, c.centre, c.id)
        .join(t.contributions, c.key == p.key)
        .where(p.thing.in_(list(things)))
    )
    return [Placed(CanonicalKey(row.thing), row.collection, row.centre, StixId(row.id)) for row in rows]


async def placements(conn: AsyncConnection, keys: Collection[bytes]) -> set[CanonicalKey]:
    """The merged relationships for which these contributions stand, in whatever collection."""
    p = t.placements.c
    rows = await conn.execute(select(p.thing).where(p.key.in_(list(keys))).distinct())
    return {CanonicalKey(row.thing) for row in rows}


async def head(conn: AsyncConnection, log: int) -> Head:
    """Where a log ends."""
    row = (await conn.execute(select(t.logs.c.last_seq, t.logs.c.last_us).where(t.logs.c.no == log))).first()
    return Head(Seq(row.last_seq), row.last_us) if row else Head(Seq(0), 0)


async def change_at(conn: AsyncConnection, log: int, seq: int) -> Change | None:
    """One row of a log."""
    c = t.changes.c
    row = (await conn.execute(select(t.changes).where(c.log == log, c.seq == seq))).first()
    return None if row is None else whole(row)


async def waiting(conn: AsyncConnection) -> int:
    """How many objects wait for the operator."""
    h = t.held.c
    return int((await conn.execute(select(func.count()).where(h.state == "waiting"))).scalar_one())


# ---------------------------------------------------------------- pages

_RAW: Mapping[str, ColumnElement[Any]] = {column.name: sql_column(column.name) for column in t.changes.c}
"""The columns without types: what comes out of the driver is passed on as it is, a page being a thousand rows."""


_SHOWN = ("seq", "date_added_us", "version_us", "object_id", "type", "withdrawn")


class Shown(Protocol):
    """What a reader is told of a row besides its bytes."""

    @property
    def seq(self) -> Seq:
        """Its number in the log."""
        ...

    @property
    def date_added_us(self) -> int:
        """When it was added."""
        ...

    @property
    def version_us(self) -> int:
        """See ``Change``."""
        ...

    @property
    def object_id(self) -> str:
        """The object's id."""
        ...

    @property
    def type(self) -> str:
        """The object's type."""
        ...

    @property
    def withdrawn(self) -> bool:
        """Whether the row says that the object has gone."""
        ...


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of a log in their order, with their bytes where these were asked for, and whether more follow."""

    rows: Sequence[Shown]
    bodies: Sequence[bytes]
    more: bool


async def page(
    conn: AsyncConnection,
    log: int,
    after: int,
    *,
    limit: int,
    limit_bytes: int,
    by: Filter,
    bodies: bool = True,
    columns: Sequence[str] = _SHOWN,
) -> Page:
    """The rows above ``after`` that pass ``by``, one at least if there is one.

    Sizes come before bytes: however large the objects, no more than ``limit_bytes`` (or one object) is read.
    """
    start = await _start(conn, log, after, by)
    rows = await _rows(conn, log, start, limit + 1, by, columns)
    count = _fitting([row.size for row in rows[:limit]], limit_bytes) if bodies else min(len(rows), limit)
    shown = cast("Sequence[Shown]", rows[:count])
    return Page(shown, await _bodies(conn, log, shown, by) if bodies and shown else (), count < len(rows))


async def changes(
    conn: AsyncConnection, log: int, after: int, *, limit: int, limit_bytes: int, by: Filter
) -> list[Change]:
    """The same as whole rows."""
    found = await page(
        conn, log, after, limit=limit, limit_bytes=limit_bytes, by=by, columns=(*_SHOWN, "first", "before")
    )
    rows = cast("Sequence[Row[Any]]", found.rows)
    return [_change(row, log, body) for row, body in zip(rows, found.bodies, strict=True)]


async def _start(conn: AsyncConnection, log: int, after: int, by: Filter) -> int:
    """The row after which to look. A number, since no planner makes one range of two bounds."""
    if by.after_us is None:
        return after
    c = t.changes.c
    found = await conn.execute(
        select(c.seq).where(c.log == log, c.date_added_us <= by.after_us).order_by(c.date_added_us.desc()).limit(1)
    )
    return max(after, found.scalar() or 0)


async def _rows(
    conn: AsyncConnection, log: int, after: int, limit: int, by: Filter, names: Sequence[str]
) -> Sequence[Row[Any]]:
    """The first rows without their bytes. Types one by one: a list of rare ones must not read through the others."""
    columns = [_RAW[name] for name in names]
    query = select(*columns, func.length(_RAW["body"]).label("size"))
    found: list[Row[Any]] = []
    for one in [replace(by, types=frozenset({kind})) for kind in sorted(by.types)] or [by]:
        passing = _passing(query, log, one).where(t.changes.c.seq > after).limit(limit)
        found.extend((await conn.execute(passing)).all())
    return found if len(by.types) < 2 else sorted(found, key=lambda row: int(row.seq))[:limit]


async def _bodies(conn: AsyncConnection, log: int, shown: Sequence[Shown], by: Filter) -> Sequence[bytes]:
    """The bytes of these rows: in one range where they stand close together, else one by one."""
    c = t.changes.c
    query = _passing(select(_RAW["body"]), log, by)
    if shown[-1].seq - shown[0].seq < 4 * len(shown):
        in_range = await conn.execute(query.where(c.seq >= shown[0].seq, c.seq <= shown[-1].seq))
        return list(in_range.scalars())
    found: list[bytes] = []
    for some in chunks([row.seq for row in shown], _IDS_PER_QUERY):
        found.extend((await conn.execute(query.where(c.seq.in_(some)))).scalars())
    return found


def _fitting(sizes: Sequence[int], limit_bytes: int) -> int:
    """How many of the first fit, one at least."""
    total = 0
    for count, size in enumerate(sizes):
        total += size
        if count and total > limit_bytes:
            return count
    return len(sizes)


def _passing(query: Select[Any], log: int, by: Filter) -> Select[Any]:
    c = t.changes.c
    query = query.select_from(t.changes).where(c.log == log).order_by(c.seq)
    if by.types:
        query = query.where(c.type.in_(sorted(by.types)))
    if by.ids:
        query = query.where(c.object_id.in_(sorted(by.ids)))
    return query if by.log else query.where(*_versions(by.versions))


def _versions(said: str) -> tuple[ColumnElement[bool], ...]:
    """Source: TAXII 2.1, section 3.4.1, ``version``."""
    c = t.changes.c
    match said:
        case "last":
            return (c.shown == t.SHOWN_NOW,)
        case "all":
            return (c.shown > t.SHOWN_NEVER,)
        case "first":
            return (c.shown > t.SHOWN_NEVER, c.first)
        case version_us:
            return (c.shown > t.SHOWN_NEVER, c.version_us == int(version_us))
