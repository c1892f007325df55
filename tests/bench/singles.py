"""Many pushes of one object each, as sensors send them: what a request costs, and that none is lost.

    python -m tests.bench.singles [--objects 20000] [--connections 4]

The hub's processor time per object, against that of the same objects pushed a thousand at a time just before: a ratio,
so that neither the machine's speed nor what else runs on it decides. Every push must be acknowledged, every object
accepted, and every one shown, once.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.bench.ingest import children, cpu_s, pause_s, received
from tests.running import RunningHub, in_threads
from tests.story import an_indicator, uid

MOST = 12
"""Times as much as in pushes of a thousand."""
_BATCH = 1_000
_RECEIPTS = 200
"""So many receipts are asked for, evenly spread; asking for all would be the larger half of the work."""
_WITHIN_S = 3_600


@dataclass(frozen=True, slots=True)
class Run:
    """What one hub took for its objects."""

    cpu_s: float
    took_s: float


def main(argv: Sequence[str] | None = None) -> int:
    """Print the ratio and the rate; 1 when a request costs too much. Raises where anything is lost."""
    said = argparse.ArgumentParser()
    said.add_argument("--objects", type=int, default=20_000)
    said.add_argument("--connections", type=int, default=4)
    options = said.parse_args(argv)
    lines = [_line(number) for number in range(options.objects)]
    together = _run(lines, _BATCH, options.connections)
    alone = _run(lines, 1, options.connections)
    ratio = alone.cpu_s / together.cpu_s
    per_ms = 1000 / options.objects
    print(
        f"single pushes, embedded, {options.objects:,} objects over {options.connections} connections: "
        f"{ratio:.1f} times the processor time of pushes of {_BATCH:,} ({alone.cpu_s * per_ms:.2f} against "
        f"{together.cpu_s * per_ms:.2f} ms an object), {options.objects / alone.took_s:,.0f}/s, none lost"
    )
    return 0 if ratio <= MOST else 1


def _line(number: int) -> bytes:
    value = f"46.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    return json.dumps(an_indicator(value, uid("singles", number))).encode()


def _run(lines: Sequence[bytes], batch: int, connections: int) -> Run:
    """Push into a fresh hub, ``batch`` at a time, and see all of it through."""
    pushes = [lines[i : i + batch] for i in range(0, len(lines), batch)]
    receipts: list[str] = [""] * len(pushes)
    with tempfile.TemporaryDirectory(prefix="ctihub-bench-") as folder:
        hub = RunningHub(Path(folder))
        hub.register(["ro"])

        def push_share(first: int) -> None:
            with hub.client("ro", patience_s=_WITHIN_S) as client:
                for number in range(first, len(pushes), connections):
                    receipts[number] = client.push(pushes[number]).status_url

        with hub.running(), hub.client("watch") as watch:
            before_s, begun = _cpu_s(hub), time.monotonic()
            curve = [(begun, 0)]
            in_threads(*(partial(push_share, first) for first in range(connections)))
            while (done := received(watch)) < len(lines):
                curve.append((time.monotonic(), done))
                time.sleep(pause_s(curve, len(lines)))
            run = Run(_cpu_s(hub) - before_s, time.monotonic() - begun)
            _ensure_none_is_lost(hub, receipts, len(lines))
    return run


def _cpu_s(hub: RunningHub) -> float:
    """Seconds of processor time of the doors and of the worker."""
    assert hub.process is not None
    return sum(map(cpu_s, (hub.process.pid, *children(hub.process.pid))))


def _ensure_none_is_lost(hub: RunningHub, receipts: Sequence[str], objects: int) -> None:
    """A figure of a hub that lost something is worth nothing."""
    assert all(receipts), "a push was not acknowledged"
    assert len(set(receipts)) == len(receipts), "two pushes have one receipt"
    with hub.client("watch") as watch, hub.client("ro") as client:
        flow = watch.status().flow
        assert flow is not None
        assert (flow.received, flow.accepted) == (objects, objects), flow
        asked = receipts[:: max(1, len(receipts) // _RECEIPTS)]
        states = {client.receipt(url).state for url in asked}
        assert states == {"complete"}, states
    shown = [obj["id"] for obj in hub.pulled("community", "soc", page=1_000) if obj["type"] == "indicator"]
    assert len(shown) == len(set(shown)) == objects, f"{len(shown):,} are shown, not {objects:,}"


if __name__ == "__main__":
    sys.exit(main())
