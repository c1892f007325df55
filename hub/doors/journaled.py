"""Middleware that enters every read of a collection in the journal, whichever door answers it.

A door does not have to do anything: its path says that it reads, and is the name of the door. What only the door knows,
such as how far a page reaches, it states with ``hub/doors/answer_progress.py``.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Awaitable, Callable
from functools import lru_cache

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub.doors.answer_progress import AnswerProgress, watch_answer
from hub.doors.auth import address_of, reader_in
from hub.doors.methods import IS_HEAD
from hub.model.errors import HubError
from hub.model.journal import ANONYMOUS
from hub.model.words import Seq

_COLLECTION = re.compile(r"/v1/collections/\{name\}/([a-z-]+)")
_TAXII = re.compile(r"(?:/taxii2)?/root/collections/\{collection_id\}/.")
_SINGLE = re.compile(r"/v1/(lookup|explain)(?:/|$)")
_READING = frozenset({"GET", "HEAD"})
_TEXT_BYTES = 200
_REFUSED = 400
_SEQ_HEADER, _OBJECTS_HEADER = b"x-ctihub-seq", b"x-ctihub-lines"


@lru_cache(maxsize=1024)
def door_of(method: str, template: str) -> str:
    """Returns the name of the door of a route; empty if it reads no collection.

    >>> door_of("GET", "/v1/collections/{name}/export.{format}"), door_of("POST", "/v1/intake")
    ('export', '')
    """
    if found := _SINGLE.match(template):
        return found[1]
    if method not in _READING:
        return ""
    if found := _COLLECTION.match(template):
        return found[1]
    return "taxii" if _TAXII.match(template) else ""


class Journaled:
    """See the head of this module."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        enter: Callable[[AnswerProgress], None],
        identify: Callable[[Request], Awaitable[object]],
        now_us: Callable[[], int],
        behind_proxy: bool = False,
    ) -> None:
        """``enter`` takes what is to be entered, as often as there is something new of it. ``identify`` notes in a
        request whose it is; it may raise HubError.
        """
        self._app = app
        self._enter = enter
        self._identify = identify
        self._now_us = now_us
        self._behind_proxy = behind_proxy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        progress = AnswerProgress(self._now_us(), lambda: self._advanced(scope, progress))
        watch_answer(scope, progress)

        async def counting(message: Message) -> None:
            await send(message)
            if message["type"] == "http.response.body":
                progress.size_bytes += len(message.get("body", b""))
                if not message.get("more_body", False):
                    progress.is_sent = True
            elif message["type"] == "http.response.start":
                _heed_head(progress, message)

        try:
            await self._app(scope, receive, counting)
            if progress.status == _REFUSED and not progress.door and _door_in(scope):
                with contextlib.suppress(HubError):  # for a parameter, before anybody has asked whose request it is
                    await self._identify(Request(scope))
        finally:
            self._advanced(scope, progress)
            progress.tell = None  # it refers to the request

    def _advanced(self, scope: Scope, progress: AnswerProgress) -> None:
        if not progress.door and not self._is_read(scope, progress):
            return
        if progress.reader == ANONYMOUS and not 0 < progress.status < 400:  # nothing was read
            return
        progress.ended_us = self._now_us()
        if IS_HEAD in scope:  # of the body nothing is sent
            progress.size_bytes, progress.reached, progress.objects = 0, None, None
        self._enter(progress)

    def _is_read(self, scope: Scope, progress: AnswerProgress) -> bool:
        """Returns whether a principal, or somebody without credentials, reads a collection; notes what is asked."""
        template = _template_in(scope)
        door = door_of(scope["method"], template)
        reader = reader_in(scope) if door else None
        if reader is None:
            return False
        parameters = scope.get("path_params", {})
        progress.door, progress.template = door, template
        progress.reader, progress.token = reader
        progress.format = parameters.get("format", "")
        progress.name = parameters.get("name") or parameters.get("collection_id") or ""
        progress.query = scope.get("query_string", b"")
        progress.client = _last_of(scope, b"user-agent")
        progress.address = address_of(scope, behind_proxy=self._behind_proxy) or ""
        return True


def _template_in(scope: Scope) -> str:
    return getattr(scope.get("route"), "path", "")


def _door_in(scope: Scope) -> str:
    return door_of(scope["method"], _template_in(scope))


def _heed_head(progress: AnswerProgress, message: Message) -> None:
    progress.status = message["status"]
    if progress.reached is None and progress.status in (200, 304):
        for name, value in message.get("headers", ()):
            if name == _SEQ_HEADER and value.isdigit():
                progress.reached = Seq(int(value))
            elif name == _OBJECTS_HEADER and value.isdigit():
                progress.objects = int(value)


def _last_of(scope: Scope, name: bytes) -> bytes:
    """Returns the last field of this name, or its end if it is long."""
    found = b""
    for each, value in scope["headers"]:
        if each == name:
            found = value
    return found[-_TEXT_BYTES:]
