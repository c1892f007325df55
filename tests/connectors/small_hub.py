"""A small real HTTP server that speaks the hub's contract, for tests of what runs at the centre and at the member.

It can be told to be slow of will: answer 429 or 503, lose an acknowledgement, cut a stream, be away.
"""

from __future__ import annotations

import asyncio
import gzip
import socket
import threading
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from schemas.api import (
    CentreStatus,
    CollectionInfo,
    CollectionList,
    Flow,
    OwnClaimInfo,
    OwnClaimPage,
    ProblemDetails,
    PushAccepted,
    Receipt,
    ReceiptProblem,
    Status,
)
from schemas.explanation import ExplainedClaim, ExplainedThing, ExplainedView, Explanation
from schemas.lookup import CollectionChange, CollectionChanges, LookupAnswer
from tests.waiting import WITHIN_S, wait_until

TOKEN = "centre-token"
FLOW = Flow(received=5, accepted=3, unchanged=1, held=0, rejected=1)


class Server:
    """An ASGI app on a port of its own, in a thread; it can go away and come back at the same port.

    With ``tls`` (files of a key and of its certificates) it speaks https.
    """

    def __init__(self, app: Any, tls: tuple[Path, Path] | None = None) -> None:
        self._app = app
        self._tls: dict[str, Any] = {"ssl_keyfile": tls[0], "ssl_certfile": tls[1]} if tls else {}
        self._port = 0
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._port}"

    def start(self) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self._port))
        self._port = listener.getsockname()[1]
        config = uvicorn.Config(
            self._app, log_level="critical", lifespan="off", timeout_graceful_shutdown=1, **self._tls
        )
        server = uvicorn.Server(config)
        self._server = server
        self._thread = threading.Thread(target=lambda: server.run(sockets=[listener]), daemon=True)
        self._thread.start()
        wait_until(lambda: server.started, what="the server to start")

    def stop(self) -> None:
        if self._server and self._thread:
            self._server.should_exit = True
            self._thread.join(WITHIN_S)
            assert not self._thread.is_alive()
        self._server = None


class SmallHub:
    """What was pushed is in ``lines``; what happens next is in ``plan``: "429", "503", "lost", "500", "pending".

    For webhooks a status may be followed by a code.
    """

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.pushes: list[list[bytes]] = []
        self.withdrawn: list[str] = []
        self.how: list[dict[str, Any]] = []
        """What each request of withdrawals said besides the ids."""
        self.claims: dict[str, list[OwnClaimInfo]] = {}
        """The caller's claims about a value; one a page."""
        self.encodings: list[str] = []
        self.plan: deque[str] = deque()
        self.stream_plan: deque[int] = deque()
        """After how many events the next connections to the stream are cut."""
        self.connections: list[dict[str, str]] = []
        self.changes: list[tuple[int, str, bytes]] = []
        self.known: dict[str, LookupAnswer] = {}
        """What is known of values; of others nothing."""
        self.told: list[CollectionChange] = []
        """The changes of every collection, three on a page."""
        self.since: list[str] = []
        self.pending_answers = 0
        self.limit_bytes = 64 << 20
        self.retry_after = "1"
        self.centres = ["cert-ro"]
        self.posted: list[bytes] = []
        self.server = Server(
            Starlette(
                routes=[
                    Route("/v1/intake", self._intake, methods=["POST"]),
                    Route("/v1/withdrawals", self._withdrawals, methods=["POST"]),
                    Route("/v1/webhooks", self._webhooks, methods=["POST"]),
                    Route("/v1/claims", self._claims),
                    Route("/v1/lookup", self._lookup, methods=["POST"]),
                    Route("/v1/collections/{name}/changes", self._told_changes),
                    Route("/v1/receipts/{number:int}", self._receipt),
                    Route("/v1/collections", self._collections),
                    Route("/v1/collections/{name}/stream", self._stream),
                    Route("/v1/explain/{asked:path}", self._explain),
                    Route("/v1/status", self._status),
                ]
            )
        )

    @property
    def url(self) -> str:
        return self.server.url

    def stop(self) -> None:
        self.server.stop()

    def objects(self) -> list[Any]:
        return [orjson.loads(line) for line in self.lines]

    async def _intake(self, request: Request) -> Response:
        if (refusal := _refusal(request)) is not None:
            return refusal
        what = self.plan.popleft() if self.plan else ""
        if what in ("429", "503", "500"):
            return _problem(int(what), "hub.busy", "The hub is busy.", {"Retry-After": self.retry_after})
        body = await request.body()
        self.encodings.append(request.headers.get("content-encoding", ""))
        if self.encodings[-1] == "gzip":
            body = gzip.decompress(body)
        if len(body) > self.limit_bytes:
            return _problem(413, "push.too-large", "The push is too large.")
        assert request.headers["content-type"] == "application/x-ndjson"
        lines = [line for line in body.split(b"\n") if line.strip()]
        self.pushes.append(lines)
        self.lines += lines
        if what == "lost":
            return _cut_off()
        return _json(self._accepted(len(lines)), 202)

    async def _webhooks(self, request: Request) -> Response:
        self.posted.append(await request.body())
        match self.plan.popleft() if self.plan else "":
            case "lost":
                return _cut_off()
            case "":
                return _problem(400, "webhook.none", "There are no webhooks here.")
            case planned:
                status, _, code = planned.partition(" ")
                headers = {"Retry-After": self.retry_after}
                return _problem(int(status), code or "hub.busy", "The hub is busy.", headers)

    def _accepted(self, received: int) -> PushAccepted:
        number = len(self.pushes) - 1
        return PushAccepted(
            receipt=str(number), received=received, status_url=f"https://elsewhere.example/v1/receipts/{number}"
        )

    async def _withdrawals(self, request: Request) -> Response:
        if (refusal := _refusal(request)) is not None:
            return refusal
        how = orjson.loads(await request.body())
        ids = how.pop("ids")
        self.how.append(how)
        self.withdrawn += ids
        self.pushes.append([one.encode() for one in ids])
        return _json(self._accepted(len(ids)), 202)

    async def _lookup(self, request: Request) -> Response:
        asked = await request.json()
        answers = [self.known.get(one) or LookupAnswer(asked=one, kind="ipv4-addr", canonical=one) for one in asked]
        lines = [one.model_dump_json(exclude_none=True) + "\n" for one in answers]
        return Response("".join(lines), media_type="application/x-ndjson")

    async def _told_changes(self, request: Request) -> Response:
        self.since.append(request.query_params["since"])
        since = int(self.since[-1]) if self.since[-1].isdecimal() else 0
        later = [one for one in self.told if one.seq > since]
        page = later[:3]
        body = CollectionChanges(changes=page, next=page[-1].seq if page else since, more=len(later) > 3)
        return Response(body.model_dump_json(exclude_none=True), media_type="application/json")

    async def _claims(self, request: Request) -> Response:
        if (refusal := _refusal(request)) is not None:
            return refusal
        about, after = request.query_params["about"], request.query_params["after"]
        claims = [one for one in self.claims.get(about, []) if one.id > after]
        more = claims[0].id if len(claims) > 1 else None
        return _json(OwnClaimPage(about=about, claims=claims[:1], next_after=more))

    async def _receipt(self, request: Request) -> Response:
        if (refusal := _refusal(request)) is not None:
            return refusal
        push = self.pushes[request.path_params["number"]]
        if self.pending_answers:
            self.pending_answers -= 1
            return _json(_receipt_of(push, state="pending"))
        return _json(_receipt_of(push, state="complete"))

    async def _collections(self, request: Request) -> Response:
        last = self.changes[-1][0] if self.changes else 0
        info = CollectionInfo(
            name="community",
            id="1",
            tlp="green",
            group="community",
            types=[],
            kinds=[],
            min_confidence=0,
            last_seq=last,
        )
        return _json(CollectionList(collections=[info]))

    async def _stream(self, request: Request) -> Response:
        self.connections.append(dict(request.headers) | dict(request.query_params))
        if request.path_params["name"] != "community":
            return _problem(404, "collection.unknown", "There is no such collection.")
        if self.plan:
            return _problem(int(self.plan.popleft()), "hub.busy", "The hub is busy.", {"Retry-After": "0"})
        said = request.headers.get("last-event-id") or request.query_params.get("from", "start")
        after = {"start": 0, "now": self.changes[-1][0] if self.changes else 0}.get(said, -1)
        after = int(said) if after < 0 else after
        cut_after = self.stream_plan.popleft() if self.stream_plan else None
        return StreamingResponse(self._events(after, cut_after), media_type="text/event-stream")

    async def _events(self, after: int, cut_after: int | None) -> AsyncIterator[bytes]:
        yield b": hello\n\n"
        sent = 0
        while True:
            for seq, event, data in [change for change in self.changes if change[0] > after]:
                if sent == cut_after:
                    raise ConnectionAbortedError
                yield b"id: %d\nevent: %b\ndata: %b\n\n" % (seq, event.encode(), data)
                after, sent = seq, sent + 1
            if cut_after is not None:
                raise ConnectionAbortedError
            await asyncio.sleep(0.01)

    async def _explain(self, request: Request) -> Response:
        asked = request.path_params["asked"]
        if asked == "nothing":
            return _json(Explanation(asked=asked, things=[]))
        claim = ExplainedClaim(
            centre="cert-ro",
            level="green",
            id=None,
            created="2026-01-01T00:00:00Z",
            modified="2026-01-02T00:00:00Z",
            confidence=60,
            state="live",
        )
        view = ExplainedView(
            collection="community",
            id="indicator--1",
            state="live",
            seq=7,
            version="2026-01-03T00:00:00.000Z",
            first="2026-01-01",
            last="2026-01-02",
            confidence=80,
            how="100 - (100-60)(100-50)/100",
            voices=2,
            claims=[claim],
            feedback=[],
        )
        thing = ExplainedThing(key="00ff", type="indicator", text=f"[ipv4-addr:value = '{asked}']\x1b[2J", views=[view])
        return Response(_with_news(Explanation(asked=asked, things=[thing])), media_type="application/json")

    async def _status(self, request: Request) -> Response:
        if self.plan:
            return _problem(int(self.plan.popleft()), "hub.busy", "The hub is busy.")
        own = [
            CentreStatus(centre=name, suspended=False, flow=FLOW, lag=0, last_received=None) for name in self.centres
        ]
        return _json(Status(version="1", at="2026-01-01T00:00:00Z", flow=FLOW, centres=own, collections=[], doors=[]))


def _receipt_of(lines: list[bytes], *, state: Any) -> Receipt:
    bad = [index for index, line in enumerate(lines) if not _is_json(line) and not _is_id(line)]
    gone = [index for index, line in enumerate(lines) if line.endswith(NOT_THERE)]
    problems = [
        ReceiptProblem(
            index=index, id=None, state="rejected", code="json.malformed", message="not JSON", rule_url="https://x/"
        )
        for index in bad
    ]
    problems += [
        ReceiptProblem(
            index=index,
            id=None,
            state="unchanged",
            code="withdrawal.unknown",
            message="not there",
            rule_url="https://x/",
        )
        for index in gone
    ]
    done = state == "complete"
    return Receipt(
        state=state,
        received=len(lines),
        accepted=len(lines) - len(bad) - len(gone) if done else 0,
        unchanged=len(gone) if done else 0,
        held=0,
        rejected=len(bad) if done else 0,
        problems=problems if done else [],
    )


NOT_THERE = b"-4000-8000-000000000000"
"""The end of ids under which the centre has nothing."""


def _is_id(line: bytes) -> bool:
    return b"--" in line and line[:1] != b"{"


def _is_json(line: bytes) -> bool:
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True


def _refusal(request: Request) -> Response | None:
    if request.headers.get("authorization") == f"Bearer {TOKEN}":
        return None
    return _problem(401, "token.unknown", "The token is not known.")


def _cut_off() -> Response:
    """What a client sees of a hub that dies while it answers: a body that ends before its length."""

    async def body() -> AsyncIterator[bytes]:
        yield b"{"
        raise ConnectionAbortedError

    return StreamingResponse(body(), 202, headers={"Content-Length": "100"})


def _problem(status: int, code: str, detail: str, headers: dict[str, str] | None = None) -> Response:
    body = ProblemDetails(title="x", status=status, detail=detail, code=code)
    return Response(body.model_dump_json(), status, headers, "application/problem+json")


def _json(body: Any, status: int = 200) -> Response:
    return Response(body.model_dump_json(), status, media_type="application/json")


def _with_news(body: Any) -> bytes:
    """A later hub's answer: with a field that today's client does not know."""
    return orjson.dumps({**body.model_dump(), "news": {"x": 1}})
