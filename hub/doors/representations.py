"""Middleware for the answers to GET of all doors: compression, ETags of whole bodies, 304.

A handler says with ``Cache-Control`` whether its answer may be kept, and may set an ETag that it knows without the
body. What has a ``Content-Encoding`` is compressed already. Everything else is done here, for whole bodies and streams.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub.doors.codings import Compressor, choose, compress, compressor
from hub.doors.validators import etag_of, matches
from hub.intake import Encoding

P = ParamSpec("P")
R = TypeVar("R")

_BIG_BYTES = 16 << 10
"""What takes longer than a fraction of a millisecond is done in a thread."""


class Represented:
    """See the head of this module."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
        else:
            await self._app(scope, receive, _Answer(Headers(scope=scope), send).take)


class _Answer:
    """One answer on its way. ``take`` is what the application sends it with."""

    def __init__(self, asked: Headers, send: Send) -> None:
        self._asked = asked
        self._send = send
        self._start: Message = {}
        self._has_begun = False
        self._is_unchanged = False
        self._compressor: Compressor | None = None
        self._flushes = False

    async def take(self, message: Message) -> None:
        """See ASGI's ``send``."""
        match message["type"]:
            case "http.response.start" if message["status"] == 304:
                MutableHeaders(raw=message["headers"]).add_vary_header("Accept-Encoding")
                await self._send(message)
            case "http.response.start" if message["status"] == 200:
                self._start = message
                self._headers.add_vary_header("Accept-Encoding")
                if "content-length" not in self._headers:
                    await self._begin()  # at once: the first part of a stream may come much later
            case "http.response.body" if self._start:
                await self._body(message.get("body", b""), more=message.get("more_body", False))
            case _:
                await self._send(message)

    @property
    def _headers(self) -> MutableHeaders:
        return MutableHeaders(raw=self._start["headers"])

    async def _body(self, body: bytes, *, more: bool) -> None:
        if self._has_begun:
            await self._part(body, more=more)
        elif more:
            await self._begin()
            await self._part(body, more=True)
        else:
            await self._whole(body)

    async def _begin(self) -> None:
        """Send the head of an answer whose body comes in parts."""
        self._has_begun = True
        headers = self._headers
        if await self._unchanged():
            return
        size = headers.get("content-length")
        choice = choose(self._asked.getlist("accept-encoding"))
        coding = choice.coding if size is None else choice.of_size(int(size))
        if "content-encoding" not in headers and (made := compressor(coding)) is not None:
            self._compressor = made
            self._flushes = headers.get("content-type", "").startswith("text/event-stream")
            headers["content-encoding"] = coding
            del headers["content-length"]
        await self._send(self._start)

    async def _part(self, body: bytes, *, more: bool) -> None:
        if self._is_unchanged:
            return
        if self._compressor is not None:
            body = await _off_the_loop(len(body), self._compressed, body, more)
            if more and not body:
                return
        await self._send({"type": "http.response.body", "body": body, "more_body": more})

    def _compressed(self, body: bytes, more: bool) -> bytes:
        assert self._compressor is not None  # noqa: S101 - the caller looked
        said = self._compressor.part(body, flush=self._flushes) if body else b""
        return said if more else said + self._compressor.end()

    async def _whole(self, body: bytes) -> None:
        headers = self._headers
        kept = headers.get("cache-control")
        if "etag" not in headers and kept is not None and "no-store" not in kept:
            headers["etag"] = await _off_the_loop(len(body), etag_of, body)
        if await self._unchanged():
            return
        coding = choose(self._asked.getlist("accept-encoding")).of_size(len(body))
        if "content-encoding" not in headers and coding is not Encoding.IDENTITY:
            body = await _off_the_loop(len(body), compress, body, coding)
            headers["content-encoding"] = coding
            headers["content-length"] = str(len(body))
        await self._send(self._start)
        await self._send({"type": "http.response.body", "body": body, "more_body": False})

    async def _unchanged(self) -> bool:
        """Answer 304 if the client has what would be sent; returns whether it is so."""
        headers = self._headers
        asked = self._asked.get("if-none-match")
        self._is_unchanged = asked is not None and "etag" in headers and matches(asked, headers["etag"])
        if self._is_unchanged:
            left = [field for field in self._start["headers"] if not field[0].startswith(b"content-")]
            await self._send({"type": "http.response.start", "status": 304, "headers": left})
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        return self._is_unchanged


async def _off_the_loop(size_bytes: int, work: Callable[P, R], *args: P.args, **more: P.kwargs) -> R:
    """Returns ``work(…)``, done in a thread if it is about so many bytes that others would wait for it."""
    return work(*args, **more) if size_bytes < _BIG_BYTES else await asyncio.to_thread(work, *args, **more)
