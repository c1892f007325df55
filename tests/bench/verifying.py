"""How fast a stored hub is verified, against ``stix2.parse`` in the same run; embedded, on all processors.

    python -m tests.bench.verifying [--objects 60000] [--repeat 3]

Indicators of three centres, as in ``tests.bench.ingest``, in the three default collections. A rate is things by wall
clock time, start of the processes included; that of ``stix2.parse`` is of one processor.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import stix2

from hub.config import Config
from hub.verifying import Verification, opened_store, verified
from tests.bench import admission
from tests.story import Story
from tests.synthetic import indicators

CENTRES = ("ro", "it", "pl")
MUST = 20_000 / 2_200
"""Things per ``stix2.parse``."""
_BATCH = 400


def main(argv: Sequence[str] | None = None) -> int:
    """Print the medians; 1 when it is not fast enough."""
    said = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    said.add_argument("--objects", type=int, default=60_000)
    said.add_argument("--repeat", type=int, default=3)
    options = said.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="ctihub-bench-") as folder:
        asyncio.run(_fill(Path(folder), options.objects))
        (Path(folder) / "hub.db").rename(Path(folder) / "store.sqlite")
        config = Config(data_dir=Path(folder))
        runs = [_run(config) for _ in range(options.repeat)]
    rate, parse_rate = (statistics.median(each) for each in zip(*runs, strict=True))
    ratio = statistics.median(one / other for one, other in runs)
    print(
        f"verify, embedded, {options.objects:,} objects: {rate:,.0f} things/s, stix2.parse {parse_rate:,.0f}/s, "
        f"ratio {ratio:.1f} (must reach {MUST:.1f})"
    )
    return 0 if ratio >= MUST else 1


def _run(config: Config) -> tuple[float, float]:
    """Things and ``stix2.parse`` per second."""
    values = admission.indicators(300, random.Random(1))
    began = time.perf_counter()
    for value in values:
        stix2.parse(value)
    parsed_s = time.perf_counter() - began
    began = time.perf_counter()
    found = asyncio.run(_verified(config))
    took_s = time.perf_counter() - began
    assert not found.differences, found.differences[:3]  # a figure of a wrong hub is worth nothing
    return found.things / took_s, len(values) / parsed_s


async def _verified(config: Config) -> Verification:
    async with opened_store(config) as store:
        return await verified(config, store, None, tell=lambda *_: None)


async def _fill(folder: Path, objects: int) -> None:
    lines, _ = indicators(objects, centres=len(CENTRES))
    story = await Story.begin(folder)
    centres = [await story.centre(name) for name in CENTRES]
    for i in range(0, max(map(len, lines)), _BATCH):
        some = [(centre, line) for centre, own in zip(centres, lines, strict=True) for line in own[i : i + _BATCH]]
        await story.batch(*some)
    await story.close()


if __name__ == "__main__":
    sys.exit(main())
