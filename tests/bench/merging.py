"""What one object costs when many claim its thing, when many collections show it, and what a hot thing costs others.

    python -m tests.bench.merging [--quick]

Worker, core and store in one process, without log and doors; the processor time of all threads, as a ratio to what is
usual in the same run: the update of an indicator that one centre claims, in three collections. Prints:

- an update of an indicator on which there are 1, 10, 100 and 1,000 contributions of 27 centres;
- an update of an indicator in 1, 10 and 50 collections;
- a batch of usual updates with one of a hot thing by each of 27 centres in it, over one without;
- a batch of thousands of one centre's indicators of one pattern, and one of observations of one address that has been
  observed 10,000 times, over a usual batch.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hub.model.policy import Source
from hub.model.words import Level
from tests.story import Story, an_indicator, an_object, moment

CENTRES = 27
BATCH = 500
MOST_SLOWED = 1.10
MOST_OF_ONE = 2.0
_REPEAT = 5

Said = tuple[Source, Any]
Batches = Callable[[int], list[Said]]
"""Returns the batch of a number; no two are equal."""


class Hub:
    """A hub in a folder of its own, with usual content."""

    def __init__(self, story: Story, centres: Sequence[Source], things: int) -> None:
        self.story = story
        self.centres = centres
        self._things = things
        self._round = 0

    @classmethod
    async def new(cls, folder: Path, things: int, collections: int = 3) -> Hub:
        """With ``things`` indicators, of one centre each."""
        folder.mkdir()
        story = await Story.begin(folder)
        for number in range(3, collections):
            await story.collection(f"more-{number}", Level.GREEN, "community")
        if collections < 3:  # it shows everything
            async with story.store.registry.change() as directory:
                for no, one in (await story.policy()).collections.items():
                    if one.name != "network":
                        await directory.remove_collection(no)
        hub = cls(story, [await story.centre(f"c{no}") for no in range(CENTRES)], things)
        await hub.say([hub.usual(at, 0) for at in range(things)])
        return hub

    def usual(self, at: int, second: int) -> Said:
        """A version of an indicator that only one centre claims."""
        value = f"10.{at >> 16 & 255}.{at >> 8 & 255}.{at & 255}"
        return self.centres[at % CENTRES], an_indicator(value, tlp="green", at=second, confidence=second % 100)

    def about(self, value: str, number: int, second: int) -> Said:
        """A version of one of many claims about one thing."""
        name, centre = f"{value} {number}", self.centres[number % CENTRES]
        return centre, an_indicator(value, name, tlp="green", at=second, confidence=(number + second) % 100, name=name)

    async def say(self, said: Sequence[Said]) -> None:
        """All of it, in batches."""
        for at in range(0, len(said), BATCH):
            await self.story.batch(*said[at : at + BATCH])

    async def cost_s(self, batches: Batches) -> float:
        """The processor time of a batch: the median of some."""
        taken = []
        for _ in range(_REPEAT):
            self._round += 1
            said = batches(self._round)
            began = time.process_time()
            await self.story.batch(*said)
            taken.append(time.process_time() - began)
        return statistics.median(taken)

    def usual_batch(self, second: int) -> list[Said]:
        """A batch of updates of things that one centre claims."""
        first = second * BATCH % self._things
        return [self.usual((first + at) % self._things, second) for at in range(BATCH)]


async def contributions(folder: Path, most: int) -> bool:
    """Whether the cost of an update grows less than the number of contributions on its thing."""
    costs = {}
    for number in (n for n in (1, 10, 100, 1_000) if n <= most):
        things = max(20, min(250, 20_000 // number))
        hub = await Hub.new(folder / f"contributions-{number}", 2 * BATCH)
        await hub.say([hub.about(f"192.0.2.{thing}", one, 0) for thing in range(things) for one in range(number)])

        def batch(second: int, hub: Hub = hub, things: int = things, number: int = number) -> list[Said]:
            return [hub.about(f"192.0.2.{thing}", second % number, second) for thing in range(things)]

        usual = await hub.cost_s(hub.usual_batch) / BATCH
        costs[number] = await hub.cost_s(batch) / things / usual
        await hub.story.close()
    line = ", ".join(f"{number:,}: {ratio:.2f}" for number, ratio in costs.items())
    print(f"an update of a thing with so many contributions, over the usual one: {line}")
    return all(ratio <= number * max(costs[1], 1) for number, ratio in costs.items())


async def collections(folder: Path) -> bool:
    """Whether the cost of an update grows less than the number of collections."""
    costs = {}
    for number in (1, 10, 50):
        hub = await Hub.new(folder / f"collections-{number}", 2 * BATCH, number)
        costs[number] = await hub.cost_s(hub.usual_batch) / BATCH
        await hub.story.close()
    line = ", ".join(f"{number}: {cost / costs[1]:.2f}" for number, cost in costs.items())
    print(f"an update in so many collections, over one in one: {line}")
    return all(cost <= costs[1] * number for number, cost in costs.items())


async def hot(folder: Path) -> bool:
    """Whether a thing that all centres report in each batch slows the others by little."""
    hub = await Hub.new(folder / "hot", 4 * BATCH)
    thing = "203.0.113.1"
    await hub.say([hub.about(thing, number, 0) for number in range(CENTRES)])

    def with_hot(second: int) -> list[Said]:
        return hub.usual_batch(second) + [hub.about(thing, number, second) for number in range(CENTRES)]

    ratios = []
    for _ in range(3):
        without = await hub.cost_s(hub.usual_batch)
        ratios.append(await hub.cost_s(with_hot) / without / ((BATCH + CENTRES) / BATCH))
    await hub.story.close()
    ratio = statistics.median(ratios)
    print(f"an object beside a hot thing of {CENTRES} centres, over one without: {ratio:.2f} (at most {MOST_SLOWED})")
    return ratio <= MOST_SLOWED


async def of_one(folder: Path, many: int) -> bool:
    """Whether thousands of claims about one thing make a batch of more of them slower than twice a usual one."""
    hub = await Hub.new(folder / "of-one", 4 * BATCH)
    centre, thing = hub.centres[0], "203.0.113.1"

    def pattern(number: int) -> Said:
        return centre, an_indicator(thing, f"mine {number}", tlp="green", at=number % 1000, name=f"report {number}")

    def observed(number: int) -> list[Said]:
        address = an_object("ipv4-addr", f"a {number}", value="203.0.113.2", created=None, modified=None)
        data = an_object(
            "observed-data", f"o {number}", number_observed=1, first_observed=moment(-9), last_observed=moment(-8),
            object_refs=[address["id"]],
        )  # fmt: skip
        return [(centre, address), (centre, data)]

    await hub.say([pattern(-1 - number) for number in range(many)])
    await hub.say([one for number in range(many * 2) for one in observed(-1 - number)])
    usual = await hub.cost_s(lambda second: hub.usual_batch(second + 100))
    ratios = {
        "of one pattern": await hub.cost_s(lambda n: [pattern(n * BATCH + at) for at in range(BATCH)]) / usual,
        "of one observable": await hub.cost_s(
            lambda n: [one for at in range(BATCH // 2) for one in observed(n * BATCH + at)]
        ) / usual,
    }  # fmt: skip
    await hub.story.close()
    line = ", ".join(f"{what}: {ratio:.2f}" for what, ratio in ratios.items())
    print(f"a batch over a usual one, with {many:,} and {2 * many:,} before, {line} (at most {MOST_OF_ONE:.0f})")
    return max(ratios.values()) <= MOST_OF_ONE


async def _all(folder: Path, *, quick: bool) -> bool:
    found = [
        await contributions(folder, 100 if quick else 1_000),
        await collections(folder),
        await hot(folder),
        await of_one(folder, 500 if quick else 5_000),
    ]
    return all(found)


def main(argv: Sequence[str] | None = None) -> int:
    """Print the ratios; 1 when one is too high."""
    said = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    said.add_argument("--quick", action="store_true", help="fewer claims: whether it runs, not how fast")
    options = said.parse_args(argv)
    gc.freeze()
    gc.set_threshold(5_000, 5, 5)  # as in a worker
    with tempfile.TemporaryDirectory(prefix="ctihub-bench-") as folder:
        return 0 if asyncio.run(_all(Path(folder), quick=options.quick)) else 1


if __name__ == "__main__":
    sys.exit(main())
