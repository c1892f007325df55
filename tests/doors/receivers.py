"""Receivers of webhooks on 127.0.0.1: they keep what arrives, and answer as a test wants."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook as Verifier

Answer = int | bytes | None
Posted = tuple[str, bytes]
"""The id and the body of a message."""


@dataclass
class Arrived:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def message(self) -> dict[str, Any]:
        """Its body, read."""
        return dict(json.loads(self.body))

    @property
    def seqs(self) -> list[int]:
        """The numbers of its changes."""
        return [one["seq"] for one in self.message["data"]["changes"]]


@dataclass
class Receiver:
    """See the head of this module."""

    url: str = ""
    arrived: list[Arrived] = field(default_factory=list)
    answer: Callable[[Arrived], Awaitable[Answer]] | None = None
    """A status, or the bytes of a whole answer; None: the connection is closed without one."""
    open_now: int = 0
    most_open: int = 0
    connections: int = 0

    @property
    def paths(self) -> list[str]:
        """The paths of all requests, in the order of their arrival."""
        return [one.path for one in self.arrived]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        self.connections += 1
        self.open_now += 1
        self.most_open = max(self.most_open, self.open_now)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._answer(await _read(reader), writer)
        finally:
            self.open_now -= 1
            writer.close()

    async def _answer(self, arrived: Arrived, writer: asyncio.StreamWriter) -> None:
        self.arrived.append(arrived)
        said = 204 if self.answer is None else await self.answer(arrived)
        if isinstance(said, int):
            said = b"HTTP/1.1 %d X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n" % said
        if said is not None:
            writer.write(said)
            await writer.drain()

    def seqs(self, path: str | None = None) -> list[int]:
        """The numbers of all changes, in the order of their arrival."""
        return [seq for one in self.arrived if path in (None, one.path) for seq in one.seqs]


async def _read(reader: asyncio.StreamReader) -> Arrived:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    pairs = [line.split(": ", 1) for line in head[1:] if line]
    headers = {name.lower(): value for name, value in pairs}
    body = await reader.readexactly(int(headers["content-length"]))
    return Arrived(head[0].split()[1], headers, body)


@contextlib.asynccontextmanager
async def a_receiver(tls: ssl.SSLContext | None = None, **more: Any) -> AsyncIterator[Receiver]:
    """A receiver for the time of the block."""
    receiver = Receiver(**more)
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    receiver.url = f"{'https' if tls else 'http'}://{'localhost' if tls else '127.0.0.1'}:{port}/hook"
    try:
        yield receiver
    finally:
        server.close()


@contextlib.contextmanager
def a_receiver_in_threads(answers: Callable[[int], bool], secret: list[str]) -> Iterator[tuple[str, list[Posted]]]:
    """A receiver for tests that are not async: its URL, and what arrived. ``answers``: whether the message of this
    number is answered, with 204. ``secret``: what it checks signatures with, as soon as there is one.
    """
    posted: list[Posted] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            Verifier(secret[0]).verify(body, dict(self.headers))
            posted.append((str(self.headers["webhook-id"]), body))
            if answers(len(posted)):
                self.send_response(204)
                self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/", posted
    finally:
        server.shutdown()
        server.server_close()
