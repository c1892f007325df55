"""Statements that select the rows of one page of a log, each made once for all pages of its shape."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Select, Subquery, Text, bindparam, case, select, union_all

from hub.store import tables as t
from hub.store.pages import are_of_version
from hub.store.port import Filter

_c = t.changes.c
LOG, _AFTER, _AFTER_US, _VERSION_US, _LIMIT, LIMIT_BYTES = (
    bindparam(name, type_=BigInteger) for name in ("log", "after", "after_us", "version_us", "limit", "limit_bytes")
)


class PageAsked(NamedTuple):
    """The parameters of one page."""

    log: int
    after: int
    by: Filter
    limit: int
    limit_bytes: int

    def shape(self) -> PageShape:
        """Returns what the text of its statement depends on."""
        by = self.by
        version = "" if by.log else by.versions[0]
        return PageShape("at" if version.isdecimal() else version, len(by.types), by.after_us is not None)

    def values(self) -> dict[str, Any]:
        """Returns the values of its statement."""
        version = "" if self.by.log else self.by.versions[0]
        return {
            "log": self.log,
            "after": self.after,
            "after_us": self.by.after_us,
            "version_us": int(version) if version.isdecimal() else None,
            "limit": self.limit,
            "limit_bytes": self.limit_bytes,
            **{_type(no): kind for no, kind in enumerate(sorted(self.by.types))},
        }


class PageShape(NamedTuple):
    """What the text of a statement depends on."""

    version: str
    """Of objects; empty: all rows of the log."""
    types: int
    """The number of types; 0: all types."""
    has_time: bool


def _type(no: int) -> str:
    return f"type_{no}"


def picked(shape: PageShape, *columns: ColumnElement[Any]) -> Subquery:
    """The first rows that pass. Each type is read apart, so that none is looked for among rows of other types."""
    each = [
        passing(shape, no, _start(shape), *columns).order_by(_c.seq).limit(_LIMIT).subquery()
        for no in range(max(1, shape.types))
    ]
    if len(each) == 1:
        return each[0]
    together = union_all(*map(select, each)).subquery()
    return select(together).order_by(together.c.seq).limit(_LIMIT).subquery()


def passing(shape: PageShape, no: int, after: ColumnElement[int], *columns: ColumnElement[Any]) -> Select[Any]:
    """Selects all rows after ``after`` that pass; of the type with this number."""
    query = select(*columns).where(_c.log == LOG, _c.seq > after, *_of_version(shape))
    return query.where(_c.type == bindparam(_type(no), type_=Text)) if shape.types else query


def _start(shape: PageShape) -> ColumnElement[int]:
    """The last row to skip: one lower bound, since no planner combines two into one range."""
    if not shape.has_time:
        return _AFTER
    dated = select(_c.seq).where(_c.log == LOG, _c.date_added_us <= _AFTER_US)
    last = dated.order_by(_c.date_added_us.desc()).limit(1).scalar_subquery()
    return case((last > _AFTER, last), else_=_AFTER)


def _of_version(shape: PageShape) -> tuple[ColumnElement[bool], ...]:
    return are_of_version(shape.version, _VERSION_US) if shape.version else ()
