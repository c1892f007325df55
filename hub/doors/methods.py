"""HEAD and OPTIONS for every path that has GET, and the methods that a path has.

Source: RFC 9110, sections 9.3.2 (HEAD), 9.3.7 (OPTIONS), 15.5.6 (405).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from starlette.requests import Request
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

IS_HEAD = "ctihub.is_head"
"""In the ASGI scope of a HEAD request that is answered like GET."""


def is_head(request: Request) -> bool:
    """Returns whether the body of the answer will not be sent, so that a handler can save the work for it."""
    return IS_HEAD in request.scope


def allowed(request: Request, routes: Iterable[BaseRoute]) -> list[str]:
    """Returns all methods of the path of a request, for ``Allow``. The path must have a route."""
    found = {"OPTIONS"}
    for route in routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            found |= getattr(route, "methods", None) or set()
    return sorted(found | {"HEAD"} if "GET" in found else found)


class HeadAsGet:
    """Answers HEAD with the status and the headers of GET. An answer that would be sent in parts ends with its head."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        is_answered = asyncio.Event()

        async def gone() -> Message:
            await is_answered.wait()
            return {"type": "http.disconnect"}

        async def head_only(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                is_answered.set()

        # a copy: the server looks at the method of its own to leave out the body
        await self._app({**scope, "method": "GET", IS_HEAD: True}, gone, head_only)
