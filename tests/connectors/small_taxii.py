"""A small TAXII 2.1 server that can misbehave in the ways that real ones do, and in those of one that means harm."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from tests.connectors.small_hub import Server

TAXII = "application/taxii+json;version=2.1"
FIRST_ID = "11111111-1111-4111-8111-111111111111"
SECOND_ID = "22222222-2222-4222-8222-222222222222"


@dataclass
class SmallTaxii:
    """Objects by collection as (date_added, object); ``page`` of them at a time. ``habits`` are the misbehaviours:

    ``strict`` (filters must come with every page), ``always-next``, ``no-next``, ``same-next``, ``no-dates``,
    ``empty-braces``, ``json-type``, ``forgets`` (cursors of earlier rounds), ``inclusive``, ``ever-more`` (new cursors
    without objects), ``unreadable`` (collections), ``drip`` (a blank now and then).

    ``discovery`` and ``answers`` are answered instead of what would be, the latter to requests for objects.
    """

    page: int = 2
    habits: set[str] = field(default_factory=set)
    objects: dict[str, list[tuple[str, dict[str, Any]]]] = field(default_factory=dict)
    plan: deque[int] = field(default_factory=deque)
    requests: list[dict[str, str]] = field(default_factory=list)
    authorization: str | None = None
    forgotten: set[str] = field(default_factory=set)
    retry_after: str = "0"
    root: str | None = None
    """How the API root is spelled in the discovery."""
    discovery: Response | None = None
    answers: deque[Response] = field(default_factory=deque)
    tls: tuple[Path, Path] | None = None

    def __post_init__(self) -> None:
        self.objects = self.objects or {FIRST_ID: [], SECOND_ID: []}
        root = "/root/"
        self.server = Server(
            Starlette(
                routes=[
                    Route("/taxii2/", self._discovery),
                    Route(root, self._root),
                    Route(root + "collections/", self._collections),
                    Route(root + "collections/{id}/", self._collection),
                    Route(root + "collections/{id}/objects/", self._objects),
                ]
            ),
            self.tls,
        )

    @property
    def url(self) -> str:
        return f"{self.server.url}/taxii2/"

    def stop(self) -> None:
        self.server.stop()

    def add(self, *numbers: int, to: str = FIRST_ID, second: int | None = None) -> None:
        """Objects that came in one second each, or all in the same one."""
        for number in numbers:
            at = number if second is None else second
            date = f"2026-01-01T00:{at // 60:02d}:{at % 60:02d}.{number:06d}Z"
            self.objects[to].append((date, {"type": "indicator", "id": f"indicator--{number}", "n": number}))

    def _answer(self, body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
        kind = "application/json; charset=utf-8" if "json-type" in self.habits else TAXII
        return Response(json.dumps(body), status, {"Content-Type": kind, **(headers or {})})

    async def _discovery(self, request: Request) -> Response:
        self.authorization = request.headers.get("authorization")
        if self.discovery:
            return self.discovery
        return self._answer({"title": "small", "api_roots": [self.root or f"{self.server.url}/root/"]})

    async def _root(self, request: Request) -> Response:
        return self._answer({"title": "root", "versions": [TAXII], "max_content_length": 1 << 20})

    def _described(self, name: str) -> dict[str, Any]:
        title = "first" if name == FIRST_ID else "second"
        return {"id": name, "title": title, "can_read": "unreadable" not in self.habits, "can_write": False}

    async def _collections(self, request: Request) -> Response:
        hidden = {"id": "33333333-3333-4333-8333-333333333333", "title": "no", "can_read": False, "can_write": True}
        return self._answer({"collections": [*map(self._described, self.objects), hidden]})

    async def _collection(self, request: Request) -> Response:
        return self._answer(self._described(request.path_params["id"]))

    async def _objects(self, request: Request) -> Response:
        asked = dict(request.query_params)
        self.requests.append(asked)
        if self.plan:
            return self._answer({"title": "busy"}, self.plan.popleft(), {"Retry-After": self.retry_after})
        if self.answers:
            return self.answers.popleft()
        if "drip" in self.habits:
            return StreamingResponse(_drip(), media_type=TAXII)
        if "ever-more" in self.habits:
            return self._answer({"more": True, "next": str(len(self.requests)), "objects": []})
        cursor = asked.get("next")
        if cursor in self.forgotten or ("strict" in self.habits and cursor and "match[type]" not in asked):
            return self._answer({"title": "bad cursor"}, 400)
        return self._page(self._after(request.path_params["id"], asked), asked)

    def _after(self, collection: str, asked: dict[str, str]) -> list[tuple[str, dict[str, Any]]]:
        after, cursor = asked.get("added_after", ""), asked.get("next", "")
        inclusive = "inclusive" in self.habits
        return [
            (date, one)
            for date, one in self.objects[collection]
            if (date >= after if inclusive else date > after) and date > cursor.removeprefix("after ")
        ]

    def _page(self, found: list[tuple[str, dict[str, Any]]], asked: dict[str, str]) -> Response:
        page = found[: self.page]
        more = len(found) > self.page
        if not page and "empty-braces" in self.habits:
            return self._answer({})
        body: dict[str, Any] = {"more": more, "objects": [one for _, one in page]}
        if (more or "always-next" in self.habits) and "no-next" not in self.habits:
            body["next"] = f"after {page[-1][0] if page else ''}"
        if "same-next" in self.habits and more:
            body["next"] = "after "
        headers = {}
        if "no-dates" not in self.habits:
            headers["X-TAXII-Date-Added-First"] = page[0][0] if page else asked.get("added_after", "")
            headers["X-TAXII-Date-Added-Last"] = page[-1][0] if page else asked.get("added_after", "")
        return self._answer(body, 200, {name: value for name, value in headers.items() if value})


async def _drip() -> AsyncIterator[bytes]:
    while True:
        yield b" "
        await asyncio.sleep(0.01)
