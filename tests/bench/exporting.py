"""Lists for products, against the hub's own server with the same bytes prebuilt, in turn and in one run.

    python -m tests.bench.exporting [--objects 100000] [--rounds 3] [--json]

A list is made when the collection has changed, and kept until it changes again: both are measured, the answer to
``If-None-Match``, and the peak of the memory of a long list against that of one with a tenth of its values. Exits with
1 when a figure misses what it must reach.
"""

from __future__ import annotations

import argparse
import http.client
import multiprocessing
import statistics
import sys
import tempfile
import time
from pathlib import Path

from tests.bench import taxii_servers
from tests.bench.taxii_client import Page, Served
from tests.bench.taxii_figures import Figure, Figures

FORMATS = ("txt", "csv", "jsonl", "stix.jsonl")
_ASKED = 20


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


def path_of(collection: str, format: str, round_no: int) -> str:
    """A question with the whole list as its answer that was not asked before; prebuilt answers have a query too."""
    return f"/v1/collections/{collection}/export.{format}?since=2000-01-01T00:00:{round_no:02}Z"


def measure(figures: Figures, objects: int, rounds: int) -> None:
    """All figures."""
    with (
        tempfile.TemporaryDirectory(prefix="ctihub-bench-") as folder,
        taxii_servers.hub(folder, {"community": objects, "public": objects // 10}) as here,
    ):
        [process] = multiprocessing.active_children()
        reader = Reader(here["community"])
        reader.get("/healthz")
        for format in FORMATS:
            _measure_format(figures, reader, here["community"], format, rounds)
        _measure_memory(figures, reader, process.pid or 0, rounds)


def _measure_format(figures: Figures, reader: Reader, like: Served, format: str, rounds: int) -> None:
    made, again, limit, unchanged = [], [], [], []
    with taxii_servers.prebuilt([reader.get(path_of("community", format, 59))], like) as served:
        prebuilt = Reader(served)
        for round_no in range(rounds):
            first = reader.get(path_of("community", format, round_no))
            made.append(first.took_s)
            again += [reader.get(first.path).took_s for _ in range(3)]
            limit += [prebuilt.get(path_of("community", format, 59)).took_s for _ in range(3)]
            unchanged += [reader.get(first.path, first.headers["etag"]).took_s for _ in range(_ASKED)]
    lines = int(first.headers["x-ctihub-lines"])
    prebuilt_s = statistics.median(limit)
    figures.say(f"export.{format} of {lines:,} lines, {len(first.body) / 1e6:,.1f} MB")
    figures.add(Figure("prebuilt bytes, ms", 1_000 * prebuilt_s))
    figures.add(Figure("made, µs a line", 1e6 * statistics.median(made) / lines))
    figures.add(Figure("rate / that of prebuilt bytes, made", prebuilt_s / statistics.median(made)))
    figures.add(Figure("rate / that of prebuilt bytes, again", prebuilt_s / statistics.median(again), least=1 / 10))
    figures.add(Figure("If-None-Match, ms", 1_000 * statistics.median(unchanged)))


def _measure_memory(figures: Figures, reader: Reader, pid: int, rounds: int) -> None:
    peaks = []
    for collection in ("public", "community"):
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak begins again
        for format in FORMATS:
            reader.get(path_of(collection, format, 30 + rounds))
        peaks.append(_peak_mb(pid))
    figures.say("memory of the process while lists are made")
    figures.add(Figure("peak for a tenth of the values, MB", peaks[0]))
    figures.add(Figure("peak for all, MB", peaks[1]))
    figures.add(Figure("peak for all / for a tenth", peaks[1] / peaks[0], most=1.25))


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
