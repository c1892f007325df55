"""The hub's HTTP server on a real socket in this process, and peers that speak to it byte by byte."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Iterable
from typing import Any

from starlette.types import ASGIApp

from hub.doors.connections import ConnectionLimits
from hub.doors.server import HttpServer
from tests.waiting import until

PATIENCE_S = 20.0
"""How long a test waits for what must come; only a hub that is wrong takes so long."""


@contextlib.asynccontextmanager
async def served(app: ASGIApp, *, tls: ssl.SSLContext | None = None, **limits: Any) -> AsyncIterator[int]:
    """The port on which an application is served, until the end of the block."""
    with socket.socket(proto=socket.IPPROTO_TCP) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(1024)
        server = HttpServer(app, listening, limits=ConnectionLimits(**limits), tls=tls, drain_s=1)
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(server.run())
            await until(lambda: server.started or running.done(), within_s=PATIENCE_S)
            try:
                yield listening.getsockname()[1]
            finally:
                server.stop()


class Peer(asyncio.Protocol):
    """One connection to the server: what has come stays, whatever becomes of what is sent."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.over = self._lost = False
        self._transport: Any = None
        self._free = asyncio.Event()
        self._free.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data

    def eof_received(self) -> None:
        self.over = True

    def connection_lost(self, exc: Exception | None) -> None:
        self.over = self._lost = True
        self._free.set()

    def pause_writing(self) -> None:
        self._free.clear()

    def resume_writing(self) -> None:
        self._free.set()

    async def send(self, *pieces: bytes) -> int:
        """Send the pieces one after the other until the other side closes; how much that was."""
        sent = 0
        for piece in pieces:
            if self.over:
                break
            self._transport.write(piece)
            await asyncio.sleep(0)
            async with asyncio.timeout(PATIENCE_S):
                await self._free.wait()
            sent += len(piece)
        return sent

    async def send_all(self, pieces: Iterable[bytes]) -> int:
        """Send until the other side answers or closes; how many bytes that were."""
        sent = 0
        for piece in pieces:
            if self.received or self.over:
                break
            sent += await self.send(piece)
        return sent

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Status, head fields and body of the next answer."""
        await until(lambda: b"\r\n\r\n" in self.received or self.over, within_s=PATIENCE_S)
        text, _, _ = bytes(self.received).partition(b"\r\n\r\n")
        head = text.decode("latin-1").split("\r\n")
        fields = dict(line.lower().split(": ", 1) for line in head[1:])
        start, size = len(text) + 4, int(fields.get("content-length", 0))
        await until(lambda: len(self.received) >= start + size or self.over, within_s=PATIENCE_S)
        body = bytes(self.received[start : start + size])
        del self.received[: start + size]
        return int(head[0].split(" ")[1]), fields, body

    async def closed(self) -> bytes:
        """What comes until the other side closes."""
        await until(lambda: self.over, within_s=PATIENCE_S, what="the server closes the connection")
        return bytes(self.received)

    def take_nothing(self) -> None:
        """Read no more of what comes."""
        self._transport.pause_reading()

    async def close(self) -> None:
        """Close our side."""
        if not self._lost:
            self._transport.abort()
        await until(lambda: self._lost, within_s=PATIENCE_S)


@contextlib.asynccontextmanager
async def connected(port: int, *, tls: ssl.SSLContext | None = None, address: str | None = None) -> AsyncIterator[Peer]:
    """A connection for the length of a block, from an address of this machine."""
    name = None if tls is None else "localhost"
    source = None if address is None else (address, 0)
    loop = asyncio.get_running_loop()
    _, peer = await loop.create_connection(Peer, "127.0.0.1", port, ssl=tls, server_hostname=name, local_addr=source)
    try:
        yield peer
    finally:
        await peer.close()
