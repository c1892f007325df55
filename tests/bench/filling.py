"""How long a new collection takes to fill, over how long its content took to come in, in one run; embedded.

    python -m tests.bench.filling [--objects 100000] [--reports 20000]

First indicators of three centres, as in ``tests.bench.ingest``; then, in a hub of its own, reports on a hundred
indicators each, with a malware and the relationships to it. While the collection fills, an operator changes something
ten times a second at most, and the longest wait is printed beside one on the same hub at rest.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connectors.sdk.client import HubClient
from hub.app import opened
from hub.model.principals import PrincipalKind
from hub.registry.centres import Terms
from hub.registry.service import Registry
from tests.bench.ingest import CENTRES, LOOK_LAST_S, received
from tests.running import RunningHub, in_threads
from tests.story import uid
from tests.synthetic import indicators

MOST_RATIO = 2.0
_BATCH = 1_000
_IN_A_REPORT = 100


@dataclass(frozen=True, slots=True)
class Run:
    """What one run came to, in seconds."""

    ingest_s: float
    fill_s: float
    at_rest_s: float
    """The longest change of an operator before the fill."""
    meanwhile_s: float
    """The longest change during it."""

    @property
    def ratio(self) -> float:
        """Filling over ingest."""
        return self.fill_s / self.ingest_s


def main(argv: Sequence[str] | None = None) -> int:
    """Print both ratios; 1 when one is too high."""
    said = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    said.add_argument("--objects", type=int, default=100_000)
    said.add_argument("--reports", type=int, default=20_000, help="objects in the second hub [20000]")
    options = said.parse_args(argv)
    plain, _ = indicators(options.objects, centres=len(CENTRES))
    with_reports = [list(reports(options.reports // len(CENTRES), no)) for no in range(len(CENTRES))]
    enough = True
    for name, lines in (("indicators", plain), ("with reports", with_reports)):
        if not any(lines):
            continue
        found = run(lines)
        enough &= found.ratio <= MOST_RATIO
        print(
            f"filling, embedded, {sum(map(len, lines)):,} objects, {name}: {found.fill_s:.1f} s, ingest "
            f"{found.ingest_s:.1f} s, ratio {found.ratio:.2f}; an operator's change took "
            f"{found.meanwhile_s * 1000:.0f} ms at most, {found.at_rest_s * 1000:.0f} ms at rest"
        )
    return 0 if enough else 1


def reports(count: int, centre: int) -> Iterator[bytes]:
    """About so many lines of one centre: malware, indicators, relationships, and reports on all of them."""
    for number in range(count // (2 * _IN_A_REPORT + 2)):
        malware = _object("malware", centre, number, name=f"family {number}", is_family=True)
        members = [malware]
        for i in range(_IN_A_REPORT):
            pattern = f"[domain-name:value = 'h{number}-{i}.c{centre}.net']"
            valid_from = "2026-01-01T00:00:00Z"
            found = _object("indicator", centre, number, i, pattern=pattern, pattern_type="stix", valid_from=valid_from)
            ends = {"source_ref": found["id"], "target_ref": malware["id"]}
            members += [found, _object("relationship", centre, number, i, relationship_type="indicates", **ends)]
        refs = [member["id"] for member in members]
        report = _object("report", centre, number, name="r", published="2026-01-01T00:00:00Z", object_refs=refs)
        yield from (json.dumps(each).encode() for each in (*members, report))


def _object(kind: str, *of: int, **more: Any) -> dict[str, Any]:
    at = "2026-01-01T00:00:00.000Z"
    stix_id = f"{kind}--{uid(kind, *of)}"
    common = {"type": kind, "spec_version": "2.1", "id": stix_id, "created": at, "modified": at}
    return {**common, "labels": ["tlp:green"], **more}


def run(lines: list[list[bytes]]) -> Run:
    """Push all into a fresh hub, see it through, and fill a collection with it."""
    with tempfile.TemporaryDirectory(prefix="ctihub-bench-") as folder:
        hub = RunningHub(Path(folder))
        hub.register(CENTRES)
        hub.start()
        try:
            with hub.client("watch") as watch:
                began = time.monotonic()
                in_threads(*(_pusher(hub, name, some) for name, some in zip(CENTRES, lines, strict=True)))
                _wait(lambda: received(watch) == sum(map(len, lines)))
                ingest_s = time.monotonic() - began
                return asyncio.run(_fill(hub, watch, ingest_s))
        finally:
            hub.stop()


def _pusher(hub: RunningHub, name: str, lines: list[bytes]) -> Callable[[], None]:
    def push() -> None:
        with hub.client(name) as client:
            for i in range(0, len(lines), _BATCH):
                client.push(lines[i : i + _BATCH])

    return push


def _wait(done: Callable[[], bool]) -> None:
    while not done():
        time.sleep(LOOK_LAST_S)


async def _fill(hub: RunningHub, watch: HubClient, ingest_s: float) -> Run:
    async with opened(hub.options()) as (_, _, registry):
        await registry.centres.add("other", Terms(country="RO"))
        at_rest_s = max([await _change(registry) for _ in range(5)])
        began = time.monotonic()
        await registry.collections.add("new", tlp="amber+strict", group="network")
        meanwhile_s = 0.0
        while await asyncio.to_thread(lambda: watch.status().tasks):
            meanwhile_s = max(meanwhile_s, await _change(registry))
            await asyncio.sleep(LOOK_LAST_S)
        return Run(ingest_s, time.monotonic() - began, at_rest_s, meanwhile_s)


async def _change(registry: Registry) -> float:
    """Give a centre a new token; returns how long it took."""
    began = time.monotonic()
    await registry.principals.rotate("other", PrincipalKind.CENTRE)
    return time.monotonic() - began


if __name__ == "__main__":
    sys.exit(main())
