"""Statements that read one page of a log, the same for both dialects.

A page costs the same at every place in the log: filters use the table's indexes, and objects are looked up by id.
Sizes are read before bodies, so that no more bodies are read than fit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy import column as sql_column
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.store import tables as t
from hub.store.chunks import chunks
from hub.store.port import Filter, LogPage, LogRow

_IDS_PER_QUERY = 400
RAW: Mapping[str, ColumnElement[Any]] = {column.name: sql_column(column.name) for column in t.changes.c}
"""The columns without types, so that SQLAlchemy does not convert the values: a page has a thousand rows."""
ROW = (*(RAW[name] for name in LogRow._fields if name != "size"), func.length(RAW["body"]))
"""The columns of ``LogRow``, in the order of its fields."""

_Version = tuple[LogRow, bytes]


@dataclass(frozen=True, slots=True)
class PageRequest:
    """The parameters of one page. ``limit_bytes`` is None to read no bodies."""

    conn: AsyncConnection
    log: int
    after: int
    by: Filter
    limit: int
    limit_bytes: int | None


async def read(asked: PageRequest) -> LogPage:
    """Returns the page; see ``hub/store/port.LogReader.page``."""
    if asked.by.ids:
        return await _of_ids(asked)
    start = await _start(asked)
    found = [await _of_version(asked, start, version) for version in asked.by.versions]
    return found[0] if len(found) == 1 else _together(asked, found)


# ---------------------------------------------------------------- rows in sequence


async def _start(asked: PageRequest) -> int:
    """Returns the number of the last row to skip: one lower bound, since no planner combines two into one range."""
    if asked.by.after_us is None:
        return asked.after
    c = t.changes.c
    before = select(c.seq).where(c.log == asked.log, c.date_added_us <= asked.by.after_us)
    found = await asked.conn.execute(before.order_by(c.date_added_us.desc()).limit(1))
    return max(asked.after, found.scalar() or 0)


async def _of_version(asked: PageRequest, start: int, version: str) -> LogPage:
    by = replace(asked.by, versions=(version,))
    rows = await _rows(asked, start, by)
    limit_bytes = asked.limit_bytes
    count = min(len(rows), asked.limit)
    if limit_bytes is not None:
        count = _fitting([row.size for row in rows[:count]], limit_bytes)
    shown = rows[:count]
    bodies = await _bodies(asked, shown, by) if shown and limit_bytes is not None else ()
    return LogPage(shown, bodies, count < len(rows))


async def _rows(asked: PageRequest, after: int, by: Filter) -> list[LogRow]:
    """Returns the first rows, one more than the limit, without bodies. Each type is a query of its own, so that rare
    types do not cause a scan over the rows of other types.
    """
    limit = asked.limit + 1
    found: list[LogRow] = []
    for one in [replace(by, types=frozenset({kind})) for kind in sorted(by.types)] or [by]:
        passing = _passing(select(*ROW), asked.log, one).where(t.changes.c.seq > after).limit(limit)
        found.extend(map(LogRow._make, (await asked.conn.execute(passing)).all()))
    return found if len(by.types) < 2 else sorted(found)[:limit]


async def _bodies(asked: PageRequest, shown: Sequence[LogRow], by: Filter) -> Sequence[bytes]:
    """Returns the bodies of these rows: by one range query where their numbers are dense, otherwise by number."""
    c = t.changes.c
    query = _passing(select(RAW["body"]), asked.log, by)
    if shown[-1].seq - shown[0].seq < 4 * len(shown):
        in_range = await asked.conn.execute(query.where(c.seq >= shown[0].seq, c.seq <= shown[-1].seq))
        return list(in_range.scalars())
    found: list[bytes] = []
    for some in chunks([row.seq for row in shown], _IDS_PER_QUERY):
        found.extend((await asked.conn.execute(query.where(c.seq.in_(some)))).scalars())
    return found


def _passing(query: Select[Any], log: int, by: Filter) -> Select[Any]:
    c = t.changes.c
    query = query.select_from(t.changes).where(c.log == log).order_by(c.seq)
    if by.types:
        query = query.where(c.type.in_(sorted(by.types)))
    return query if by.log else query.where(*are_of_version(by.versions[0]))


def are_of_version(said: str, at: ColumnElement[int] | None = None) -> tuple[ColumnElement[bool], ...]:
    """Returns the conditions of a version; ``at`` stands for one that is a time.

    Source: TAXII 2.1, section 3.4.1, ``version``.
    """
    c = t.changes.c
    match said:
        case "last":
            return (c.shown == t.SHOWN_NOW,)
        case "all":
            return (c.shown > t.SHOWN_NEVER,)
        case "first":
            return (c.shown > t.SHOWN_NEVER, c.first)
        case time_us:
            return (c.shown > t.SHOWN_NEVER, c.version_us == (int(time_us) if at is None else at))


def _together(asked: PageRequest, pages: Sequence[LogPage]) -> LogPage:
    """Combines several pages of one log; each row appears once.

    If a page has more rows after its end, rows of other pages beyond that end are dropped: returning them would skip
    the rows in between.
    """
    found = {
        row.seq: (row, body)
        for page in pages
        for row, body in zip(page.rows, page.bodies or [b""] * len(page.rows), strict=True)
    }
    ends = [page.rows[-1].seq for page in pages if page.more]
    usable = sorted(seq for seq in found if not ends or seq <= min(ends))
    return _cut(asked, [found[seq] for seq in usable], more=bool(ends))


# ---------------------------------------------------------------- objects by their ids


async def versions(conn: AsyncConnection, log: int, object_ids: Collection[str]) -> dict[str, list[_Version]]:
    """Returns all visible versions by object id, newest first, for the ids that this log shows (also as revoked).

    Each object has a chain of rows, so the cost depends on its number of versions and not on the length of the log.
    """
    found: dict[str, list[_Version]] = defaultdict(list)
    c = t.changes.c
    for some in chunks(sorted(object_ids), _IDS_PER_QUERY):
        rows = select(*ROW, RAW["body"]).select_from(t.changes)
        chain = rows.where(c.log == log, c.seq.in_(_chained(log, some))).order_by(c.seq.desc())
        for *row, body in await conn.execute(chain):
            shown = LogRow._make(row)
            found[shown.object_id].append((shown, body))
    return found


def _chained(log: int, object_ids: Sequence[str]) -> Select[tuple[int]]:
    """Selects the numbers of all visible rows of these objects, from the newest along ``before``."""
    c, v, p = t.changes.c, t.views.c, t.past_ids.c
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
    return select(chain.c.seq)


async def _of_ids(asked: PageRequest) -> LogPage:
    chains = await versions(asked.conn, asked.log, asked.by.ids)
    found = {
        row.seq: (row, body)
        for chain in chains.values()
        for version in asked.by.versions
        for row, body in _chosen(chain, version)
        if _passes(row, asked)
    }
    return _cut(asked, [found[seq] for seq in sorted(found)], more=False)


def _chosen(newest_first: Sequence[_Version], version: str) -> Sequence[_Version]:
    """Source: TAXII 2.1, section 3.4.1, ``version``."""
    match version:
        case "all":
            return newest_first
        case "last":
            return newest_first[:1]
        case "first":
            return newest_first[-1:]
        case time_us:
            return [(row, body) for row, body in newest_first if row.version_us == int(time_us)]


def _passes(row: LogRow, asked: PageRequest) -> bool:
    by = asked.by
    return (
        row.seq > asked.after
        and (by.after_us is None or row.date_added_us > by.after_us)
        and (not by.types or row.type in by.types)
    )


# ---------------------------------------------------------------- limits


def _fitting(sizes: Sequence[int], limit_bytes: int) -> int:
    """Returns how many of the first sizes fit into ``limit_bytes``, one at least."""
    total = 0
    for count, size in enumerate(sizes):
        total += size
        if count and total > limit_bytes:
            return count
    return len(sizes)


def _cut(asked: PageRequest, found: Sequence[_Version], *, more: bool) -> LogPage:
    """Returns a page of as many rows as the limits allow, one at least."""
    kept = found[: asked.limit]
    if asked.limit_bytes is not None:
        kept = kept[: _fitting([row.size for row, _ in kept], asked.limit_bytes)]
    bodies = () if asked.limit_bytes is None else [body for _, body in kept]
    return LogPage([row for row, _ in kept], bodies, more or len(kept) < len(found))
