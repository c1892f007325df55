"""Middleware that records every answer: all in the metrics, and those to principals in the journal of reads.

A door does not have to do anything. What only the door knows, such as how far a page reaches, it states with
``hub/doors/reads.py``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub.doors.auth import PRINCIPAL
from hub.doors.methods import IS_HEAD
from hub.doors.metrics import note_answer
from hub.doors.reads import ANSWER_FACTS, NO_FACTS, SentAnswer, door_of
from hub.model.errors import HubError

_REFUSED = 400


class Recorded:
    """See the head of this module. Every request goes through it, so the journal does what can be done later."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        enter: Callable[[Scope, float, float, SentAnswer], None],
        identify: Callable[[Request], Awaitable[object]],
        now_s: Callable[[], float],
    ) -> None:
        """``enter`` takes each answer to a principal, or without credentials, when it has ended, and a live one with
        each part: the scope, when it began and ended, and the answer. ``identify`` finds out who sent a request and
        notes it in the scope; it may raise HubError. ``now_s``: the clock of answers.
        """
        self._app = app
        self._enter = enter
        self._identify = identify
        self._now_s = now_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        now_s = self._now_s
        began_s = now_s()
        status = size_bytes = 0
        is_sent, facts = False, NO_FACTS

        async def noting(message: Message) -> None:
            nonlocal status, size_bytes, is_sent, facts
            if message["type"] == "http.response.start":
                status = message["status"]
                note_answer(_template_in(scope), status, now_s() - began_s)
                await send(message)
                return
            await send(message)
            is_sent = not message.get("more_body", False)
            if IS_HEAD not in scope:  # else nothing is sent of the body
                size_bytes += len(message.get("body", b""))
                facts = scope.get(ANSWER_FACTS, NO_FACTS)
                if facts.key and PRINCIPAL in scope:
                    is_sent = True
                    self._enter(scope, began_s, now_s(), (status, size_bytes, is_sent, facts))

        try:
            await self._app(scope, receive, noting)
            if status == _REFUSED:
                await self._identify_read(scope)
        finally:
            if PRINCIPAL in scope:
                self._enter(scope, began_s, now_s(), (status, size_bytes, is_sent, facts))

    async def _identify_read(self, scope: Scope) -> None:
        """Find out who sent a read that was refused for a parameter before its door could ask."""
        if PRINCIPAL not in scope and door_of(scope["method"], _template_in(scope)):
            with contextlib.suppress(HubError):
                await self._identify(Request(scope))


def _template_in(scope: Scope) -> str:
    return getattr(scope.get("route"), "path", "")
