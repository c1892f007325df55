"""Look values up over HTTP, one by one and 10,000 at once, in a collection of so many things; and what /healthz takes.

    python -m tests.bench.looking_up [--objects 100000] [--json]

The server is real (on a free port of the loopback) in a process of its own; the client only counts. Two thirds of the
things are addresses, the others names, URLs, digests and, one in a hundred, networks of six widths; half of the values
asked for are known. Requests for /healthz and look-ups take turns, so that both meet the same machine. Exits with 1
when the p99 of a look-up is more than 5 times that of /healthz, or 10,000 values take longer than a second on a machine
that counts a million numbers in 50 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import http.client
import json
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlencode

from hub.cli import _YOUNG_OBJECTS
from hub.doors.http import make_app
from hub.doors.settings import DoorSettings
from hub.log.embedded import EmbeddedLog
from hub.model.claims import Change, View, digest_of
from hub.model.words import CanonicalKey, Seq, StixId
from hub.model.writes import Head, Writes
from hub.patterns import Observable, pattern_key, values_in
from hub.questions.naming import pattern_of
from hub.registry.centres import Terms
from hub.registry.service import Registry
from hub.store.sql import SqlStore
from hub.store.sqlite import open_sqlite
from tests.bench import doors
from tests.doors.hubs import doors_of

MOST_TIMES_HEALTHZ = 5
BULK = 10_000
BULK_WITHIN_S = 1.0
_COUNTED_S = 0.05
_STEP = 5_000
_SINGLES = 600
_WIDTHS = (8, 16, 20, 22, 24, 28)


def a_value(no: int) -> Observable:
    """The value of a thing; its number decides its kind."""
    quad = f"{no % 199 + 11}.{no >> 16 & 255}.{no >> 8 & 255}.{no & 255}"
    match no % 100:
        case 0:
            width = _WIDTHS[no // 100 % len(_WIDTHS)]
            number = int.from_bytes(bytes(map(int, quad.split(".")))) >> 32 - width << 32 - width
            return Observable("ipv4-addr", "value", f"{'.'.join(map(str, number.to_bytes(4)))}/{width}")
        case kind if kind < 66:
            return Observable("ipv4-addr", "value", quad)
        case kind if kind < 80:
            return Observable("domain-name", "value", f"c{no}.d{no % 5_000}.example")
        case kind if kind < 90:
            return Observable("url", "value", f"http://c{no}.d{no % 5_000}.example/{no}")
        case _:
            return Observable("file", "hashes.'SHA-256'", f"{no:064x}")


def a_step(log: int, head: Head, numbers: range) -> Writes:
    """What a worker would write for these things."""
    rows, views, values = list[Change](), list[View](), dict[CanonicalKey, Mapping[bytes, bool]]()
    for at, no in enumerate(numbers, 1):
        us = max(head.date_us, doors.START_US) + 20 * at
        pattern = pattern_of(a_value(no))
        thing = pattern_key("stix", pattern)
        stix_id = StixId(f"indicator--00000000-0000-5000-8000-{no:012x}")
        body = doors.an_indicator(no, us).replace(
            json.dumps(f"[ipv6-addr:value = '2001:db8::{no >> 16:x}:{no & 0xFFFF:x}']").encode(),
            json.dumps(pattern).encode(),
        )
        seq = Seq(head.seq + at)
        rows.append(Change(log, seq, stix_id, "indicator", False, us, us // 1000 * 1000, body))
        views.append(View(log, thing, stix_id, "indicator", 0, seq, True, digest_of(body), us, us, (), dated_us=us))
        if keys := values_in(pattern):
            values[thing] = keys
    views = list({view.thing: view for view in views}.values())  # a network comes several times
    return Writes(changes=rows, views=views, values=values, heads={log: Head(rows[-1].seq, rows[-1].date_added_us)})


async def fill(store: SqlStore, log: int, objects: int) -> None:
    """Write so many things to a collection."""
    for start in range(0, objects, _STEP):
        async with store.transaction() as tx:
            head = (await tx.heads([log]))[log]
            await tx.write(a_step(log, head, range(start, min(start + _STEP, objects))))


async def _serve(folder: Path, objects: int, told: Connection) -> None:
    store = await open_sqlite(folder / "hub.db", now_us=doors.START_US)
    log = await EmbeddedLog.open(folder / "log.db")
    registry = Registry(store.registry, now_us=lambda: doors.START_US)
    token = (await registry.centres.add("ro", Terms(country="RO"))).token
    await fill(store, (await registry.collections.find("community")).no, objects)
    app = make_app(await doors_of(store, log, registry, settings=DoorSettings(requests_per_s=0)))
    await doors.answer(app, told, {"token": token})
    await log.close()
    await store.close()


def serve(folder: str, objects: int, told: Connection) -> None:
    """The server's process, whose garbage collector runs as seldom as that of ``ctihub serve``."""
    gc.set_threshold(_YOUNG_OBJECTS, 10, 10)
    asyncio.run(_serve(Path(folder), objects, told))


def machine_factor() -> float:
    """How much slower this machine is than one that counts a million numbers in 50 ms."""
    times = []
    for _ in range(5):
        began, number = time.perf_counter(), 0
        for _ in range(1_000_000):
            number = number * 3 + 1 & 0xFFFF
        times.append(time.perf_counter() - began)
    return max(1.0, min(times) / _COUNTED_S)


class Client:
    """One connection; nothing is parsed but the number of lines."""

    def __init__(self, at: Mapping[str, Any]) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", at["port"])
        self._headers = {"Authorization": f"Bearer {at['token']}", "Content-Type": "text/plain"}

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[float, bytes]:
        """The time of an answer in seconds, and its body."""
        began = time.perf_counter()
        self._connection.request(method, path, body, self._headers)
        answer = self._connection.getresponse()
        found = answer.read()
        took = time.perf_counter() - began
        if answer.status != 200:
            raise RuntimeError(found.decode())
        return took, found


def p99(times: Sequence[float]) -> float:
    """The time that 99 in 100 do not exceed."""
    return statistics.quantiles(times, n=100)[98]


def measure(at: Mapping[str, Any], objects: int) -> dict[str, float]:
    """All figures."""
    rng, client = Random(1), Client(at)

    def values(count: int) -> list[str]:
        return [a_value(rng.randrange(2 * objects)).value for _ in range(count)]

    def single(value: str) -> float:
        return client.ask("GET", "/v1/lookup?" + urlencode({"value": value}))[0]

    for value in values(50):  # warm up
        single(value)
        client.ask("GET", "/healthz")
    alive, looked = [], []
    for value in values(_SINGLES):
        alive.append(client.ask("GET", "/healthz")[0])
        looked.append(single(value))
    bulks = []
    for _ in range(3):
        took, body = client.ask("POST", "/v1/lookup", "\n".join(values(BULK)).encode())
        if body.count(b"\n") != BULK or body.count(b'"state":"live"') < BULK // 4:
            raise RuntimeError("not all values were answered")
        bulks.append(took)
    factor = machine_factor()
    return {
        "things": objects,
        "machine factor": factor,
        "/healthz, median ms": 1_000 * statistics.median(alive),
        "/healthz, p99 ms": 1_000 * p99(alive),
        "a look-up, median ms": 1_000 * statistics.median(looked),
        "a look-up, p99 ms": 1_000 * p99(looked),
        "p99, times /healthz": p99(looked) / p99(alive),
        "10,000 values, s": statistics.median(bulks),
        "10,000 values, s for factor 1": statistics.median(bulks) / factor,
    }


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=100_000)
    parser.add_argument("--json", action="store_true")
    said = parser.parse_args()
    here, there = multiprocessing.Pipe()
    with tempfile.TemporaryDirectory() as folder:
        process = multiprocessing.get_context("spawn").Process(target=serve, args=(folder, said.objects, there))
        process.start()
        try:
            figures = measure(here.recv(), said.objects)
        finally:
            here.send("stop")
            process.join()
    if said.json:
        sys.stdout.write(json.dumps(figures) + "\n")
    else:
        for name, value in figures.items():
            sys.stdout.write(f"{name:32} {value:12,.2f}\n")
    is_fast = figures["p99, times /healthz"] <= MOST_TIMES_HEALTHZ
    return 0 if is_fast and figures["10,000 values, s for factor 1"] <= BULK_WITHIN_S else 1


if __name__ == "__main__":
    sys.exit(main())
