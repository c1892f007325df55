"""One page of a collection for a query: rows in the order of the log, and whether more follow.

A page costs the same wherever it is: filters are in the store's indexes, and objects asked for by id are found by id.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from hub.doors.taxii.query import Query
from hub.model.claims import Change
from hub.store import reading
from hub.store.port import Filter
from hub.store.reading import Page

NOTHING = Page((), (), False)


async def page(conn: AsyncConnection, log: int, query: Query, *, default: str, limit_bytes: int, bodies: bool) -> Page:
    """The rows that ``query`` asks for. ``default`` stands for ``match[version]`` where it is not stated."""
    if query.nothing_passes:
        return NOTHING
    versions = query.versions or (default,)
    if query.ids:
        return await _of_ids(conn, log, query, versions, limit_bytes)
    pages = [
        await reading.page(
            conn,
            log,
            query.after,
            limit=query.limit,
            limit_bytes=limit_bytes,
            by=Filter(types=frozenset(query.types), versions=version, after_us=query.added_after_us),
            bodies=bodies,
        )
        for version in versions
    ]
    return pages[0] if len(pages) == 1 else _together(pages, query.limit, limit_bytes)


def _together(pages: Sequence[Page], limit: int, limit_bytes: int) -> Page:
    """Several pages of one log as one, each row once.

    Beyond the end of a page that has more behind it another page's rows may not be given: what is between would be
    passed over.
    """
    found = {
        row.seq: (row, body)
        for one in pages
        for row, body in zip(one.rows, one.bodies or [b""] * len(one.rows), strict=True)
    }
    ends = [one.rows[-1].seq for one in pages if one.more]
    usable = sorted(seq for seq in found if not ends or seq <= min(ends))
    return _cut([found[seq] for seq in usable], limit, limit_bytes, more=bool(ends))


async def _of_ids(conn: AsyncConnection, log: int, query: Query, versions: Iterable[str], limit_bytes: int) -> Page:
    chains = await reading.versions(conn, log, query.ids)
    found = {
        row.seq: (row, row.body)
        for chain in chains.values()
        for version in versions
        for row in _chosen(chain, version)
        if _passes(row, query)
    }
    return _cut([found[seq] for seq in sorted(found)], query.limit, limit_bytes, more=False)


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


def _cut(found: Sequence[tuple[reading.Shown, bytes]], limit: int, limit_bytes: int, *, more: bool) -> Page:
    """As many rows as the limits allow, one at least."""
    size, count = 0, 0
    for _, body in found[:limit]:
        size += len(body)
        if count and size > limit_bytes:
            break
        count += 1
    kept = found[:count]
    return Page([row for row, _ in kept], [body for _, body in kept], more or count < len(found))


async def exists(conn: AsyncConnection, log: int, object_id: str) -> bool:
    """Whether the collection shows an object, in whatever version."""
    return bool(await reading.versions(conn, log, [object_id]))
