"""Read a collection over TAXII, by pages and in the middle of it: objects per second, and what depth and size cost.

    python -m tests.bench.doors [--objects 100000] [--json]

The server is real (on a free port of the loopback) in a process of its own; the client only counts. Prints
medians over three walks: pages of 1,000, at the beginning and at the end, of the whole and of a collection of a tenth
of it; an empty page; an export. Exits with 1 when pages come slower than they must, or the last cost twice the first.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import http.client
import json
import multiprocessing
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import orjson
from starlette.types import ASGIApp

from hub.doors.connections import ConnectionLimits
from hub.doors.http import make_app
from hub.doors.server import HttpServer
from hub.doors.settings import DoorSettings
from hub.log.embedded import EmbeddedLog
from hub.model.claims import Change
from hub.model.times import stix_time
from hub.model.words import Seq, StixId
from hub.model.writes import Head, Writes
from hub.registry.centres import Terms
from hub.registry.service import Registry
from hub.store.sqlite import SqliteStore, open_sqlite
from tests.doors.hubs import doors_of

MUST_REACH = 100_000
PAGE = 1_000
START_US = 1_767_225_600_000_000
_STEP = 5_000


def an_indicator(no: int, us: int) -> bytes:
    """The bytes of a view as a collection shows it, about 800 of them."""
    value = f"2001:db8::{no >> 16:x}:{no & 0xFFFF:x}"
    return orjson.dumps(
        {
            "type": "indicator",
            "spec_version": "2.1",
            "id": f"indicator--00000000-0000-5000-8000-{no:012x}",
            "created_by_ref": "identity--202f2497-003c-4892-b31c-7f3420171cba",
            "created": stix_time(us),
            "modified": stix_time(us),
            "name": f"ipv6-addr {value}",
            "pattern": f"[ipv6-addr:value = '{value}']",
            "pattern_type": "stix",
            "valid_from": stix_time(us),
            "confidence": no % 101,
            "object_marking_refs": ["marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"],
            "extensions": {
                "extension-definition--2c1f5a0e-6b1d-4c8e-9d57-0a7cf1c2e4b3": {
                    "extension_type": "property-extension",
                    "sources": [{"name": "ro", "first": stix_time(us), "last": stix_time(us)}],
                    "voices": 1,
                    "floor": "green",
                    "observables": [{"type": "ipv6-addr", "path": "value", "value": value}],
                }
            },
        }
    )


async def fill(store: SqliteStore, log: int, objects: int) -> None:
    """Append so many objects to a log, as the worker would."""
    for start in range(0, objects, _STEP):
        async with store.transaction() as tx:
            head = (await tx.heads([log]))[log]
            rows = []
            us = max(head.date_us, START_US)
            for no in range(start, min(start + _STEP, objects)):
                us += 20
                body = an_indicator(no, us)
                stix_id = StixId(f"indicator--00000000-0000-5000-8000-{no:012x}")
                seq = Seq(head.seq + 1 + no - start)
                rows.append(Change(log, seq, stix_id, "indicator", False, us, us // 1000 * 1000, body))
            await tx.write(Writes(changes=rows, heads={log: Head(rows[-1].seq, us)}))


async def _serve(folder: Path, counts: Mapping[str, int], told: Connection) -> None:
    store = await open_sqlite(folder / "hub.db", now_us=START_US)
    log = await EmbeddedLog.open(folder / "log.db")
    registry = Registry(store.registry, now_us=lambda: START_US)
    token = (await registry.centres.add("ro", Terms(country="RO"))).token
    urls = {}
    for name, count in counts.items():
        collection = await registry.collections.find(name)
        await fill(store, collection.no, count)
        urls[name] = f"/taxii2/root/collections/{collection.id}/objects/"
    app = make_app(await doors_of(store, log, registry, settings=DoorSettings()))
    await answer(app, told, {"token": token, "urls": urls})
    await log.close()
    await store.close()


async def answer(app: ASGIApp, told: Connection, said: Mapping[str, object]) -> None:
    """Serve an application as the hub does, on a free port, and say so with the port, until told to stop."""
    listening = socket.socket(proto=socket.IPPROTO_TCP)  # asyncio sets TCP_NODELAY only where it sees this
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    server = HttpServer(app, listening, limits=ConnectionLimits())
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.run())
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
        gc.freeze()
        told.send({"port": listening.getsockname()[1], **said})
        await asyncio.to_thread(told.recv)
        server.stop()


def serve(folder: str, counts: Mapping[str, int], told: Connection) -> None:
    """The server's process: so many objects in each of these collections."""
    asyncio.run(_serve(Path(folder), counts, told))


class Client:
    """Reads pages over one connection, parsing nothing but the head of each."""

    def __init__(self, at: dict[str, Any]) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", at["port"])
        self._headers = {"Authorization": f"Bearer {at['token']}", "Accept": "application/taxii+json;version=2.1"}

    def get(self, path: str) -> tuple[float, bytes]:
        """The time of an answer in seconds, and its body."""
        began = time.perf_counter()
        self._connection.request("GET", path, headers=self._headers)
        body = self._connection.getresponse().read()
        return time.perf_counter() - began, body

    def walk(self, url: str) -> list[float]:
        """The times of all pages of a collection."""
        times = []
        path = f"{url}?limit={PAGE}"
        while True:
            took, body = self.get(path)
            times.append(took)
            head = body[:2_000]
            if b'"next":"' not in head:
                return times
            following = head.split(b'"next":"', 1)[1].split(b'"', 1)[0].decode()
            path = f"{url}?limit={PAGE}&next={following}"


def measure(at: dict[str, Any]) -> dict[str, float]:
    """All figures; the last page of a walk, which is not full, aside."""
    client = Client(at)
    client.walk(at["urls"]["public"])  # warm up
    walks = [client.walk(at["urls"]["community"]) for _ in range(3)]
    whole = [took for walk in walks for took in walk[:-1]]
    small = client.walk(at["urls"]["public"])
    tenth = max(1, len(walks[0]) // 10)
    exports = [client.get("/v1/collections/public/export.txt")[0] for _ in range(3)]
    empty = [client.get(at["urls"]["community"] + "?added_after=2100-01-01T00:00:00Z")[0] for _ in range(20)]
    return {
        "objects/s": PAGE / statistics.median(whole),
        "page ms": 1_000 * statistics.median(whole),
        "first pages ms": 1_000 * statistics.median([took for walk in walks for took in walk[:tenth]]),
        "last pages ms": 1_000 * statistics.median([took for walk in walks for took in walk[-tenth - 1 : -1]]),
        "page of a tenth of the collection ms": 1_000 * statistics.median(small),
        "empty page ms": 1_000 * statistics.median(empty),
        "export of a tenth, values/s": (len(small) * PAGE) / statistics.median(exports),
    }


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=100_000)
    parser.add_argument("--json", action="store_true")
    said = parser.parse_args()
    here, there = multiprocessing.Pipe()
    counts = {"community": said.objects, "public": said.objects // 10}
    with tempfile.TemporaryDirectory() as folder:
        process = multiprocessing.get_context("spawn").Process(target=serve, args=(folder, counts, there))
        process.start()
        figures = measure(here.recv())
        here.send("stop")
        process.join()
    if said.json:
        sys.stdout.write(json.dumps(figures) + "\n")
    else:
        for name, value in figures.items():
            sys.stdout.write(f"{name:40} {value:12,.1f}\n")
    reached = figures["objects/s"] >= MUST_REACH and figures["last pages ms"] <= 2 * figures["first pages ms"]
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
