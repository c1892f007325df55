"""Statements of the doors on what became of what was sent, and on single objects' versions: reading only.

Functions over a connection that is inside a transaction already; neutral to the dialect.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import orjson
from sqlalchemy import Row, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.model.claims import Change
from hub.model.step import ReceiptCounts
from hub.model.words import CanonicalKey, Seq, StixId
from hub.store import tables as t


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


async def counts(conn: AsyncConnection) -> dict[int, ReceiptCounts]:
    """Per centre, what all that it ever sent came to."""
    rows = await conn.execute(select(t.counts))
    return {row.centre: ReceiptCounts(row.accepted, row.unchanged, row.held, row.rejected) for row in rows}


async def versions(conn: AsyncConnection, log: int, object_ids: Collection[str]) -> dict[str, list[Change]]:
    """Of each id that this log shows (or shows as revoked) all versions that it shows, newest first.

    One chain of rows per object, so the cost is that of its versions and not of the log.
    """
    found: dict[str, list[Change]] = {object_id: [] for object_id in object_ids}
    for some in _chunks(sorted(object_ids)):
        for row in await _chains(conn, log, some):
            found[row.object_id].append(_change(row))
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


def _chunks(values: Sequence[str]) -> list[Sequence[str]]:
    return [values[start : start + 400] for start in range(0, len(values), 400)]


def _change(row: Row[Any]) -> Change:
    return Change(
        row.log, Seq(row.seq), StixId(row.object_id), row.type, bool(row.withdrawn), row.date_added_us, row.version_us,
        row.body, bool(row.first), row.before,
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


async def change_at(conn: AsyncConnection, log: int, seq: int) -> Change | None:
    """One row of a log."""
    c = t.changes.c
    row = (await conn.execute(select(t.changes).where(c.log == log, c.seq == seq))).first()
    return None if row is None else _change(row)


async def waiting(conn: AsyncConnection) -> int:
    """How many objects wait for the operator."""
    h = t.held.c
    return int((await conn.execute(select(func.count()).where(h.state == "waiting"))).scalar_one())
