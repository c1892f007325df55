"""A page of a log that is one statement: rows in sequence, with their bodies.

The sizes of bodies are added up in the database before any body is read, so that no more are read than fit.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from sqlalchemy import Select, case, func, or_, select

from hub.store import tables as t
from hub.store.dialect import Dialect
from hub.store.page_shapes import LIMIT_BYTES, LOG, PageAsked, PageShape, picked
from hub.store.pages import RAW, ROW
from hub.store.port import Filter, LogPage, LogRow

_c = t.changes.c


def is_plain(by: Filter) -> bool:
    """Whether this module reads such pages: rows in sequence, of the whole log or of one version of its objects."""
    return not by.ids and (by.log or len(by.versions) == 1)


async def read(database: Dialect, asked: PageAsked) -> LogPage:
    """Returns the page; see ``hub/store/port.LogReader.page``."""
    values = asked._replace(limit=asked.limit + 1).values()
    found = await database.read_rows(page_statement(asked.shape()), values)
    shown = [row for row in found[: asked.limit] if row[-1] is not None]
    return LogPage([LogRow._make(row[:-1]) for row in shown], [row[-1] for row in shown], len(shown) < len(found))


@lru_cache(maxsize=256)
def page_statement(shape: PageShape) -> Select[Any]:
    """Selects the rows of a page and one more, each with its body if that fits, else with null."""
    rows = picked(shape, _c.seq, func.length(_c.body).label("body_size")).c
    before = func.sum(rows.body_size).over(order_by=rows.seq) - rows.body_size
    summed = select(rows.seq.label("picked"), rows.body_size, before.label("bytes_before")).subquery()
    fits = or_(summed.c.bytes_before == 0, summed.c.bytes_before + summed.c.body_size <= LIMIT_BYTES)
    both = t.changes.join(summed, (_c.log == LOG) & (_c.seq == summed.c.picked))
    return select(*ROW, case((fits, RAW["body"]))).select_from(both).order_by(summed.c.picked)
