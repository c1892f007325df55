"""Finds the row of an object that was the last one at an earlier number of its log.

The versions of an object that is shown without a break are a chain of rows. Where an object has come back under the
same id, the chain ends at its first row; what was before is looked for among the rows of its type just before that.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.model.words import Seq, StixId
from hub.store import tables as t
from hub.store.pages import ROW
from hub.store.port import AsOf, LogRow

MOST_ROWS = 20_000
"""Rows of one type that are looked through: some tenths of a second."""


class _Row(NamedTuple):
    seq: int
    before: int | None
    withdrawn: bool
    object_id: str
    type: str


_COLUMNS = [t.changes.c[name] for name in _Row._fields]


@dataclass(slots=True)
class _Past:
    """What is found of an object's rows around a number."""

    up_to: list[_Row] = field(default_factory=list)
    """The last rows up to the number, one for each id or each time that the object was shown."""
    after: list[_Row] = field(default_factory=list)
    is_kept: bool = True
    is_near: bool = True

    @property
    def is_shown(self) -> bool:
        """Whether the object was shown at the number, and under which row is known."""
        return any(not row.withdrawn for row in self.up_to)


async def as_of(conn: AsyncConnection, log: int, ids: Collection[StixId], at: int, most: int = MOST_ROWS) -> AsOf:
    """See ``hub/store/port.LogReader.as_of``. ``most``: see ``MOST_ROWS``."""
    pruned = (await conn.execute(select(t.logs.c.pruned_seq).where(t.logs.c.no == log))).scalar() or 0
    past = _Past()
    for newest in await _newest(conn, log, ids):
        row = await _along(conn, log, newest, at)
        if row is not None:
            (past.up_to if row.seq <= at else past.after).append(row)
    for first in list(past.after):
        if not past.is_shown:
            await _look_before(conn, log, first, at, (past, pruned, most))
    after = min((Seq(row.seq) for row in past.after), default=None)
    last = max(past.up_to, key=lambda row: (not row.withdrawn, row.seq), default=None)
    if last is None or (last.withdrawn and not (past.is_kept and past.is_near)):
        return AsOf(None, b"", past.is_kept, past.is_near, after)
    *columns, body = (await conn.execute(select(*ROW, t.changes.c.body).where(*_at(log, last.seq)))).one()
    return AsOf(LogRow._make(columns), body, next=after)


async def _newest(conn: AsyncConnection, log: int, ids: Collection[StixId]) -> list[int]:
    """The numbers of the newest rows under these ids."""
    v, p, wanted = t.views.c, t.past_ids.c, sorted(ids)
    now = select(v.seq).where(v.object_id.in_(wanted), v.collection == log)
    past = select(p.seq).where(p.object_id.in_(wanted), p.collection == log)
    return sorted((await conn.execute(now.union(past))).scalars())


async def _along(conn: AsyncConnection, log: int, newest: int, at: int) -> _Row | None:
    """The last row of a chain up to ``at``; if all come later, the first one."""
    c = t.changes.c
    chain = select(c.seq, c.before).where(*_at(log, newest)).cte("chain", recursive=True)
    before = select(c.seq, c.before).where(c.log == log, c.seq == chain.c.before, chain.c.seq > at)
    chain = chain.union_all(before)
    lowest = select(chain.c.seq).order_by(chain.c.seq).limit(1).scalar_subquery()
    return _row((await conn.execute(select(*_COLUMNS).where(c.log == log, c.seq == lowest))).first())


async def _look_before(conn: AsyncConnection, log: int, first: _Row, at: int, found: tuple[_Past, int, int]) -> None:
    """Look for rows before the first one of a chain, when the object was shown earlier under the same id."""
    past, pruned, most = found
    if first.seq <= pruned:
        past.is_kept = False  # it may have had versions before, which are deleted
        return
    low = (await conn.execute(_of_type(log, first).offset(most).limit(1))).scalar() or 0
    if low > at:
        past.is_near = False
        return
    c = t.changes.c
    of_object = select(*_COLUMNS).where(
        c.log == log, c.type == first.type, c.seq > low, c.seq < first.seq, c.object_id == first.object_id
    )
    rows = [_Row._make(row) for row in await conn.execute(of_object.order_by(c.seq))]
    later = next((row for row in rows if row.seq > at), None)
    if later is not None:
        past.after.append(later)
        if later.before is not None:
            of_later = await conn.execute(select(*_COLUMNS).where(*_at(log, later.before)))
            past.up_to += filter(None, [_row(of_later.first())])
            return
        if later.seq <= pruned:
            past.is_kept = False
            return
    up_to = [row for row in rows if row.seq <= at]
    past.up_to += up_to[-1:]
    past.is_near &= bool(up_to) or low == 0


def _of_type(log: int, first: _Row) -> Select[Any]:
    """The numbers of the rows of a type before a row, the last first; read from the index alone."""
    c = t.changes.c
    return select(c.seq).where(c.log == log, c.type == first.type, c.seq < first.seq).order_by(c.seq.desc())


def _at(log: int, seq: int) -> tuple[ColumnElement[bool], ...]:
    return (t.changes.c.log == log, t.changes.c.seq == seq)


def _row(found: Row[Any] | None) -> _Row | None:
    return None if found is None else _Row._make(found)
