"""What the journal of reads costs: the same pages with and without it, in turns, in one run.

    python -m tests.bench.journal [--objects 20000] [--rounds 40] [--json]

Two servers in processes of their own, each with the same collection; one client reads from both in turns, over several
connections at once. The processor time of the servers is printed too: other programs on the machine disturb it less.
Exits with 1 when reading is slower by more than it may.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import http.client
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from hub.doors.http import make_app
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
_PARTS: tuple[tuple[str, str, int], ...] = (
    ("pages of 1,000, read for the first time", "{objects}?limit=1000&added_after={time}", 24),
    ("pages of 1,000, kept", "{objects}?limit=1000", 200),
    ("pages of 10, kept", "{objects}?limit=10", 800),
    ("lists that have not changed (304)", "/v1/collections/public/export.txt", 240),
)
"""What is read, and how many answers in one turn."""


async def _serve(folder: Path, objects: int, journals: bool, told: Connection) -> None:
    store = await open_sqlite(folder / "hub.db", now_us=START_US)
    log = await EmbeddedLog.open(folder / "log.db")
    registry = Registry(store.registry, now_us=lambda: START_US)
    token = (await registry.centres.add("ro", Terms(country="RO"))).token
    collection = await registry.collections.find("public")
    await fill(store, collection.no, objects)
    settings = DoorSettings(requests_per_s=0, journals=journals)
    app = make_app(await doors_of(store, log, registry, settings=settings))
    await answer(app, told, {"token": token, "objects": f"/taxii2/root/collections/{collection.id}/objects/"})
    await log.close()
    await store.close()


def serve(folder: str, objects: int, journals: bool, told: Connection) -> None:
    """The process of one server."""
    asyncio.run(_serve(Path(folder), objects, journals, told))


class Reader:
    """Reads one path again and again, over several connections."""

    def __init__(self, at: Mapping[str, Any], pid: int) -> None:
        self._at = at
        self._pid = pid
        self._etag = ""
        self._count = 0

    def processor_s(self) -> float:
        """The processor time that the server has taken so far, in seconds."""
        fields = Path(f"/proc/{self._pid}/stat").read_text("ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def turn(self, path: str, answers: int, *, pool: ThreadPoolExecutor) -> float:
        """The time of so many answers, in seconds."""
        each = [answers // _CONNECTIONS] * _CONNECTIONS
        began = time.perf_counter()
        list(pool.map(lambda count: self._read(path, count), each))
        return time.perf_counter() - began

    def _read(self, path: str, answers: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._at["port"])
        headers = {"Authorization": f"Bearer {self._at['token']}", "User-Agent": "bench/1.0"}
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
def _served(objects: int, journals: bool) -> Iterator[Reader]:
    here, there = multiprocessing.Pipe()
    with tempfile.TemporaryDirectory() as folder:
        process = multiprocessing.get_context("spawn").Process(target=serve, args=(folder, objects, journals, there))
        process.start()
        try:
            yield Reader(here.recv(), process.pid or 0)
        finally:
            here.send("stop")
            process.join()


def measure(figures: Figures, objects: int, rounds: int) -> None:
    """All parts, each in turns: without, with, with, without, and so on."""
    with _served(objects, False) as without, _served(objects, True) as having, ThreadPoolExecutor(_CONNECTIONS) as pool:
        for name, path, answers in _PARTS:
            figures.say(name)
            turns: Sequence[Callable[[], float]] = [
                lambda reader=reader, path=path, answers=answers: reader.turn(path, answers, pool=pool)  # type: ignore[misc]
                for reader in (without, having)
            ]
            for turn in turns:
                turn()  # warm up
            before = [reader.processor_s() for reader in (without, having)]
            pairs = [_pair(turns, first=no % 2) for no in range(rounds)]
            figures.add(Figure("answers/s without", answers / statistics.median(pair[0] for pair in pairs)))
            figures.add(Figure("answers/s with", answers / statistics.median(pair[1] for pair in pairs)))
            took = [reader.processor_s() - was for reader, was in zip((without, having), before, strict=True)]
            figures.add(Figure("more processor time of the server (share)", took[1] / took[0] - 1))
            cost = statistics.median(pair[1] / pair[0] for pair in pairs) - 1
            figures.add(Figure("slower by (share)", cost, most=MAY_COST))


def _pair(turns: Sequence[Callable[[], float]], *, first: int) -> tuple[float, float]:
    times = [0.0, 0.0]
    for which in (first, 1 - first):
        times[which] = turns[which]()
    return times[0], times[1]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--json", action="store_true")
    said = parser.parse_args()
    figures = Figures(as_json=said.json)
    measure(figures, said.objects, said.rounds)
    return figures.end()


if __name__ == "__main__":
    sys.exit(main())
