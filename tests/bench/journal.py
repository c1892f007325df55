"""What the journal of reads costs: the same pages with and without it, in turns.

    python -m tests.bench.journal [--objects 20000] [--processes 5] [--rounds 8] [--json]

One application serves both: a header of the request says whether it goes through the middleware that enters reads, or
through the one that only counts them. Two applications differ by more than the journal costs, since their memory is
laid out otherwise. Even in one application the cost depends on that, so several processes are started one after the
other. The cost is the processor time of the process, since other programs on the machine disturb it less than the time
of the clock, which is printed too. After each turn there is a pause that is counted, so that what is written once a
second belongs to its turn. Exits with 1 when reading takes more than it may.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import http.client
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any, cast

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub.doors.context import Doors
from hub.doors.http import make_app
from hub.doors.metrics import note_answer
from hub.doors.recorded import Recorded
from hub.doors.settings import DoorSettings
from hub.log.embedded import EmbeddedLog
from hub.registry.centres import Terms
from hub.registry.service import Registry
from hub.store.sqlite import open_sqlite
from tests.bench.doors import START_US, answer, fill
from tests.bench.taxii_figures import Figure, Figures
from tests.doors.hubs import doors_of

MAY_COST = 0.03
_CONNECTIONS = 4
_PAUSE_S = 1.2
"""The journal is written within a second."""
_HEADER = "X-Journaled"
_WITHOUT = (_HEADER.lower().encode(), b"0")
_PARTS: tuple[tuple[str, str, int], ...] = (
    ("pages of 1,000, read for the first time", "{objects}?limit=1000&added_after={time}", 240),
    ("pages of 1,000, kept", "{objects}?limit=1000", 1_200),
    ("pages of 10, kept", "{objects}?limit=10", 2_000),
    ("lists that have not changed (304)", "/v1/collections/public/export.txt", 800),
)
"""What is read, and how many answers in one turn, which takes about a second."""


class _Metered:
    """What the middleware would be without a journal."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        began_s = time.perf_counter()

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                note_answer(getattr(scope.get("route"), "path", ""), message["status"], time.perf_counter() - began_s)
            await send(message)

        await self._app(scope, receive, noting)


class _Either:
    """The middleware with the journal, and for requests that say so the one without it."""

    def __init__(self, app: ASGIApp, **settings: Any) -> None:
        self._without, self._having = _Metered(app), Recorded(app, **settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        is_without = scope["type"] == "http" and _WITHOUT in scope["headers"]
        await (self._without if is_without else self._having)(scope, receive, send)


def _app_of(doors: Doors) -> FastAPI:
    app = make_app(doors)
    (place,) = (no for no, one in enumerate(app.user_middleware) if cast("Any", one.cls) is Recorded)
    app.user_middleware[place] = Middleware(cast("Any", _Either), **app.user_middleware[place].kwargs)
    return app


async def _serve(folder: Path, objects: int, told: Connection) -> None:
    store = await open_sqlite(folder / "hub.db", now_us=START_US)
    log = await EmbeddedLog.open(folder / "log.db")
    registry = Registry(store.registry, now_us=lambda: START_US)
    token = (await registry.centres.add("ro", Terms(country="RO"))).token
    collection = await registry.collections.find("public")
    await fill(store, collection.no, objects)
    said = {"token": token, "objects": f"/taxii2/root/collections/{collection.id}/objects/"}
    await answer(_app_of(await doors_of(store, log, registry, settings=DoorSettings(requests_per_s=0))), told, said)
    await log.close()
    await store.close()


def serve(folder: str, objects: int, told: Connection) -> None:
    """The process of the server."""
    gc.set_threshold(10_000, 10, 10)  # as the command does
    asyncio.run(_serve(Path(folder), objects, told))


@dataclass(frozen=True, slots=True)
class Turn:
    """What so many answers have taken, in seconds."""

    took_s: float
    processor_s: float
    """Of the server, in all its threads, with the pause after it."""


class Reader:
    """Reads one path again and again, over several connections."""

    def __init__(self, at: Mapping[str, Any], pid: int, *, is_journaled: bool) -> None:
        self._at = at
        self._header = "1" if is_journaled else "0"
        self._tasks = Path(f"/proc/{pid}/task")
        self._etag = ""
        self._count = 0

    def turn(self, path: str, answers: int, *, pool: ThreadPoolExecutor) -> Turn:
        """Read so many answers, and pause."""
        each = [answers // _CONNECTIONS] * _CONNECTIONS
        processor_s, began_s = self._processor_s(), time.perf_counter()
        list(pool.map(lambda count: self._read(path, count), each))
        took_s = time.perf_counter() - began_s
        time.sleep(_PAUSE_S)
        return Turn(took_s, self._processor_s() - processor_s)

    def _processor_s(self) -> float:
        return sum(int((one / "schedstat").read_text("ascii").split()[0]) for one in self._tasks.iterdir()) / 1e9

    def _read(self, path: str, answers: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._at["port"])
        headers = {"Authorization": f"Bearer {self._at['token']}", "User-Agent": "bench/1.0"}
        headers[_HEADER] = self._header
        for _ in range(answers):
            self._count += 1
            # a time that nobody has asked for, so that the page is not kept
            stamp = f"2020-01-01T00:00:00.{self._count % 1_000_000:06d}Z"
            if self._etag and "export" in path:
                headers["If-None-Match"] = self._etag
            connection.request("GET", path.format(objects=self._at["objects"], time=stamp), headers=headers)
            found = connection.getresponse()
            found.read()
            assert found.status in (200, 304), found.status
            self._etag = found.headers.get("ETag", "") if "export" in path else ""
        connection.close()


@contextlib.contextmanager
def _served(objects: int) -> Iterator[tuple[Reader, Reader]]:
    here, there = multiprocessing.Pipe()
    with tempfile.TemporaryDirectory() as folder:
        process = multiprocessing.get_context("spawn").Process(target=serve, args=(folder, objects, there))
        process.start()
        try:
            at = here.recv()
            yield (
                Reader(at, process.pid or 0, is_journaled=False),
                Reader(at, process.pid or 0, is_journaled=True),
            )
        finally:
            here.send("stop")
            process.join()


_Pair = tuple[Turn, Turn]
"""Without the journal, and with it."""


def _pairs(objects: int, rounds: int, pool: ThreadPoolExecutor) -> Iterator[list[_Pair]]:
    """Each part by one process in turns: without, with, with, without, and so on."""
    with _served(objects) as readers:
        for _, path, answers in _PARTS:
            for reader in readers:
                reader.turn(path, answers, pool=pool)  # warm up
            pairs = []
            for no in range(rounds):
                turns = {which: readers[which].turn(path, answers, pool=pool) for which in (no % 2, 1 - no % 2)}
                pairs.append((turns[0], turns[1]))
            yield pairs


def measure(figures: Figures, objects: int, processes: int, rounds: int) -> None:
    """All parts, ``rounds`` times by each process."""
    with ThreadPoolExecutor(_CONNECTIONS) as pool:
        by_process = [list(_pairs(objects, rounds, pool)) for _ in range(processes)]
    for (name, _, answers), of_part in zip(_PARTS, zip(*by_process, strict=True), strict=True):
        figures.say(name)
        pairs = [pair for some in of_part for pair in some]
        for which, said in enumerate(("without", "with")):
            figures.add(Figure(f"answers/s {said}", answers / median(pair[which].took_s for pair in pairs)))
            each_us = median(pair[which].processor_s for pair in pairs) / answers * 1e6
            figures.add(Figure(f"processor time of an answer {said} (microseconds)", each_us))
        figures.add(Figure("slower by the clock (share)", median(b.took_s / a.took_s for a, b in pairs) - 1))
        of_processes = [_cost(some) for some in of_part]
        figures.add(Figure("more processor time, in the process with the least (share)", min(of_processes)))
        figures.add(Figure("more processor time, in the process with the most (share)", max(of_processes)))
        figures.add(Figure("more processor time (share)", _cost(pairs), most=MAY_COST))


def _cost(pairs: Iterable[_Pair]) -> float:
    return median(having.processor_s / without.processor_s for without, having in pairs) - 1


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=20_000)
    parser.add_argument("--processes", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--json", action="store_true")
    said = parser.parse_args()
    figures = Figures(as_json=said.json)
    measure(figures, said.objects, said.processes, said.rounds)
    return figures.end()


if __name__ == "__main__":
    sys.exit(main())
