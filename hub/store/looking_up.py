"""Finds many things at once, by their keys and by the values that they name, with what collections show of them.

A few statements serve hundreds of values. Their texts depend on the collections only, so they are made once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    LargeBinary,
    Row,
    Select,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal_column,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.model.words import CanonicalKey
from hub.store import tables as t
from hub.store.chunks import chunks
from hub.store.dialect import Dialect
from hub.store.thing_port import LookedUpThings, LookedUpView, SearchKeys

_LARGE_BYTES = 16 << 10
"""A body above this size is read apart, after its size was checked."""
_KEYS = 500
"""Keys of a statement."""
_USUAL_ROWS = 10_000
"""Rows that a statement gives at most. Keys that have more together are read one by one, each up to its own limit."""
_Named = list[tuple[bytes, CanonicalKey]]


async def look_up(database: Dialect, wanted: SearchKeys) -> LookedUpThings:
    """See ``hub/store/thing_port.ThingReader``."""
    nos = tuple(sorted(wanted.collections))
    async with database.reading() as conn:
        found: _Named = []
        for keys, only_live in ((wanted.values, False), (wanted.around, True)):
            found += await named(database, conn, sorted(keys), NamedBy(nos, only_live, wanted.limit))
        things = sorted({*wanted.things, *(thing for _, thing in found)})
        rows = await database.rows_in(conn, _shown(nos), t.views.c.thing, things) if nos and things else []
        large = [row for row in rows if row.body is None and row.size]
        if sum(row.size for row in large) > wanted.limit_bytes:
            return LookedUpThings(found, (), is_too_large=True)
        bodies = await _bodies(database, conn, large)
    views = sorted(_view(row, bodies) for row in rows)
    return LookedUpThings(found, views)


async def is_known(database: Dialect, keys: Sequence[bytes]) -> list[bool]:
    """See ``hub/store/thing_port.ThingReader``."""
    if not keys:
        return []
    found = await database.read_row(_known(len(keys)), {f"key_{no}": key for no, key in enumerate(keys)})
    assert found is not None  # noqa: S101 - it has no condition
    return [bool(one) for one in found]


class NamedBy(NamedTuple):
    """How things are looked for by keys."""

    collections: tuple[int, ...]
    only_live: bool
    limit: int
    """The most things of each key."""
    usual_rows: int = _USUAL_ROWS


async def named(database: Dialect, conn: AsyncConnection, keys: Sequence[bytes], by: NamedBy) -> _Named:
    """Returns the first things of each key, ordered by key."""
    found: _Named = []
    for some in chunks(keys, _KEYS) if by.collections else ():
        statement = _naming(by.collections, by.only_live, by.usual_rows)
        rows = await database.rows_in(conn, statement, t.named_values.c.value, some)
        pairs = [(bytes(row.value), CanonicalKey(bytes(row.thing))) for row in rows]
        if len(pairs) < by.usual_rows:
            found += _first(pairs, by.limit)
            continue
        statement = _naming(by.collections, by.only_live, by.limit)
        for key in some:
            of_key = await database.rows_in(conn, statement, t.named_values.c.value, [key])
            found += [(key, CanonicalKey(bytes(row.thing))) for row in of_key]
    return found


def _first(pairs: Iterable[tuple[bytes, CanonicalKey]], limit: int) -> _Named:
    things: defaultdict[bytes, list[CanonicalKey]] = defaultdict(list)
    for value, thing in pairs:
        things[value].append(thing)
    return [(value, thing) for value in sorted(things) for thing in sorted(things[value])[:limit]]


async def _bodies(
    database: Dialect, conn: AsyncConnection, large: Sequence[Row[Any]]
) -> dict[tuple[int, CanonicalKey], bytes]:
    nos = tuple(sorted({row.collection for row in large}))
    things = sorted({bytes(row.thing) for row in large})
    rows = await database.rows_in(conn, _whole(nos), t.views.c.thing, things) if large else []
    return {(row.collection, CanonicalKey(bytes(row.thing))): bytes(row.body) for row in rows}


def _view(row: Row[Any], bodies: dict[tuple[int, CanonicalKey], bytes]) -> LookedUpView:
    thing = CanonicalKey(bytes(row.thing))
    body = bodies.get((row.collection, thing), b"") if row.body is None else bytes(row.body)
    return LookedUpView(thing, row.collection, row.object_id, row.type, bool(row.alive), row.dated_us, body)


# ---------------------------------------------------------------- the statements

_v, _c, _n = t.views.c, t.changes.c, t.named_values.c


@lru_cache(maxsize=256)
def _naming(nos: tuple[int, ...], only_live: bool, limit: int) -> Select[Any]:
    """Things by the values that they name, of which one of these collections shows something."""
    of_thing = [_v.thing == _n.thing, _v.collection.in_(_literal(nos))]
    shown = exists().where(*of_thing, _v.alive) if only_live else exists().where(*of_thing)
    ordered = select(_n.value, _n.thing).where(shown).order_by(_n.value, _n.thing)
    return ordered.limit(literal_column(str(limit))).offset(literal_column("0"))


@lru_cache(maxsize=256)
def _shown(nos: tuple[int, ...]) -> Select[Any]:
    size = func.length(_c.body)
    small = case((size <= literal_column(str(_LARGE_BYTES)), _c.body))
    columns = (_v.thing, _v.collection, _v.object_id, _v.type, _v.alive, _v.dated_us)
    joined = t.views.outerjoin(t.changes, and_(_c.log == _v.collection, _c.seq == _v.seq))
    statement = select(*columns, small.label("body"), size.label("size")).select_from(joined)
    return statement.where(_v.collection.in_(_literal(nos)))


@lru_cache(maxsize=256)
def _whole(nos: tuple[int, ...]) -> Select[Any]:
    joined = t.views.join(t.changes, and_(_c.log == _v.collection, _c.seq == _v.seq))
    statement = select(_v.thing, _v.collection, _c.body).select_from(joined).where(_v.collection.in_(_literal(nos)))
    return statement.where(func.length(_c.body) > literal_column(str(_LARGE_BYTES)))


def _literal(nos: Iterable[int]) -> Collection[Any]:
    """Numbers in the text of a statement, since ``rows_in`` has no other parameters than its values."""
    return [literal_column(str(int(no))) for no in nos]


@lru_cache(maxsize=16)
def _known(number: int) -> Select[Any]:
    keys = (bindparam(f"key_{no}", type_=LargeBinary) for no in range(number))
    columns: list[ColumnElement[Any]] = [
        exists().where(_n.value == key).label(f"known_{no}") for no, key in enumerate(keys)
    ]
    return select(*columns)
