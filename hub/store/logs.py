"""Reads the change logs of collections and the logs of rejections. See ``hub/store/port.LogReader``."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import bindparam, select

from hub.model.policy import LOG_OF_NOBODY
from hub.model.words import Seq, StixId
from hub.model.writes import Head
from hub.store import joined, pages, past, plain_pages
from hub.store import tables as t
from hub.store.dialect import Dialect
from hub.store.page_shapes import PageAsked
from hub.store.port import WHOLE_LOG, AsOf, Filter, JoinedPage, LogEnd, LogPage, RowCause

_HEAD = select(t.logs.c.last_seq, t.logs.c.last_us, t.logs.c.edits).where(t.logs.c.no == bindparam("log"))

_L = t.logs.c
_ENDS = (
    select(_L.no, _L.name, _L.last_seq, _L.pruned_seq, _L.edits, t.collections.c.alert)
    .select_from(t.logs.outerjoin(t.collections, t.collections.c.no == _L.no))
    .where(~_L.name.startswith(f"{LOG_OF_NOBODY}."))
)
_C = t.changes.c
_CAUSES = select(_C.seq, _C.before, _C.received_us).where(
    _C.log == bindparam("log"), _C.seq > bindparam("after"), _C.seq <= bindparam("last")
)


class SqlLogs:
    """See the port."""

    def __init__(self, database: Dialect) -> None:
        self._database = database

    async def page(
        self, log: int, after: Seq, *, limit: int, limit_bytes: int, by: Filter = WHOLE_LOG, bodies: bool = True
    ) -> LogPage:
        """See the port."""
        if bodies and plain_pages.is_plain(by):
            plain = PageAsked(log, after, by, limit, limit_bytes)
            if (page := await plain_pages.read(self._database, plain)).rows:
                return page
            end = await self.head(log)  # read before the page is: all rows up to it are visible in that
            return replace(await plain_pages.read(self._database, plain), end=end)
        async with self._database.reading() as conn:
            asked = pages.PageRequest(conn, log, after, by, limit, limit_bytes if bodies else None)
            page = await pages.read(asked)
            return page if page.rows else replace(page, end=_head((await conn.execute(_HEAD, {"log": log})).first()))

    async def joined(self, log: int, after: Seq, *, limit: int, limit_bytes: int, by: Filter) -> JoinedPage:
        """See the port."""
        if not joined.is_joinable(by):
            return joined.of_rows(await self.page(log, after, limit=limit, limit_bytes=limit_bytes, by=by))
        return await joined.read(self._database, PageAsked(log, after, by, limit, limit_bytes))

    async def head(self, log: int) -> Head:
        """See the port."""
        return _head(await self._database.read_row(_HEAD, {"log": log}))

    async def ends(self) -> dict[int, LogEnd]:
        """See the port."""
        rows = await self._database.read_rows(_ENDS, {})
        return {
            no: LogEnd(name, Seq(last), Seq(pruned), edits, bool(alert))
            for no, name, last, pruned, edits, alert in rows
        }

    async def number(self, name: str) -> int | None:
        """See the port."""
        async with self._database.reading() as conn:
            return (await conn.execute(select(t.logs.c.no).where(t.logs.c.name == name))).scalar()

    async def as_of(self, log: int, object_ids: Collection[StixId], seq: Seq) -> AsOf:
        """See the port."""
        async with self._database.reading() as conn:
            return await past.as_of(conn, log, object_ids, seq)

    async def causes(self, log: int, after: Seq, last: Seq) -> dict[Seq, RowCause]:
        """See the port."""
        rows = await self._database.read_rows(_CAUSES, {"log": log, "after": after, "last": last})
        return {Seq(seq): RowCause(before, received_us) for seq, before, received_us in rows}

    async def shows(self, log: int, object_id: str) -> bool:
        """See the port."""
        async with self._database.reading() as conn:
            return bool(await pages.versions(conn, log, [object_id]))

    def watch(self) -> AsyncGenerator[None, None]:
        """See the port."""
        return self._database.watch()


def _head(row: Sequence[Any] | None) -> Head:
    """Converts a row of ``_HEAD``."""
    return Head(*row) if row else Head(Seq(0), 0)
