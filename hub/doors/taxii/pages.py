"""One page of a collection for a query: rows in the order of the log, and whether more follow.

A page costs the same wherever it is: filters are in the store's indexes, and objects asked for by id are found by id.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hub.doors.context import DoorStore
from hub.doors.taxii.query import Query
from hub.model.claims import Change
from hub.store import reading
from hub.store.port import Filter


@dataclass(frozen=True, slots=True)
class Page:
    """What a page holds. ``more`` means that at least one object follows, never an empty promise."""

    rows: Sequence[Change]
    more: bool


EMPTY = Page((), False)


async def page(store: DoorStore, log: int, query: Query, *, default: str, limit_bytes: int) -> Page:
    """The rows that ``query`` asks for. ``default`` stands for ``match[version]`` where it is not stated."""
    if query.nothing_passes:
        return EMPTY
    versions = query.versions or (default,)
    if query.ids:
        return await _page_of_ids(store, log, query, versions, limit_bytes)
    if len(versions) == 1:
        return await _page_of_version(store, log, query, versions[0], limit_bytes)
    pages = [await _page_of_version(store, log, query, version, limit_bytes) for version in versions]
    rows = {row.seq: row for one in pages for row in one.rows}
    # Beyond the end of a page that has more, another page's rows may not be given: those between would be passed over.
    ends = [one.rows[-1].seq for one in pages if one.more]
    usable = sorted(seq for seq in rows if not ends or seq <= min(ends))
    return _cut([rows[seq] for seq in usable], query.limit, limit_bytes, more=bool(ends))


async def _page_of_version(store: DoorStore, log: int, query: Query, version: str, limit_bytes: int) -> Page:
    by = Filter(types=frozenset(query.types), versions=version, after_us=query.added_after_us)
    rows = await store.read(log, query.after, limit=query.limit + 1, limit_bytes=limit_bytes, by=by)
    if len(rows) > query.limit:
        return Page(rows[: query.limit], True)
    if not rows:
        return EMPTY
    # The page may have ended for its bytes: only a look behind it tells, and only such pages and the last one need it.
    return Page(rows, bool(await store.read(log, rows[-1].seq, limit=1, limit_bytes=1, by=by)))


async def _page_of_ids(store: DoorStore, log: int, query: Query, versions: Iterable[str], limit_bytes: int) -> Page:
    async with store.look() as conn:
        chains = await reading.versions(conn, log, query.ids)
    rows = {
        row.seq: row
        for chain in chains.values()
        for version in versions
        for row in _chosen(chain, version)
        if _passes(row, query)
    }
    return _cut([rows[seq] for seq in sorted(rows)], query.limit, limit_bytes, more=False)


def _chosen(newest_first: Sequence[Change], version: str) -> Sequence[Change]:
    """TAXII 2.1, section 3.4.1, ``version``."""
    match version:
        case "all":
            return newest_first
        case "last":
            return newest_first[:1]
        case "first":
            return newest_first[-1:]
        case time_us:
            return [row for row in newest_first if row.version_us == int(time_us)]


def _passes(row: Change, query: Query) -> bool:
    return (
        row.seq > query.after
        and (query.added_after_us is None or row.date_added_us > query.added_after_us)
        and (not query.types or row.type in query.types)
    )


def _cut(rows: Sequence[Change], limit: int, limit_bytes: int, *, more: bool) -> Page:
    """As many rows as the limits allow, one at least."""
    size = 0
    for count, row in enumerate(rows):
        size += len(row.body)
        if count == limit or (count and size > limit_bytes):
            return Page(rows[:count], True)
    return Page(rows, more)


async def exists(store: DoorStore, log: int, object_id: str) -> bool:
    """Whether the collection shows an object, in whatever version."""
    async with store.look() as conn:
        return bool(await reading.versions(conn, log, [object_id]))
