"""A TAXII client that only counts, for all servers of ``tests.bench.taxii``; several of them as processes of their own.

    python -m tests.bench.taxii_client

As a process it reads on standard input, a JSON document a line: what to pull, when to start, and, if it follows a
collection, when to stop. It imports no part of the hub, so that many start quickly.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from urllib.parse import quote

ACCEPT = "application/taxii+json;version=2.1"
_NEXT = re.compile(rb'"next": ?"([^"]+)"')
_HEAD_BYTES = 2_000
"""``next`` is within so many bytes from one of the ends of a page."""


@dataclass(frozen=True, slots=True)
class Served:
    """A collection of a server on the loopback."""

    name: str
    port: int
    path: str
    """The path of its objects."""
    authorization: str


@dataclass(frozen=True, slots=True)
class Page:
    """An answer, and how long it took from the request to its last byte."""

    took_s: float
    path: str
    headers: Mapping[str, str]
    body: bytes


class Puller:
    """Reads one collection over one connection, parsing nothing but the ends of each page."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self._connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=600)
        self._headers = {"Authorization": served.authorization, "Accept": ACCEPT}

    def __enter__(self) -> Puller:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def get(self, query: str) -> Page:
        """One page."""
        path = f"{self._served.path}?{query}"
        began = time.perf_counter()
        self._connection.request("GET", path, headers=self._headers)
        answer = self._connection.getresponse()
        body = answer.read()
        took_s = time.perf_counter() - began
        if answer.status != 200:
            raise RuntimeError(f"{self._served.name}: {answer.status} to {path}: {body[:500]!r}")
        return Page(took_s, path, {name.lower(): value for name, value in answer.getheaders()}, body)

    def post(self, body: bytes) -> tuple[float, int, bytes]:
        """Add an envelope; returns the time in seconds, the status and the answer."""
        began = time.perf_counter()
        self._connection.request("POST", self._served.path, body, {**self._headers, "Content-Type": ACCEPT})
        answer = self._connection.getresponse()
        told = answer.read()
        return time.perf_counter() - began, answer.status, told

    def pages(self, limit: int, query: str = "") -> Iterator[Page]:
        """All pages from the beginning; ``query`` is repeated next to each ``next``."""
        asked = f"limit={limit}{query and '&' + query}"
        following = asked
        while True:
            page = self.get(following)
            yield page
            found = _NEXT.search(page.body[:_HEAD_BYTES]) or _NEXT.search(page.body[-_HEAD_BYTES:])
            if found is None:
                return
            following = f"{asked}&next={quote(found[1].decode(), safe='')}"


def pulled_together(served: Served, pullers: int, limit: int, queries: Sequence[str], pages: int) -> list[float]:
    """The seconds of each page that so many processes pull at once, ``pages`` each, with queries of their own."""
    with contextlib.ExitStack() as stack:
        told = [
            {"served": asdict(served), "limit": limit, "pages": pages, "query": queries[number % len(queries)]}
            for number in range(pullers)
        ]
        started = [stack.enter_context(_a_process(one)) for one in told]
        for process in started:
            _tell(process, "start")
        return [took_s for process in started for took_s in json.loads(_read(process))]


@contextlib.contextmanager
def following(served: Served, pullers: int, limit: int, pause_s: float) -> Iterator[list[int]]:
    """So many pullers, in one process, follow a collection for a block, each with a pause after each page. Gives a list
    that has the number of their pages after the block.
    """
    pages: list[int] = []
    told = {"served": asdict(served), "limit": limit, "pullers": pullers, "pause_s": pause_s}
    with _a_process(told) as process:
        _tell(process, "start")
        yield pages
        _tell(process, "stop")
        pages.append(json.loads(_read(process)))


@contextlib.contextmanager
def _a_process(told: Mapping[str, object]) -> Iterator[subprocess.Popen[str]]:
    """A process that is ready to do what it is told."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.taxii_client"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        _tell(process, told)
        _read(process)
        yield process
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def _tell(process: subprocess.Popen[str], said: object) -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps(said) + "\n")
    process.stdin.flush()


def _read(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError("a puller has failed")
    return line


def main() -> int:
    """Pull as told."""
    said = json.loads(sys.stdin.readline())
    served = Served(**said.pop("served"))
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(_follow(served, **said) if "pullers" in said else _pull(served, **said)), flush=True)
    return 0


def _pull(served: Served, limit: int, query: str, pages: int) -> list[float]:
    """The seconds of so many pages."""
    times: list[float] = []
    with Puller(served) as puller:
        puller.get("limit=1")
        while len(times) < pages:
            for page in puller.pages(limit, query):
                times.append(page.took_s)
                if len(times) == pages:
                    break
    return times


def _follow(served: Served, limit: int, pullers: int, pause_s: float) -> int:
    """The number of pages until the next line of the standard input."""
    stop = threading.Event()

    def one() -> int:
        count, query = 0, ""
        with Puller(served) as puller:
            while not stop.is_set():
                for page in puller.pages(limit, query):
                    count += 1
                    query = f"added_after={page.headers['x-taxii-date-added-last']}"
                    if stop.wait(pause_s):
                        break
        return count

    with ThreadPoolExecutor(pullers) as threads:
        counts = [threads.submit(one) for _ in range(pullers)]
        sys.stdin.readline()
        stop.set()
        return sum(count.result() for count in counts)


if __name__ == "__main__":
    sys.exit(main())
