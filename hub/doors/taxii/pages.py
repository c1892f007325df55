"""Pages of objects, manifests and versions: 304 for a client that has the page, and pages kept for those who ask again.

A page depends on its collection's log and on the request, not on who asks: access is checked before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from hub.doors.budgeted import share_of
from hub.doors.codings import Choice, choose, compress
from hub.doors.context import Doors
from hub.doors.kept import KeptValues
from hub.doors.problems import TAXII_JSON
from hub.doors.reads import note_facts
from hub.doors.taxii import cursor, resources
from hub.doors.taxii.query import Query
from hub.doors.validators import etag_of_log, is_current, revalidated
from hub.intake import Encoding
from hub.model.errors import NotFound
from hub.model.policy import Collection
from hub.model.words import Seq
from hub.store.port import JoinedPage, LogPage

_ROW_BYTES = 1 << 10
"""The memory of a row without its body, and of what a manifest says of it."""
_FEW_ROWS = 100
"""A manifest of more is written in a thread."""

WritePage = Callable[[Any, str | None], bytes]
"""Writes a ``JoinedPage`` (``envelope``) or a ``LogPage``; the second argument is ``next``."""


@dataclass(frozen=True, slots=True)
class AskedPage:
    """What a request asks of a collection."""

    collection: Collection
    query: Query
    object_id: str | None
    """The object that the path names."""
    version: str
    """The versions that are meant if ``match[version]`` is not stated."""
    write: WritePage

    @property
    def is_of_objects(self) -> bool:
        """Whether it asks for certain objects, so that it says nothing of how far its reader is."""
        return bool(self.query.ids)

    @property
    def has_bodies(self) -> bool:
        """Whether the page has the objects themselves."""
        return self.write is resources.envelope


@dataclass(frozen=True, slots=True)
class KeptPage:
    """A page as it is sent."""

    body: bytes
    coding: Encoding
    dates: Mapping[str, str]
    """The headers that say which objects the page has."""
    reached: Seq | None
    """The last change that a reader has with this page; None if it is of single objects."""
    count: int

    @property
    def size_bytes(self) -> int:
        """See Sized."""
        return len(self.body)


class PageAnswers:
    """The pages of a process."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors
        self._kept: KeptValues[KeptPage] = KeptValues(doors.settings.kept_bytes)
        doors.log_watch.tell(lambda log, *_: self._kept.drop(log))

    async def answer(self, request: Request, asked: AskedPage) -> Response:
        """Returns a page with the headers that clients need, or 304. Raises NotFound for an unknown object."""
        doors, log = self._doors, asked.collection.no
        head = await doors.store.logs.head(log)
        limit_bytes = doors.settings.page_bytes
        said = (asked.write.__name__, asked.object_id, asked.version, asked.query, limit_bytes)
        etag = etag_of_log(asked.collection.id, head, *said)
        headers = {"etag": etag, **revalidated(request)}
        if is_current(request, etag):
            return Response(status_code=304, headers=headers)
        choice = choose(request.headers.getlist("accept-encoding"))
        key = (etag, choice)
        page = self._kept.find(key)
        room = asked.query.limit * _ROW_BYTES if page is None else page.size_bytes
        if page is None and asked.has_bodies:
            room += 2 * limit_bytes  # in memory twice for a moment: as the database joins them, and in the envelope
        async with share_of(doors, request, room) as share:
            if page is None:
                page = await self._kept.get(key, log, lambda: self._made(asked, choice, head.seq))
            note_facts(request.scope, after=asked.query.after, reached=page.reached, objects=page.count)
            answer = Response(page.body, 200, {**headers, **page.dates}, TAXII_JSON)
            if page.coding is not Encoding.IDENTITY:
                answer.headers["content-encoding"] = page.coding
            return share.hand_over(answer)

    async def _made(self, asked: AskedPage, choice: Choice, end: Seq) -> KeptPage:
        """Returns a page. ``end``: of the log, before the page is read."""
        page = await self._read(asked)
        log, logs, query, span = asked.collection.no, self._doors.store.logs, asked.query, page.span
        if asked.object_id is not None and span is None and not await logs.shows(log, asked.object_id):
            raise NotFound("taxii.object", "There is no such object in this collection.")
        following = cursor.encode(query.cursor(log, span.last), self._doors.key) if page.more and span else None
        end_us = page.end.date_us if page.end is not None else 0
        dates = resources.date_headers(span, end_us, query.added_after_us)
        if isinstance(page, JoinedPage) or len(page.rows) <= _FEW_ROWS:
            body = asked.write(page, following)
        else:
            body = await asyncio.to_thread(asked.write, page, following)
        count = page.count
        reached = None if asked.is_of_objects else _reached(page, end)
        del page  # before there is a third copy of it
        coding = choice.of_size(len(body))
        if coding is not Encoding.IDENTITY:
            body = await asyncio.to_thread(compress, body, coding)
        return KeptPage(body, coding, dates, reached, count)

    async def _read(self, asked: AskedPage) -> LogPage | JoinedPage:
        logs, log, query = self._doors.store.logs, asked.collection.no, asked.query
        limit, limit_bytes, by = query.limit, self._doors.settings.page_bytes, query.filter(asked.version)
        if query.nothing_passes:
            end = await logs.head(log)
            return JoinedPage(b"", None, more=False, end=end) if asked.has_bodies else LogPage((), (), False, end)
        if asked.has_bodies:
            return await logs.joined(log, query.after, limit=limit, limit_bytes=limit_bytes, by=by)
        return await logs.page(log, query.after, limit=limit, limit_bytes=limit_bytes, by=by, bodies=False)


def _reached(page: LogPage | JoinedPage, end: Seq) -> Seq:
    """Returns the last change that a reader has with this page; ``end``: of the log, before the page was read."""
    if page.span is None:
        return end
    return page.span.last if page.more else Seq(max(end, page.span.last))
