"""The servers of ``tests.bench.taxii`` that are the hub's own: its doors, and its HTTP server with prebuilt bytes."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
from collections.abc import Callable, Iterator, Mapping
from multiprocessing.connection import Connection
from typing import Any

from starlette.types import Receive, Scope, Send

from tests.bench import doors
from tests.bench.taxii_client import Page, Served

_Prebuilt = Mapping[str, tuple[list[tuple[bytes, bytes]], bytes]]


@contextlib.contextmanager
def hub(folder: str, counts: Mapping[str, int]) -> Iterator[dict[str, Served]]:
    """The hub's doors with so many objects in each of these collections."""
    with _a_process(doors.serve, folder, dict(counts)) as at:
        bearer = f"Bearer {at['token']}"
        yield {name: Served("hub", at["port"], path, bearer) for name, path in at["urls"].items()}


@contextlib.contextmanager
def prebuilt(pages: list[Page], like: Served) -> Iterator[Served]:
    """The same HTTP server, with nothing behind it but these pages in memory."""
    answers = {
        page.path: (
            [(name.encode(), value.encode()) for name, value in page.headers.items() if name != "date"],
            page.body,
        )
        for page in pages
    }
    with _a_process(_serve_prebuilt, answers) as at:
        yield Served("prebuilt", at["port"], like.path, like.authorization)


@contextlib.contextmanager
def _a_process(work: Callable[..., None], *args: object) -> Iterator[dict[str, Any]]:
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=work, args=(*args, there))
    process.start()
    there.close()
    try:
        yield here.recv()
        here.send("stop")
    finally:
        here.close()
        process.join()


def _serve_prebuilt(answers: _Prebuilt, told: Connection) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            while (message := await receive())["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            await send({"type": f"{message['type']}.complete"})
            return
        headers, body = answers[f"{scope['path']}?{scope['query_string'].decode()}"]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    asyncio.run(doors.answer(app, told, {}))
