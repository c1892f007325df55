"""The live stream: a collection's change log as server-sent events, from any position, with new changes.

Source: WHATWG HTML, section 9.2 (server-sent events). A reader has at most one page in memory; at the end of the log,
all readers of a collection share the same page.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from typing import Annotated

import orjson
import structlog
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from starlette.types import Receive, Scope, Send

from hub.doors import metrics
from hub.doors.context import Doors
from hub.doors.kept import KeptValues
from hub.doors.openapi import ERRORS, raw
from hub.doors.reads import new_live_key, note_facts
from hub.model.credentials import Credentials
from hub.model.errors import Refused, TryAgain
from hub.model.policy import Collection
from hub.model.words import Seq
from hub.model.writes import Head
from hub.store.port import LogEnd, LogPage

EVENT_STREAM = "text/event-stream"
HEARTBEAT = b": still here\n\n"
_PAGE_ROWS = 500
_PAGE_BYTES = 128 << 10
_SHARED_BYTES = 8 << 20
READS = 6
"""Pages of collections that are no alert lanes that are read at once. The store has more connections than that."""
_MEASURED_US = 3_600_000_000
"""The time of delivery is not looked up for changes that are older than this: they are history."""
_NUMBER = re.compile(r"\d{1,18}", re.ASCII)
_log = structlog.get_logger()


def routes(doors: Doors) -> APIRouter:
    """``/v1/collections/{name}/stream``."""
    router = APIRouter(tags=["collections"], default_response_class=Response)
    pages = Pages(doors)
    open_streams = OpenStreams(doors.settings.streams, doors.settings.streams_each)

    @router.get(
        "/v1/collections/{name}/stream",
        responses={**raw(EVENT_STREAM, "Events object and withdrawn; id is the change number."), **ERRORS},
    )
    async def stream(
        request: Request,
        name: str,
        start: Annotated[str, Query(alias="from", description="start, now, or the last change number seen")] = "start",
    ) -> Response:
        """Follow a collection. ``Last-Event-ID`` takes precedence over ``from``."""
        principal = await doors.gate.principal(request)
        collection = await doors.gate.open_to(principal, name)
        head = await doors.store.logs.head(collection.no)
        after = start_of(request.headers.get("last-event-id"), start, head.seq)
        place = open_streams.take("" if principal is None else principal.name)
        note_facts(request.scope, after=after, reached=after, objects=0, key=new_live_key())
        reader = StreamReader(collection, doors.gate.credentials(request))
        return EventStream(doors, pages, place, reader, (replace(head, seq=after), head.seq))

    return router


def start_of(last_event_id: str | None, start: str, head: Seq) -> Seq:
    """Returns the change after which a stream starts, in a log that ends at ``head``. Raises Refused.

    A number beyond the end is from another hub or from before a restored backup. Waiting for it silently would lose the
    changes before it.
    """
    said = (last_event_id or "").strip() or start.strip()
    if said == "start":
        return Seq(0)
    if said == "now":
        return head
    if not _NUMBER.fullmatch(said):
        raise Refused("stream.from", "A stream begins at start, now, or a change number.", "Use ?from=start.")
    if int(said) > head:
        raise Refused("stream.beyond", f"The collection has not reached change {int(said)}.", "Begin with ?from=start.")
    return Seq(int(said))


def events_of(page: LogPage) -> bytes:
    """Returns changes as server-sent events. Stored JSON has no line break, so each event has one ``data`` line."""
    return b"".join(
        b"id: %d\nevent: withdrawn\ndata: %s\n\n" % (row.seq, orjson.dumps({"id": row.object_id}))
        if row.withdrawn
        else b"id: %d\nevent: object\ndata: %s\n\n" % (row.seq, body)
        for row, body in page.with_bodies()
    )


@dataclass(frozen=True, slots=True)
class Events:
    """A page of events."""

    body: bytes
    last: Seq
    count: int
    more: bool
    """Whether there were more changes after it."""
    received_us: tuple[tuple[Seq, int], ...] = ()
    """The changes that a received claim has caused, and when it was received, in microseconds since 1970."""

    @property
    def size_bytes(self) -> int:
        """See Sized."""
        return len(self.body)


class Pages:
    """Pages of events, read and formatted once for all readers at the same position, as most are at the end."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors
        self._kept: KeptValues[Events] = KeptValues(_SHARED_BYTES)
        self.room = asyncio.Semaphore(READS)
        """Whoever reads a page of a collection that is no alert lane has a place in it."""
        doors.log_watch.tell(self._forget_edited)

    async def after(self, log: int, seq: Seq, *, edits: int) -> Events:
        """Returns the events after ``seq``, about ``_PAGE_BYTES``; empty at the end. ``edits``: of the log, as far as
        the reader knows.
        """

        async def read() -> Events:
            if log in self._doors.log_watch.alerts:  # not behind the readers of long histories
                return await self._read(log, seq)
            async with self.room:
                return await self._read(log, seq)

        edits = max(edits, self._doors.log_watch.edits(log))
        return await self._kept.get((log, seq, edits), log, read)

    async def _read(self, log: int, seq: Seq) -> Events:
        logs = self._doors.store.logs
        page = await logs.page(log, seq, limit=_PAGE_ROWS, limit_bytes=_PAGE_BYTES)
        if not page.rows:
            return Events(b"", seq, 0, False)
        last = page.rows[-1].seq
        is_old = page.rows[-1].date_added_us < self._doors.now_us() - _MEASURED_US
        causes = {} if is_old else await logs.causes(log, seq, last)
        received_us = tuple((no, one.received_us) for no, one in causes.items() if one.received_us is not None)
        return Events(events_of(page), last, len(page.rows), page.more, received_us)

    def _forget_edited(self, log: int, before: LogEnd | None, now: LogEnd) -> None:
        """Drop pages with rows that were changed or deleted; pages of a log that has only grown are still right."""
        if before is None or before.edits != now.edits:
            self._kept.drop(log)


class OpenStreams:
    """Counts the open streams, in total and by principal. Readers without credentials count as one.

    The memory of a slow reader is bounded, so the number of readers must be bounded too.
    """

    def __init__(self, most: int, most_each: int) -> None:
        self._most = most
        self._most_each = most_each
        self._taken: Counter[str] = Counter()

    def take(self, name: str) -> AbstractContextManager[object]:
        """Counts one more stream until the end of the block. Raises TryAgain at a limit."""
        if self._taken.total() >= self._most or self._taken[name] >= self._most_each:
            raise TryAgain(
                "stream.too-many",
                "Too many live streams are open.",
                "Close those that you do not need, or try again later.",
                retry_after_s=5,
            )
        self._taken[name] += 1
        stack = ExitStack()
        stack.callback(self._give, name)
        return stack

    def _give(self, name: str) -> None:
        self._taken[name] -= 1
        if not self._taken[name]:
            del self._taken[name]


class _Over(Exception):
    """Ends the stream: the reader has disconnected or has lost access, or the hub is stopping."""


@dataclass(frozen=True, slots=True)
class StreamReader:
    """What a stream knows of its reader."""

    collection: Collection
    credentials: Credentials | None


class EventStream(Response):
    """The response: three tasks that end together."""

    def __init__(
        self,
        doors: Doors,
        pages: Pages,
        place: AbstractContextManager[object],
        reader: StreamReader,
        start: tuple[Head, Seq],
    ) -> None:
        """``start``: the change after which it starts, in the log as it is now, and the last change that there is."""
        super().__init__(None, 200, {"cache-control": "no-store", "x-accel-buffering": "no"}, EVENT_STREAM)
        del self.headers["content-length"]
        self._doors = doors
        self._pages = pages
        self._place = place
        self._collection = reader.collection
        self._credentials = reader.credentials
        self._start, self._old = start

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        with self._place, metrics.STREAM_READERS.track_inprogress():
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._until_gone(receive))
                    tasks.create_task(self._until_refused())
                    tasks.create_task(self._tell(scope, send))
            except* _Over:
                pass
            except* TryAgain as away:  # the reader reconnects and continues
                _log.info("stream.store_away", code=str(away.exceptions[0]))
            try:
                async with asyncio.timeout(1):  # do not wait for a slow reader
                    await send({"type": "http.response.body", "body": b"", "more_body": False})
            except TimeoutError:
                pass

    async def _until_gone(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        raise _Over

    async def _until_refused(self) -> None:
        """Ends the stream within ``recheck_s`` when the reader loses access, also for slow readers."""
        while True:
            await asyncio.sleep(self._doors.settings.recheck_s)
            try:
                if not await self._doors.gate.still_open(self._credentials, self._collection):
                    _log.info("stream.cut_off", collection=self._collection.name)
                    raise _Over
            except TryAgain:
                continue  # no change of access while the store is not available

    async def _tell(self, scope: Scope, send: Send) -> None:
        log, after, more, objects = self._collection.no, self._start.seq, True, 0
        while not self._doors.log_watch.stopping:
            if more or await self._doors.log_watch.beyond(log, after, within_s=self._doors.settings.heartbeat_s):
                events = await self._pages.after(log, after, edits=self._start.edits)
                objects += events.count
                note_facts(scope, reached=events.last, objects=objects)
                if events.body:
                    await self._send(send, events.body)
                    new = [at_us for seq, at_us in events.received_us if seq > self._old]
                    metrics.note_delivered("stream", new, is_alert=log in self._doors.log_watch.alerts)
                after, more = events.last, events.more
            else:
                await self._send(send, HEARTBEAT)
        raise _Over

    async def _send(self, send: Send, body: bytes) -> None:
        try:
            async with asyncio.timeout(self._doors.settings.stall_s):
                await send({"type": "http.response.body", "body": body, "more_body": True})
        except TimeoutError:
            _log.info("stream.client_too_slow", collection=self._collection.name)
            raise _Over from None
        except OSError:
            raise _Over from None
