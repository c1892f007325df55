"""Finds many things at once, by their keys and by the values that they name, with what collections show of them.

A few statements serve hundreds of values. Their texts depend on the collections only, so they are made once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Generator, Iterable, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    LargeBinary,
    Select,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal_column,
    select,
)

from hub.model.words import CanonicalKey, StixId
from hub.store import tables as t
from hub.store.chunks import chunks
from hub.store.dialect import Dialect, RowsWanted
from hub.store.thing_port import LookedUpThings, LookedUpView, SearchKeys

_LARGE_BYTES = 16 << 10
"""A body above this size is read apart, after its size was checked."""
_KEYS = 500
"""Keys of a statement."""
_USUAL_ROWS = 10_000
"""Rows that a statement gives at most. Keys that have more together are read one by one, each up to its own limit."""
_FEW_NETWORKS, _MOST_NETWORKS = 1_000, 20_000
"""If so many networks are looked for, those that nobody has named are left out first, unless so many are named: a row
of these is read in a third of the time of a search.
"""
_v, _c, _n = t.views.c, t.changes.c, t.named_values.c
Rows = Sequence[Sequence[Any]]


async def look_up(database: Dialect, wanted: SearchKeys) -> LookedUpThings:
    """See ``hub/store/thing_port.ThingReader``."""
    if not wanted.collections:
        return LookedUpThings([], [])
    return await database.read_in_turn(_look_up(wanted))


async def is_known(database: Dialect, keys: Sequence[bytes]) -> list[bool]:
    """See ``hub/store/thing_port.ThingReader``."""
    if not keys:
        return []
    found = await database.read_row(_known(len(keys)), {f"key_{no}": key for no, key in enumerate(keys)})
    assert found is not None  # noqa: S101 - it has no condition
    return [bool(one) for one in found]


def _look_up(wanted: SearchKeys) -> Generator[RowsWanted, Rows, LookedUpThings]:
    nos = tuple(sorted(wanted.collections))
    found = yield from named_things(wanted.values, wanted.around, nos, limit=wanted.limit)
    networks = yield from named_networks(wanted)
    things = sorted({*wanted.things, *networks, *(thing for _, thing in found)})
    rows = (yield RowsWanted(_shown(nos), _v.thing, things)) if things else ()
    left_out = [(bytes(thing), size) for thing, _, _, _, _, _, body, size in rows if body is None and size]
    if sum(size for _, size in left_out) > wanted.limit_bytes:
        return LookedUpThings(found, (), is_too_large=True)
    large = sorted({thing for thing, _ in left_out})
    bodies = (yield RowsWanted(_whole(nos), _v.thing, large)) if large else ()
    body_of = {(no, bytes(thing)): bytes(body) for thing, no, body in bodies}
    views = [
        LookedUpView(
            CanonicalKey(bytes(thing)), no, StixId(object_id), kind, bool(alive), dated_us,
            body_of.get((no, bytes(thing)), b"") if body is None else bytes(body),
        )
        for thing, no, object_id, kind, alive, dated_us, body, _ in rows
    ]  # fmt: skip
    views.sort(key=lambda view: (view.thing, view.collection))
    return LookedUpThings(found, views)


def named_networks(
    wanted: SearchKeys, *, most: int = _MOST_NETWORKS
) -> Generator[RowsWanted, Rows, Collection[CanonicalKey]]:
    """Those of the networks that anybody has named; all if they are few, or ``most`` are named."""
    if len(wanted.networks) < _FEW_NETWORKS:
        return wanted.networks
    rows = yield RowsWanted(_of_widths(most), _n.value, list(wanted.widths))
    if len(rows) >= most:
        return wanted.networks
    return {CanonicalKey(bytes(thing)) for (thing,) in rows}.intersection(wanted.networks)


def named_things(
    values: Collection[bytes], around: Collection[bytes], nos: tuple[int, ...], *, limit: int, usual: int = _USUAL_ROWS
) -> Generator[RowsWanted, Rows, list[tuple[bytes, CanonicalKey]]]:
    """Reads the first things of each key, ordered by key. ``usual``: see ``_USUAL_ROWS``."""
    found: list[tuple[bytes, CanonicalKey]] = []
    for keys, only_live in ((sorted(values), False), (sorted(around), True)):
        for some in chunks(keys, _KEYS):
            rows = yield RowsWanted(_naming(nos, only_live, usual), _n.value, some)
            if len(rows) < usual:
                found += _first(rows, limit)
                continue
            for key in some:
                of_key = yield RowsWanted(_naming(nos, only_live, limit), _n.value, [key])
                found += _first(of_key, limit)
    return found


def _first(rows: Rows, limit: int) -> list[tuple[bytes, CanonicalKey]]:
    things: defaultdict[bytes, list[CanonicalKey]] = defaultdict(list)
    for value, thing in rows:
        things[bytes(value)].append(CanonicalKey(bytes(thing)))
    return [(value, thing) for value in sorted(things) for thing in sorted(things[value])[:limit]]


# ---------------------------------------------------------------- the statements


@lru_cache(maxsize=256)
def _naming(nos: tuple[int, ...], only_live: bool, limit: int) -> Select[Any]:
    """Things by the values that they name, of which one of these collections shows something."""
    of_thing = [_v.thing == _n.thing, _shown_by(nos)]
    shown = exists().where(*of_thing, _v.alive) if only_live else exists().where(*of_thing)
    ordered = select(_n.value, _n.thing).where(shown).order_by(_n.value, _n.thing)
    return ordered.limit(literal_column(str(limit))).offset(literal_column("0"))


@lru_cache(maxsize=256)
def _of_widths(limit: int) -> Select[Any]:
    return select(_n.thing).limit(literal_column(str(limit))).offset(literal_column("0"))


@lru_cache(maxsize=256)
def _shown(nos: tuple[int, ...]) -> Select[Any]:
    size = func.length(_c.body)
    small = case((size <= literal_column(str(_LARGE_BYTES)), _c.body))
    columns = (_v.thing, _v.collection, _v.object_id, _v.type, _v.alive, _v.dated_us)
    joined = t.views.outerjoin(t.changes, and_(_c.log == _v.collection, _c.seq == _v.seq))
    statement = select(*columns, small.label("body"), size.label("size")).select_from(joined)
    return statement.where(_shown_by(nos))


@lru_cache(maxsize=256)
def _whole(nos: tuple[int, ...]) -> Select[Any]:
    joined = t.views.join(t.changes, and_(_c.log == _v.collection, _c.seq == _v.seq))
    statement = select(_v.thing, _v.collection, _c.body).select_from(joined).where(_shown_by(nos))
    return statement.where(func.length(_c.body) > literal_column(str(_LARGE_BYTES)))


def _shown_by(nos: Iterable[int]) -> ColumnElement[bool]:
    """Whether a view is of these collections; their numbers are in the text, since ``rows_in`` has no other parameters
    than its values. As a sum it is no term of the index: that would be searched for each thing and each collection.
    """
    return (_v.collection + literal_column("0")).in_([literal_column(str(int(no))) for no in nos])


@lru_cache(maxsize=16)
def _known(number: int) -> Select[Any]:
    keys = (bindparam(f"key_{no}", type_=LargeBinary) for no in range(number))
    columns: list[ColumnElement[Any]] = [
        exists().where(_n.value == key).label(f"known_{no}") for no, key in enumerate(keys)
    ]
    return select(*columns)
