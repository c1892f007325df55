"""``/v1/collections/{name}/export.{format}``: sent as it is made, page by page, in constant memory."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time
from itertools import islice
from typing import Annotated

import structlog
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response, StreamingResponse

from hub.doors.auth import credentials_of
from hub.doors.context import Doors
from hub.doors.export import csv, jsonl, txt
from hub.doors.export.blockable import HASHES, PLAIN_TYPES, Entry, Selection, barring_marking
from hub.doors.export.distinct import Best, Seen
from hub.doors.export.net import Net
from hub.doors.held import holding
from hub.doors.openapi import ERRORS, raw
from hub.model.errors import NotAuthenticated, NotFound, Refused
from hub.model.policy import Collection, Policy
from hub.model.stix_types import SCO_TYPES
from hub.model.times import to_us
from hub.model.words import Seq
from hub.store.port import Filter
from hub.store.reading import Page

_log = structlog.get_logger()
_PAGE_ROWS = 1_000
_PAGE_BYTES = 2 << 20
_ROOM_BYTES = 8 << 20
"""What an export needs: a page, its text, and which values have been."""
_ENTRY_BYTES = 1_000
"""What one of the best takes in memory, and what stands beside it until it is sorted out."""
_INDICATORS = Filter(types=frozenset({"indicator", "marking-definition"}))
_MARKINGS = Filter(types=frozenset({"marking-definition"}))


@dataclass(frozen=True, slots=True)
class Format:
    """How a list is written."""

    media_type: str
    head: bytes
    write: Callable[[Entry], bytes]
    says_types: bool
    """Each value comes with its type. Where it does not, a value that several types share is written once, and only
    the types are there that no product takes for one another.
    """


FORMATS: Mapping[str, Format] = {
    "txt": Format(txt.MEDIA_TYPE, txt.HEAD, txt.write, False),
    "csv": Format(csv.MEDIA_TYPE, csv.HEAD, csv.write, True),
    "jsonl": Format(jsonl.MEDIA_TYPE, jsonl.HEAD, jsonl.write, True),
}


def routes(doors: Doors) -> APIRouter:
    """The exports of all collections."""
    router = APIRouter(tags=["collections"], default_response_class=Response)
    net = Net(doors)

    async def export(
        request: Request,
        name: str,
        format: str,
        type: Annotated[list[str] | None, Query(description="Kinds or hash names, separated by commas")] = None,
        limit: Annotated[int | None, Query(ge=1, description="The best so many by confidence and recency")] = None,
    ) -> Response:
        """Values to be blocked: asserted positively and alone, live, not expired, not under PAP:RED or PAP:AMBER."""
        collection = await doors.gate.collection(request, name)
        written = _format(format)
        types = _types(type or ())
        if limit is not None and limit > doors.settings.export_limit:
            raise Refused("export.limit", f"limit is {doors.settings.export_limit} at most.", "Leave it out for all.")
        policy = await doors.store.policy()
        head = await doors.store.head(collection.no)
        lists = await net.lists()
        etag = _etag(collection, head.seq, policy, format, types, limit, lists.version)
        headers = {"etag": etag, "cache-control": "no-cache", "x-content-type-options": "nosniff"}
        if _matches(request.headers.get("if-none-match"), etag):
            return Response(status_code=304, headers=headers)
        headers["content-type"] = written.media_type
        if request.method == "HEAD":
            return Response(headers=headers)
        wanted = types or (frozenset() if written.says_types else PLAIN_TYPES)
        released = await net.released()
        selection = Selection(wanted, _today_us(policy), lists=lists, released=released)
        making = _Export(doors, collection, written, selection, limit)
        credentials = credentials_of(request.headers.get("authorization"))
        async with holding(doors.answers, _ROOM_BYTES + (limit or 0) * _ENTRY_BYTES) as held:
            chunks = making.chunks(lambda: doors.gate.still_open(credentials, collection))
            begun, is_whole = await _begun(chunks, doors.settings.export_kept_bytes)
            if making.has_chosen:
                headers["x-ctihub-skipped"] = str(selection.skipped.count)
            body = b"".join(begun)
            answer = (
                Response(body, headers=headers) if is_whole else StreamingResponse(_rest(body, chunks), headers=headers)
            )
            return held.hand_over(answer, stall_s=doors.settings.stall_s)

    path = "/v1/collections/{name}/export.{format}"
    described = {**raw("text/plain", "The list, in the format's own media type."), **ERRORS}
    router.add_api_route(path, export, methods=["GET"], responses=described)
    router.add_api_route(path, export, methods=["HEAD"], include_in_schema=False)
    return router


async def _begun(chunks: AsyncIterator[bytes], limit_bytes: int) -> tuple[list[bytes], bool]:
    """The first chunks, and whether they are all."""
    found: list[bytes] = []
    async for chunk in chunks:
        found.append(chunk)
        if sum(map(len, found)) >= limit_bytes:
            return found, False
    return found, True


async def _rest(begun: bytes, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield begun
    async for chunk in chunks:
        yield chunk


def _format(name: str) -> Format:
    if name not in FORMATS:
        raise NotFound("export.format", f"There is no export.{name}.", f"There are {', '.join(FORMATS)}.")
    return FORMATS[name]


def _types(said: Iterable[str]) -> frozenset[str]:
    """The types asked for. One that cannot exist is refused: an empty list would look like a quiet day."""
    types = frozenset(word for value in said for part in value.split(",") if (word := part.strip().lower()))
    for name in types:
        if name not in SCO_TYPES and name not in HASHES and ":" not in name and not name.startswith("x-"):
            raise Refused(
                "export.type",
                f"There is no type {name[:60]!r}.",
                "Use ipv4-addr, domain-name, url, sha-256 and the like.",
            )
    return types


def _today_us(policy: Policy) -> int | None:
    return None if policy.today is None else to_us(datetime.combine(policy.today, time(), UTC))


def _etag(
    collection: Collection,
    seq: Seq,
    policy: Policy,
    name: str,
    types: Iterable[str],
    limit: int | None,
    lists: str,
) -> str:
    """Names all that the list depends on. Weak, as a change may come in while it is sent."""
    said = f"{collection.id} {seq} {policy.today} {name} {','.join(sorted(types))} {limit} {lists}"
    return f'W/"{hashlib.blake2b(said.encode(), digest_size=12).hexdigest()}"'


def _matches(if_none_match: str | None, etag: str) -> bool:
    """RFC 9110, section 13.1.2: by weak comparison."""
    if if_none_match is None:
        return False
    said = {one.strip().removeprefix("W/") for one in if_none_match.split(",")}
    return "*" in said or etag.removeprefix("W/") in said


class _Export:
    """One list on its way out."""

    def __init__(
        self, doors: Doors, collection: Collection, written: Format, selection: Selection, limit: int | None
    ) -> None:
        self._doors = doors
        self._log = collection.no
        self._name_of_collection = collection.name
        self._format = written
        self._selection = selection
        self._limit = limit
        self.has_chosen = False
        """Whether all that the list is made of has been looked at."""

    async def chunks(self, still_open: Callable[[], object]) -> AsyncIterator[bytes]:
        """The list in parts. Breaks off, so that the reader sees it is not whole, when the reader may read no more."""
        yield self._format.head
        making = self._all() if self._limit is None else self._best(self._limit)
        loop = asyncio.get_running_loop()
        asked_s = loop.time()
        async for chunk in making:
            if loop.time() - asked_s > self._doors.settings.recheck_s:
                asked_s = loop.time()
                if not await still_open():  # type: ignore[misc]
                    raise NotAuthenticated("auth.ended", "These credentials are not valid any more.")
            if chunk:
                yield chunk

    async def _all(self) -> AsyncIterator[bytes]:
        seen = Seen()

        def lines(page: Page, selection: Selection) -> bytes:
            found = selection.entries(page)
            return b"".join(self._format.write(entry) for entry in found if seen.first_time(self._name(entry)))

        async for page, selection in self._pages():
            yield await asyncio.to_thread(lines, page, selection)
        self._choose()

    async def _best(self, limit: int) -> AsyncIterator[bytes]:
        best = Best(limit)

        def add(page: Page, selection: Selection) -> None:
            best.add(selection.entries(page))

        async for page, selection in self._pages():
            await asyncio.to_thread(add, page, selection)
        entries = iter(await asyncio.to_thread(lambda: list(best.ordered())))
        self._choose()
        seen = Seen()
        while some := list(islice(entries, _PAGE_ROWS)):
            yield b"".join(self._format.write(entry) for entry in some if seen.first_time(self._name(entry)))

    def _name(self, entry: Entry) -> str:
        """What makes an entry the same as another one."""
        return f"{entry.type} {entry.value}" if self._format.says_types else entry.value

    def _choose(self) -> None:
        self.has_chosen = True
        if count := self._selection.skipped.count:
            _log.info("export.values_left_out", collection=self._name_of_collection, count=count)

    async def _pages(self) -> AsyncIterator[tuple[Page, Selection]]:
        """All indicators, each with what bars it known: the markings that stand now, and those met on the way."""
        barred: set[str] = set()
        async for page in self._read(_MARKINGS):
            barred.update(_barring(page))
        async for page in self._read(_INDICATORS):
            barred.update(_barring(page))
            yield page, replace(self._selection, barred=frozenset(barred))

    async def _read(self, by: Filter) -> AsyncIterator[Page]:
        after, more = Seq(0), True
        while more:
            page = await self._doors.page(self._log, after, limit=_PAGE_ROWS, limit_bytes=_PAGE_BYTES, by=by)
            if page.rows:
                yield page
                after = page.rows[-1].seq
            more = page.more


def _barring(page: Page) -> set[str]:
    return {
        row.object_id
        for row, body in zip(page.rows, page.bodies, strict=True)
        if row.type == "marking-definition" and barring_marking(body)
    }
