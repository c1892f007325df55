"""A page of a log whose bodies the database joins: one statement, whose result is one row.

In Python, the rows of a page take several times as long as in the database, and stop all other threads meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    case,
    exists,
    func,
    or_,
    select,
)

from hub.model.writes import Head
from hub.store import tables as t
from hub.store.dialect import Dialect
from hub.store.page_shapes import LIMIT_BYTES, LOG, PageAsked, PageShape, passing, picked
from hub.store.port import Filter, JoinedPage, LogPage, PageSpan

_c = t.changes.c
_Join = Callable[[ColumnElement[bytes], ColumnElement[int]], ColumnElement[bytes]]


def is_joinable(by: Filter) -> bool:
    """Whether this module reads such pages: one version of objects that are read in sequence."""
    return not by.ids and not by.log and len(by.versions) == 1


async def read(database: Dialect, asked: PageAsked) -> JoinedPage:
    """Returns the page; see ``hub/store/port.LogReader.joined``."""
    while (page := await _read(database, asked)) is None:
        found = await database.read_row(_fitting(asked.shape()), asked.values())
        fitting = found[0] if found else 0
        asked = asked._replace(limit=max(1, min(fitting, asked.limit - 1)))  # less, even if the rows have changed
    return page


async def _read(database: Dialect, asked: PageAsked) -> JoinedPage | None:
    """Returns the page; None if it has several bodies that have more than ``limit_bytes``."""
    found = await database.read_row(_page(asked.shape(), database.joined), asked.values())
    assert found is not None  # noqa: S101 - it is an aggregate
    last, first_us, last_us, count, more, bodies, *end = found
    if last is None:
        return JoinedPage(b"", None, more=False, end=Head(*end))
    return None if bodies is None else JoinedPage(bodies, PageSpan(last, first_us, last_us), bool(more), count=count)


def of_rows(page: LogPage) -> JoinedPage:
    """Returns the same page with its bodies joined."""
    return JoinedPage(b",".join(page.bodies), page.span, page.more, page.end, page.count)


@lru_cache(maxsize=256)
def _page(shape: PageShape, join: _Join) -> Select[Any]:
    """The rows are looked at twice, first without their bodies: so a page that is too large has not been read."""
    rows = picked(shape, _c.seq, _c.date_added_us, func.length(_c.body).label("size")).c
    found = select(
        func.count().label("count"),
        func.sum(rows.size).label("size"),
        func.max(rows.seq).label("last"),
        func.min(rows.date_added_us).label("first_us"),
        func.max(rows.date_added_us).label("last_us"),
    ).cte("found")
    found_rows = picked(shape, _c.seq, _c.body).c
    bodies = select(join(found_rows.body, found_rows.seq)).scalar_subquery()
    fits = or_(found.c.size <= LIMIT_BYTES, found.c.count == 1)
    more = or_(*(exists(passing(shape, no, found.c.last, _c.seq)) for no in range(max(1, shape.types))))
    end = (func.coalesce(column, 0) for column in (t.logs.c.last_seq, t.logs.c.last_us, t.logs.c.edits))
    return select(
        *(found.c.last, found.c.first_us, found.c.last_us, found.c.count, more.label("more")),
        *(case((fits, bodies)).label("bodies"), *end),
    ).select_from(found.outerjoin(t.logs, t.logs.c.no == LOG))


@lru_cache(maxsize=256)
def _fitting(shape: PageShape) -> Select[Any]:
    """How many of the rows have at most ``limit_bytes`` together."""
    rows = picked(shape, _c.seq, func.length(_c.body).label("size")).c
    total = func.sum(rows.size).over(order_by=rows.seq, rows=(None, 0)).label("total")
    totals = select(total).subquery()
    return select(func.count()).select_from(totals).where(totals.c.total <= LIMIT_BYTES)
