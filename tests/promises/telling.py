"""Histories told to hubs: worker and core, in memory or on a real store."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from hub.core.merge.recompute import recomputed
from hub.core.verify.stored import view_differences
from hub.log import port as log
from hub.model.policy import Source
from hub.model.stix_types import SCO_TYPES
from hub.model.times import DAY_US
from hub.model.words import Level
from hub.questions.verify import verified
from tests.promises.histories import CENTRES, GROUP, MEMBERS, Batch, Changed, History, Pinned, Said, Set, Waited
from tests.story import SECOND_US, START_US, Story, TakesBack

COLLECTIONS = ("public", "community", "network", GROUP, "sure", "red")
"""All that a hub of these tests has; ``sure`` has a filter, ``health`` and ``red`` are for one group."""


@asynccontextmanager
async def a_hub(referrer_limit: int = 2, path: Path | None = None) -> AsyncIterator[Story]:
    """A new hub, in memory or on a real store. Its limits are small, so that
    many referrers are deferred, and changes of policy take several steps."""
    story = await Story.begin(path, referrer_limit=referrer_limit, task_claims=3)
    try:
        centres = [await story.centre(name) for name in CENTRES]
        for name in MEMBERS:
            await story.member(name, centres[0])
        await story.group(GROUP)
        await story.collection(GROUP, Level.AMBER_STRICT, GROUP)
        await story.collection(
            "sure", Level.GREEN, "community", types=frozenset({"indicator", "identity"}), min_confidence=40
        )
        await story.collection("red", Level.RED, GROUP)
        yield story
    finally:
        await story.close()


class Telling:
    """One history as it is told to one hub."""

    def __init__(self, story: Story, history: History) -> None:
        self.story = story
        self.history = history
        self.centres: dict[str, Source] = {}
        self.hub_ids: dict[tuple[int, int], str] = {}
        """What the references by hub-made ids came to, by event and place in it."""
        self.last: log.Batch | None = None
        self.receipts = False
        self.at_once = False
        """Whether all steps that a batch leaves are done before the next one, so that none falls between others."""
        self.days = 0
        """How many days have passed."""
        self.by_day = False
        """Whether the date is set on each of them, and not only on the last."""

    async def begin(self) -> None:
        """The centres as they are at first."""
        policy = await self.story.policy()
        self.centres = {centre.name: centre for centre in policy.sources.values()}
        for name, fields in self.history.settings.items():
            self.centres[name] = await self.story.change_centre(self.centres[name], **fields)

    async def tell(self) -> None:
        """All of it; the steps that are left at last as well."""
        await self.begin()
        for number in range(len(self.history.events)):
            await self.event(number)
        await self.story.sweep()

    def tick(self, number: int) -> None:
        """The time of an event: a second after the one before."""
        self.story.now_us = START_US + (1 + self.days) * DAY_US + number * SECOND_US

    async def event(self, number: int) -> None:
        """One event."""
        self.tick(number)
        match self.history.events[number]:
            case Changed(centre, fields):
                self.centres[centre] = await self.story.change_centre(self.centres[centre], **dict(fields))
            case Batch(said):
                await self.carry(number, said)
            case Set(key, value):
                await self.story.set(key, value)
            case Pinned(stix_id, author):
                await self.story.pin(stix_id, author)
            case Waited(days):
                await self.wait(number, days)

    async def wait(self, number: int, days: int) -> None:
        """Let days pass, with all that is due on them."""
        for step in [1] * days if self.by_day else [days]:
            self.days += step
            self.tick(number)
            await self.story.sweep()

    async def carry(self, number: int, said: Iterable[Said]) -> None:
        """One batch, and one round of what earlier ones have left."""
        records = []
        for at, one in enumerate(said):
            place = at if one.place is None else one.place
            value = await self._value(number, place, one)
            headers: dict[str, Any] = {}
            if self.receipts:
                headers = {"receipt": f"{one.centre}-{number}", "index": str(place)}
            records.append(self.story.record(self.centres[one.centre], value, offset=number * 100 + place, **headers))
        if records:
            self.last = await self.story.carry(records)
        await (self.story.sweep() if self.at_once else self.story.worker.do_tasks())

    async def _value(self, number: int, place: int, one: Said) -> Any:
        if one.obj is None:
            return TakesBack(one.stix_id, one.withdrawal)
        if one.by_hub_id is None:
            return one.obj
        name, count = one.by_hub_id
        said = one.obj[name]
        first = said if isinstance(said, str) else said[0]
        if (number, place) not in self.hub_ids:
            found = sorted(ref for ref in await self.story.shown("public") if _is_made_for(first, ref))
            self.hub_ids[number, place] = found[count % len(found)] if found else first
        found_id = self.hub_ids[number, place]
        return one.obj | {name: found_id if isinstance(said, str) else list(dict.fromkeys([found_id, *said[1:]]))}


def _is_made_for(said: str, shown: str) -> bool:
    """Whether a shown id is one that the hub made, of the type of the reference that it may replace."""
    kind = shown.partition("--")[0]
    return said.partition("--")[0] == kind and shown[-22] == ("4" if kind in SCO_TYPES else "5")


@asynccontextmanager
async def told(history: History, *, receipts: bool = False) -> AsyncIterator[Telling]:
    """A hub after a history. ``receipts``: what a centre says in one event is one push."""
    async with a_hub() as story:
        telling = Telling(story, history)
        telling.receipts = receipts
        await telling.tell()
        yield telling


# ---------------------------------------------------------------- what to ask of a hub


async def content(story: Story) -> dict[tuple[str, str], Any]:
    """What every collection shows: by collection and thing the object without ``created`` and ``modified``, ids that
    the hub made read as the things that they stand for.
    """
    policy = await story.policy()
    views = [view for view in (await story.stored()).views if view.alive]
    names = {no: c.name for no, c in policy.collections.items()}
    found: dict[tuple[str, str], Any] = {}
    for no, name in names.items():
        shown = await story.shown(name)
        things: dict[str, str] = {view.object_id: view.thing.hex() for view in views if view.collection == no}
        for object_id, obj in shown.items():
            text = json.dumps(
                {key: value for key, value in obj.items() if key not in ("created", "modified")}, sort_keys=True
            )
            for stix_id in set(_ID.findall(text)):
                if stix_id in things:
                    text = text.replace(stix_id, things[stix_id])
            found[name, things[object_id]] = json.loads(text)
    return found


async def what_differs(one: Telling, other: Telling) -> dict[tuple[str, str], tuple[Any, Any]]:
    """Where the contents of two hubs differ."""
    left, right = await content(one.story), await content(other.story)
    return {at: (left.get(at), right.get(at)) for at in left.keys() | right.keys() if left.get(at) != right.get(at)}


_ID = re.compile(r"[a-z][a-z0-9-]*--[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def references_in(value: Any) -> Iterator[str]:
    """Every STIX id in a ``*_ref`` or ``*_refs`` property, at any depth."""
    if isinstance(value, dict):
        for name, inside in value.items():
            if name.endswith("_ref") and isinstance(inside, str):
                yield inside
            elif name.endswith("_refs") and isinstance(inside, list):
                yield from (one for one in inside if isinstance(one, str))
            else:
                yield from references_in(inside)
    elif isinstance(value, list):
        for inside in value:
            yield from references_in(inside)


async def what_differs_from_recomputed(story: Story) -> list[Any]:
    """How the stored hub differs from one computed anew from its claims: views, counts of uses, placements."""
    policy, stored = await story.policy(), await story.stored()
    new = recomputed(policy, [replace(claim) for claim in stored.claims], stored.views)
    views = {(view.collection, view.thing): view for view in stored.views if view.collection in policy.collections}
    found: list[Any] = []
    for at in new.shown.keys() | views.keys():
        draft = new.shown.get(at)
        found += view_differences(policy, at, views.get(at), None if draft is None else draft.content)
    if new.uses != stored.uses:
        found.append(("uses", new.uses, stored.uses))
    new_placed = {(key, no): thing for key, where in new.placements.items() for no, thing in where.items()}
    if new_placed != stored.placements:
        found.append(("placements", new_placed, stored.placements))
    return [*found, *await verified(story.place.store)]
