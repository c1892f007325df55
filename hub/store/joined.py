"""A page of a log whose bodies the database joins: one statement, whose result is one row.

In Python, the rows of a page take several times as long as in the database, and stop all other threads meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    Subquery,
    Text,
    bindparam,
    case,
    exists,
    func,
    or_,
    select,
    union_all,
)

from hub.model.writes import Head
from hub.store import tables as t
from hub.store.dialect import Dialect
from hub.store.pages import are_of_version
from hub.store.port import Filter, JoinedPage, LogPage, PageSpan

_c = t.changes.c
_LOG, _AFTER, _AFTER_US, _VERSION_US, _LIMIT, _LIMIT_BYTES = (
    bindparam(name, type_=BigInteger) for name in ("log", "after", "after_us", "version_us", "limit", "limit_bytes")
)
_Join = Callable[[ColumnElement[bytes], ColumnElement[int]], ColumnElement[bytes]]


class JoinRequest(NamedTuple):
    """The parameters of one page."""

    log: int
    after: int
    by: Filter
    limit: int
    limit_bytes: int


class _Shape(NamedTuple):
    """What the text of a statement depends on."""

    version: str
    types: int
    """The number of types; 0: all types."""
    has_time: bool


def is_joinable(by: Filter) -> bool:
    """Whether this module reads such pages: one version of objects that are read in sequence."""
    return not by.ids and not by.log and len(by.versions) == 1


async def read(database: Dialect, asked: JoinRequest) -> JoinedPage:
    """Returns the page; see ``hub/store/port.LogReader.joined``."""
    while (page := await _read(database, asked)) is None:
        found = await database.read_row(_fitting(_shape(asked)), _values(asked))
        fitting = found[0] if found else 0
        asked = asked._replace(limit=max(1, min(fitting, asked.limit - 1)))  # less, even if the rows have changed
    return page


async def _read(database: Dialect, asked: JoinRequest) -> JoinedPage | None:
    """Returns the page; None if it has several bodies that have more than ``limit_bytes``."""
    found = await database.read_row(_page(_shape(asked), database.joined), _values(asked))
    assert found is not None  # noqa: S101 - it is an aggregate
    last, first_us, last_us, count, more, bodies, *end = found
    if last is None:
        return JoinedPage(b"", None, more=False, end=Head(*end))
    return None if bodies is None else JoinedPage(bodies, PageSpan(last, first_us, last_us), bool(more), count=count)


def of_rows(page: LogPage) -> JoinedPage:
    """Returns the same page with its bodies joined."""
    return JoinedPage(b",".join(page.bodies), page.span, page.more, page.end, page.count)


def _shape(asked: JoinRequest) -> _Shape:
    version = asked.by.versions[0]
    return _Shape("at" if version.isdecimal() else version, len(asked.by.types), asked.by.after_us is not None)


def _values(asked: JoinRequest) -> dict[str, Any]:
    version = asked.by.versions[0]
    return {
        "log": asked.log,
        "after": asked.after,
        "after_us": asked.by.after_us,
        "version_us": int(version) if version.isdecimal() else None,
        "limit": asked.limit,
        "limit_bytes": asked.limit_bytes,
        **{_type(no): kind for no, kind in enumerate(sorted(asked.by.types))},
    }


def _type(no: int) -> str:
    return f"type_{no}"


@lru_cache(maxsize=256)
def _page(shape: _Shape, join: _Join) -> Select[Any]:
    """The rows are looked at twice, first without their bodies: so a page that is too large has not been read."""
    rows = _picked(shape, _c.seq, _c.date_added_us, func.length(_c.body).label("size")).c
    found = select(
        func.count().label("count"),
        func.sum(rows.size).label("size"),
        func.max(rows.seq).label("last"),
        func.min(rows.date_added_us).label("first_us"),
        func.max(rows.date_added_us).label("last_us"),
    ).cte("found")
    picked = _picked(shape, _c.seq, _c.body).c
    bodies = select(join(picked.body, picked.seq)).scalar_subquery()
    fits = or_(found.c.size <= _LIMIT_BYTES, found.c.count == 1)
    more = or_(*(exists(_passing(shape, no, found.c.last, _c.seq)) for no in range(max(1, shape.types))))
    end = (func.coalesce(column, 0) for column in (t.logs.c.last_seq, t.logs.c.last_us, t.logs.c.edits))
    return select(
        *(found.c.last, found.c.first_us, found.c.last_us, found.c.count, more.label("more")),
        *(case((fits, bodies)).label("bodies"), *end),
    ).select_from(found.outerjoin(t.logs, t.logs.c.no == _LOG))


@lru_cache(maxsize=256)
def _fitting(shape: _Shape) -> Select[Any]:
    """How many of the rows have at most ``limit_bytes`` together."""
    rows = _picked(shape, _c.seq, func.length(_c.body).label("size")).c
    total = func.sum(rows.size).over(order_by=rows.seq, rows=(None, 0)).label("total")
    totals = select(total).subquery()
    return select(func.count()).select_from(totals).where(totals.c.total <= _LIMIT_BYTES)


def _picked(shape: _Shape, *columns: ColumnElement[Any]) -> Subquery:
    """The first rows that pass. Each type is read apart, so that none is looked for among rows of other types."""
    each = [
        _passing(shape, no, _start(shape), *columns).order_by(_c.seq).limit(_LIMIT).subquery()
        for no in range(max(1, shape.types))
    ]
    if len(each) == 1:
        return each[0]
    together = union_all(*map(select, each)).subquery()
    return select(together).order_by(together.c.seq).limit(_LIMIT).subquery()


def _passing(shape: _Shape, no: int, after: ColumnElement[int], *columns: ColumnElement[Any]) -> Select[Any]:
    query = select(*columns).where(_c.log == _LOG, _c.seq > after, *are_of_version(shape.version, _VERSION_US))
    return query.where(_c.type == bindparam(_type(no), type_=Text)) if shape.types else query


def _start(shape: _Shape) -> ColumnElement[int]:
    """The last row to skip: one lower bound, since no planner combines two into one range."""
    if not shape.has_time:
        return _AFTER
    dated = select(_c.seq).where(_c.log == _LOG, _c.date_added_us <= _AFTER_US)
    last = dated.order_by(_c.date_added_us.desc()).limit(1).scalar_subquery()
    return case((last > _AFTER, last), else_=_AFTER)
