"""Reading server-sent events in tests: through ASGI, event by event, as an EventSource would."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.types import Message

from tests.doors.hubs import Hub


@dataclass(frozen=True, slots=True)
class Event:
    """One event."""

    seq: int
    name: str
    data: Any


class Reader:
    """One open stream. Feeds what is sent through the grammar of server-sent events, strictly."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.events: list[Event] = []
        self.comments: list[bytes] = []
        self.body = b""
        self.ended = False
        self.left = False
        """The application has returned, whether the stream came to an end or was given up."""
        self.gone = asyncio.Event()
        self.taking = asyncio.Event()
        self.taking.set()
        self._rest = b""
        self.sends = 0

    async def receive(self) -> Message:
        """The client's side: nothing until it goes."""
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """The server's side; waits while the reader does not take anything."""
        await self.taking.wait()
        self.sends += 1
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            return
        self.body += message.get("body", b"")
        self._rest += message.get("body", b"")
        *blocks, self._rest = self._rest.split(b"\n\n")
        if self.status == 200:
            for block in blocks:
                self._block(block)
        self.ended = not message.get("more_body", False)

    def _block(self, block: bytes) -> None:
        if block.startswith(b":"):
            self.comments.append(block)
            return
        fields = [line.split(b": ", 1) for line in block.split(b"\n")]
        assert [name for name, _ in fields] == [b"id", b"event", b"data"], block
        (_, seq), (_, name), (_, data) = fields
        self.events.append(Event(int(seq), name.decode(), orjson.loads(data)))


@contextlib.asynccontextmanager
async def open_stream(
    hub: Hub, collection: str, who: str | None, query: str = "", headers: dict[str, str] | None = None
) -> AsyncIterator[Reader]:
    """A live stream, closed at the end of the block."""
    reader = Reader()
    said = {**hub.auth(who), **(headers or {})}
    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1", "method": "GET",
        "scheme": "http", "path": f"/v1/collections/{collection}/stream", "raw_path": b"", "root_path": "",
        "query_string": query.encode(), "headers": [(k.lower().encode(), v.encode()) for k, v in said.items()],
        "server": ("hub.example", 80), "client": ("192.0.2.1", 1),
    }  # fmt: skip
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(hub.app(scope, reader.receive, reader.send))
        running.add_done_callback(lambda _: setattr(reader, "left", True))
        try:
            yield reader
        finally:
            reader.gone.set()
            reader.taking.set()


async def read_stream(hub: Hub, collection: str, who: str | None, query: str = "from=start") -> list[Event]:
    """All changes that there are now."""
    from tests.waiting import until

    head = (await hub.store.logs.head((await hub.collection(collection)).no)).seq
    async with open_stream(hub, collection, who, query) as reader:
        if head:
            await until(lambda: reader.events and reader.events[-1].seq >= head, what="the stream to come to its end")
        return list(reader.events)
