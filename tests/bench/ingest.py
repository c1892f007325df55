"""End to end, durable: from the first byte pushed until the last object can be read on every door.

    python -m tests.bench.ingest [--objects 100000] [--centres 3] [--repeat 3]

A rate is objects by wall clock time; the hub is pinned to one core (doors and worker together), the pushing client has
the other. The first and the last tenth are timed apart: cost must stay flat as the store grows.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from connectors.sdk.client import HubClient
from tests.running import RunningHub
from tests.synthetic import indicators

CENTRES = ("ro", "it", "pl")
_BATCH = 1_000
_LOOK_AT_MEMORY_EVERY_S = 0.1
LEAST_RATE = 3_000
"""For up to 100,000 objects; of more it is the curve that counts."""
LEAST_FLAT = 0.8
MOST_MB = 500
LOOK_EVERY_S = 1.0
"""So often the hub is asked how far it is: an answer costs the doors as much as several objects."""
LOOK_LAST_S = 0.1
"""At the end, whose moment is half of the figure."""


@dataclass(frozen=True, slots=True)
class Run:
    """What one run came to."""

    rate: float
    """Objects per second, over all."""
    flat: float
    """The rate of the last tenth over that of the first."""
    peak_mb: float
    doors_s: float
    worker_s: float
    """Processor time of the two processes."""


def main(argv: Sequence[str] | None = None) -> int:
    """Print the median of some runs; 1 when it is not enough."""
    said = argparse.ArgumentParser()
    said.add_argument("--objects", type=int, default=100_000)
    said.add_argument("--repeat", type=int, default=3)
    said.add_argument("--both-cores", action="store_true", help="do not pin the hub to one core")
    options = said.parse_args(argv)
    runs = [run(options.objects, pin=not options.both_cores) for _ in range(options.repeat)]
    cores = "two cores, shared with the client" if options.both_cores else "one core"
    middle = {name: statistics.median(getattr(each, name) for each in runs) for name in Run.__slots__}
    print(
        f"ingest, embedded, {options.objects:,} objects, hub on {cores}: {middle['rate']:,.0f} objects/s "
        f"(runs: {', '.join(f'{each.rate:,.0f}' for each in runs)}); last tenth / first tenth {middle['flat']:.2f}; "
        f"peak memory {middle['peak_mb']:,.0f} MB; processor time {middle['doors_s']:.1f} s doors, "
        f"{middle['worker_s']:.1f} s worker"
    )
    fast = middle["rate"] >= LEAST_RATE or options.objects > 100_000
    return 0 if fast and middle["flat"] >= LEAST_FLAT and middle["peak_mb"] < MOST_MB else 1


def run(objects: int, *, pin: bool, environment: dict[str, str] | None = None) -> Run:
    """Push ``objects`` into a fresh hub and see them through."""
    lines, truth = indicators(objects, centres=len(CENTRES))
    everywhere = os.sched_getaffinity(0)
    with tempfile.TemporaryDirectory(prefix="ctihub-bench-") as folder:
        hub = RunningHub(Path(folder), dict(environment or {}))
        hub.register(CENTRES)
        if pin:
            os.sched_setaffinity(0, {min(everywhere)})  # what is started now inherits it
        hub.start()
        if pin:
            os.sched_setaffinity(0, everywhere - {min(everywhere)} or everywhere)
        try:
            watch = _Watch(hub, objects)
            started = time.monotonic()
            _push(hub, lines)
            curve = watch.until_done()
            peak_mb, doors_s, worker_s = watch.stop()
            _ensure(hub, truth.live)
        finally:
            hub.stop()
            os.sched_setaffinity(0, everywhere)
    tenth = objects / 10
    first_s = _when(curve, tenth) - started
    last_s = _when(curve, objects) - _when(curve, objects - tenth)
    return Run(objects / (curve[-1][0] - started), first_s / last_s, peak_mb, doors_s, worker_s)


def _when(curve: Sequence[tuple[float, int]], done: float) -> float:
    """When so many objects were done, between the two looks around it."""
    before = curve[0]
    for at in curve:
        if at[1] >= done:
            share = (done - before[1]) / max(at[1] - before[1], 1)
            return before[0] + share * (at[0] - before[0])
        before = at
    return curve[-1][0]


def _push(hub: RunningHub, lines: list[list[bytes]]) -> None:
    """Push everything as connectors do, which wait for the acknowledgement and not for the verdicts."""
    clients = {name: hub.client(name) for name in CENTRES}
    for i in range(0, max(map(len, lines)), _BATCH):
        for name, some in zip(CENTRES, lines, strict=True):
            if some[i : i + _BATCH]:
                clients[name].push(some[i : i + _BATCH])
    for client in clients.values():
        client.close()


def _ensure(hub: RunningHub, live: dict[str, int]) -> None:
    """A figure of a hub that lost something is worth nothing."""
    for name, expected in live.items():
        if expected > 200_000:
            continue  # pulling a million objects says nothing more
        reader = "ro" if name == "network" else "soc"
        shown = sum(
            o["type"] == "indicator" and not o.get("revoked")
            for o in hub.pulled(name, reader, versions="last", page=10_000)
        )
        assert shown == expected, f"{name} shows {shown}, not {expected}"


def received(client: HubClient) -> int:
    """How many objects the hub is done with."""
    flow = client.status().flow
    return 0 if flow is None else flow.received


def pause_s(curve: Sequence[tuple[float, int]], objects: int) -> float:
    """How long to wait before the next look at a curve of (time, objects done) that ends at ``objects``."""
    if len(curve) < 2:
        return LOOK_EVERY_S
    (before, had), (now, has) = curve[-2:]
    left_s = (objects - has) * (now - before) / (has - had) if has > had else LOOK_EVERY_S
    return min(max(left_s, LOOK_LAST_S), LOOK_EVERY_S)


class _Watch:
    """How many objects are done, and what memory the hub's processes take."""

    def __init__(self, hub: RunningHub, objects: int) -> None:
        if hub.process is None:
            raise RuntimeError("the hub does not run")
        self._root = hub.process.pid
        self._objects = objects
        self._client = hub.client("watch")
        self._peak_kb = 0
        self.curve: list[tuple[float, int]] = [(time.monotonic(), 0)]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def until_done(self) -> list[tuple[float, int]]:
        """Wait until all are done; (time, how many) of each look."""
        while self.curve[-1][1] < self._objects:
            time.sleep(0.02)
        return self.curve

    def stop(self) -> tuple[float, float, float]:
        """Peak memory in MB, and seconds of processor time of the doors and of the worker."""
        self._stop.set()
        self._thread.join()
        self._client.close()
        return self._peak_kb / 1024, cpu_s(self._root), sum(map(cpu_s, children(self._root)))

    def _look(self) -> None:
        due = self.curve[-1][0] + LOOK_EVERY_S
        while not self._stop.wait(_LOOK_AT_MEMORY_EVERY_S):
            self._peak_kb = max(self._peak_kb, sum(map(_resident_kb, (self._root, *children(self._root)))))
            if time.monotonic() >= due:
                self.curve.append((time.monotonic(), received(self._client)))
                due = self.curve[-1][0] + pause_s(self.curve, self._objects)


def cpu_s(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _resident_kb(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")), 0)


if __name__ == "__main__":
    sys.exit(main())
