"""Reads the rows of a collection for a list, page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator

from hub.model.words import Seq
from hub.store.port import Filter, LogPage, LogReader

PAGE_ROWS = 1_000
_PAGE_BYTES = 2 << 20
_START = Seq(0)


async def pages_of(
    logs: LogReader,
    log: int,
    by: Filter,
    *,
    after: Seq = _START,
    limit: int = PAGE_ROWS,
) -> AsyncIterator[LogPage]:
    """Yields the rows of a log after ``after`` that pass a filter, with their bodies."""
    more = True
    while more:
        page = await logs.page(log, after, limit=limit, limit_bytes=_PAGE_BYTES, by=by)
        if page.rows:
            yield page
            after = page.rows[-1].seq
        more = page.more
