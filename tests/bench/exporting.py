"""Lists for products, against the hub's own server with the same bytes prebuilt, in turn and in one run.

    python -m tests.bench.exporting [--objects 100000] [--rounds 3] [--json]

A list is kept until the collection changes, and of its lines those that have not changed. Measured are the first list
of a process, the list after one new object and after new versions of a hundred, the same list again, the answer to
``If-None-Match``, and the peak of the memory of a long list against that of one with a tenth of its values. Exits with
1 when a figure misses what it must reach.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import itertools
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from hub.model.claims import Change
from hub.model.words import Seq, StixId
from hub.model.writes import Head, Writes
from hub.registry.service import Registry
from hub.store.sqlite import open_sqlite
from tests.bench import taxii_servers
from tests.bench.doors import START_US, an_indicator
from tests.bench.taxii_client import Page, Served
from tests.bench.taxii_figures import Figure, Figures

FORMATS = ("txt", "csv", "jsonl", "stix.jsonl")
_ASKED = 20
_CHANGED = 100


class Reader:
    """Reads lists of one server over one connection."""

    def __init__(self, served: Served) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=3_600)
        self._headers = {"Authorization": served.authorization}

    def get(self, path: str, etag: str | None = None) -> Page:
        """A list, or the answer that it has not changed."""
        headers = self._headers if etag is None else {**self._headers, "If-None-Match": etag}
        began = time.perf_counter()
        self._connection.request("GET", path, headers=headers)
        answer = self._connection.getresponse()
        body = answer.read()
        took_s = time.perf_counter() - began
        if answer.status != (200 if etag is None else 304):
            raise RuntimeError(f"{answer.status} to {path}: {body[:500]!r}")
        return Page(took_s, path, {name.lower(): value for name, value in answer.getheaders()}, body)


def path_of(collection: str, format: str) -> str:
    """The whole list; prebuilt answers have a query."""
    return f"/v1/collections/{collection}/export.{format}?min_confidence=0"


class Changing:
    """Writes to the large collection in the store of the server, as a worker of another process does."""

    def __init__(self, folder: Path, objects: int) -> None:
        """``objects``: how many the collection has, in its first rows."""
        self._path = folder / "hub.db"
        self._objects = objects
        self._new = itertools.count(1 << 30)
        self._changed = itertools.count()

    def add_one(self) -> None:
        """Add an object."""
        asyncio.run(self._write({next(self._new): None}))

    def change_some(self) -> None:
        """Add a version of objects all over the collection."""
        start = next(self._changed)
        some = range(start, self._objects, self._objects // _CHANGED)
        asyncio.run(self._write({no: Seq(no + 1) for no in some[:_CHANGED]}))

    async def _write(self, before: Mapping[int, Seq | None]) -> None:
        """Write a version of each of these objects, with the row that has the previous one."""
        store = await open_sqlite(self._path, now_us=START_US)
        log = (await Registry(store.registry, now_us=lambda: START_US).collections.find("community")).no
        async with store.transaction() as tx:
            head = (await tx.heads([log]))[log]
            us, rows = head.date_us + 1_000, list[Change]()
            for seq, (no, row) in enumerate(before.items(), head.seq + 1):
                stix_id = StixId(f"indicator--00000000-0000-5000-8000-{no:012x}")
                version_us, body = us // 1000 * 1000, an_indicator(no, us)
                rows.append(
                    Change(
                        log, Seq(seq), stix_id, "indicator", False, us, version_us, body, first=row is None, before=row
                    )
                )
                us += 20
            await tx.write(Writes(changes=rows, heads={log: Head(rows[-1].seq, us)}))
        await store.close()


def measure(figures: Figures, objects: int, rounds: int) -> None:
    """All figures."""
    with (
        tempfile.TemporaryDirectory(prefix="ctihub-bench-") as folder,
        taxii_servers.hub(folder, {"community": objects, "public": objects // 10}) as here,
    ):
        [process] = multiprocessing.active_children()
        changing = Changing(Path(folder), objects)
        reader = Reader(here["community"])
        reader.get("/healthz")
        _measure_memory(figures, reader, process.pid or 0)
        for format in FORMATS:
            _measure_format(figures, reader, here["community"], format=format, changing=changing, rounds=rounds)


def _measure_memory(figures: Figures, reader: Reader, pid: int) -> None:
    peaks, pages = [], dict[str, Page]()
    for collection in ("public", "community"):
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak begins again
        pages = {format: reader.get(path_of(collection, format)) for format in FORMATS}
        peaks.append(_peak_mb(pid))
    figures.say("the first lists of a process")
    for format, page in pages.items():
        figures.add(Figure(f"export.{format}, µs a line", 1e6 * page.took_s / int(page.headers["x-ctihub-lines"])))
    figures.add(Figure("peak of the memory for a tenth of the values, MB", peaks[0]))
    figures.add(Figure("peak of the memory for all, MB", peaks[1]))
    figures.add(Figure("peak for all / for a tenth", peaks[1] / peaks[0], most=1.25))


def _measure_format(
    figures: Figures, reader: Reader, like: Served, *, format: str, changing: Changing, rounds: int
) -> None:
    path = path_of("community", format)
    page = reader.get(path)
    added, changed, again, limit, unchanged = [], [], [], [], []
    with taxii_servers.prebuilt([page], like) as served:
        prebuilt = Reader(served)
        for _ in range(rounds):
            changing.change_some()
            changed.append(reader.get(path).took_s)
            changing.add_one()
            page = reader.get(path)
            added.append(page.took_s)
            again += [reader.get(path).took_s for _ in range(3)]
            limit += [prebuilt.get(path).took_s for _ in range(3)]
            unchanged += [reader.get(path, page.headers["etag"]).took_s for _ in range(_ASKED)]
    prebuilt_s = statistics.median(limit)
    figures.say(f"export.{format} of {int(page.headers['x-ctihub-lines']):,} lines, {len(page.body) / 1e6:,.1f} MB")
    figures.add(Figure("prebuilt bytes, ms", 1_000 * prebuilt_s))
    figures.add(Figure("after a change, ms", 1_000 * statistics.median(added)))
    figures.add(Figure(f"after {_CHANGED} objects have changed, ms", 1_000 * statistics.median(changed)))
    figures.add(Figure("rate / that of prebuilt, after a change", prebuilt_s / statistics.median(added), 1 / 10))
    figures.add(Figure("rate / that of prebuilt, again", prebuilt_s / statistics.median(again), 1 / 10))
    figures.add(Figure("If-None-Match, ms", 1_000 * statistics.median(unchanged)))


def _peak_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1_000 for line in lines if line.startswith("VmHWM"))


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    said = parser.parse_args()
    figures = Figures(as_json=said.json)
    measure(figures, said.objects, said.rounds)
    return figures.end()


if __name__ == "__main__":
    sys.exit(main())
