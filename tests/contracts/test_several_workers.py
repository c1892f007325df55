"""Several workers on one store end in the content that one alone comes to, whatever they have in common."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from hub.log.port import Batch, StoredRecord, TopicPartition
from hub.model.errors import TryAgain
from hub.model.policy import Source
from hub.store import tables as t
from hub.store.sql import SqlStore
from hub.worker import Worker, WorkerSettings
from tests import story as stories
from tests.contracts.store_writer import open_store
from tests.servers.postgres import Postgres
from tests.story import START_US, TLP, Story, an_indicator, an_object, moment, uid
from tests.waiting import LONG_S, until

pytestmark = pytest.mark.faults

COLLECTIONS = ("public", "community", "network")
CENTRES = ("ro", "it", "pl", "at")
ROUNDS = int(os.environ.get("CTIHUB_TEST_ROUNDS", "2"))
REFERRER_LIMIT = 2
"""So small that much is left for later steps, which all workers take part in."""
Said = Sequence[Any]
"""What one centre says in one batch: objects, and ids to withdraw."""


@dataclass
class Hub:
    """A story that several workers tell at once, each with a store of its own."""

    story: Story
    stores: list[SqlStore]
    retried: list[str] = field(default_factory=list)
    seconds: Iterator[int] = field(default_factory=itertools.count)

    async def carry(self, worker: Worker, records: Sequence[StoredRecord]) -> None:
        """One batch, repeated until it is in."""
        ends: dict[TopicPartition, int] = {}
        starts: dict[TopicPartition, int] = {}
        for record in records:
            at = TopicPartition(record.topic, record.partition)
            starts.setdefault(at, record.offset)
            ends[at] = record.offset + 1
        while True:
            try:
                return await worker.process(Batch(tuple(records), starts, ends))
            except TryAgain as error:
                self.retried.append(error.code)
                await asyncio.sleep(0)

    async def tell(self, centre: Source, batches: Iterable[Said], store: SqlStore) -> None:
        settings = WorkerSettings(referrer_limit=REFERRER_LIMIT, task_claims=7)
        worker = Worker(None, store, settings, lambda: START_US)  # type: ignore[arg-type]
        for said in batches:
            await self.carry(worker, [self.story.record(centre, one) for one in said])
            try:
                await worker.do_tasks()
            except TryAgain as error:
                self.retried.append(error.code)

    async def content(self) -> dict[str, list[str]]:
        """What every collection shows, without the times, and ids of ours read as the keys that they stand for: both
        depend on how often a view ended in between.
        """
        async with self.story.store.reading() as conn:
            views = (await conn.execute(select(t.views.c.object_id, t.views.c.thing))).all()
        keys = {view.object_id: view.thing.hex() for view in views if view.object_id.startswith(MADE_BY_US)}
        found = {}
        for name in COLLECTIONS:
            shown = [
                {p: v for p, v in obj.items() if p not in TIMES} for obj in (await self.story.shown(name)).values()
            ]
            found[name] = sorted(json.dumps(_keyed(obj, keys), sort_keys=True) for obj in shown)
        return found


MADE_BY_US = ("indicator--", "relationship--")
TIMES = {"created", "modified"}


def _keyed(obj: dict[str, Any], keys: dict[str, str]) -> dict[str, Any]:
    return {p: keys.get(v, v) if isinstance(v, str) else v for p, v in obj.items()}


def said_by(names: Sequence[str], rng: random.Random) -> dict[str, list[Said]]:
    """Batches per centre: all speak of the same few things, refer to one another's objects, revise and withdraw."""
    return {name: [[_one(name, rng) for _ in range(rng.randint(1, 12))] for _ in range(6)] for name in names}


def _one(centre: str, rng: random.Random) -> Any:
    thing, at = rng.randrange(12), rng.randrange(1, 500)
    tlp = rng.choice(["clear", "green", "amber"])
    match rng.randrange(8):
        case 0:
            return an_indicator(f"198.51.100.{thing}", f"{centre} {thing}")["id"]
        case 1 | 2:
            malware = an_object(
                "malware", f"m{thing % 4} {centre}", name=f"m of {centre}", is_family=False, tlp=tlp, at=at
            )
            return malware | {"created_by_ref": f"identity--{uid('centre', centre)}"}
        case 3 | 4:
            target = rng.choice(CENTRES)
            ends = {
                "source_ref": f"indicator--{uid('indicator', f'{rng.choice(CENTRES)} {thing}')}",
                "target_ref": f"malware--{uid('malware', f'm{thing % 4} {target}')}",
            }
            return an_object(
                "relationship", f"r{thing} {centre}", tlp=tlp, at=at, relationship_type="indicates", **ends
            )
        case _:
            more = {"confidence": rng.randrange(100), "revoked": True if rng.random() < 0.1 else None}
            return an_indicator(f"198.51.100.{thing}", f"{centre} {thing}", tlp=tlp, at=at, **more)


@asynccontextmanager
async def a_hub(place: Path, address: dict[str, str] | None, workers: int) -> AsyncIterator[Hub]:
    story = await Story.begin(place)
    others = [await open_store(address or {"path": str(place / "hub.db")}) for _ in range(workers - 1)]
    try:
        yield Hub(story, [story.store, *others])
    finally:
        for store in others:
            await store.close()
        await story.close()


async def told(hub: Hub, said: dict[str, list[Said]], *, at_once: bool) -> dict[str, list[str]]:
    centres = [await hub.story.centre(name) for name in said]
    if at_once:
        async with asyncio.timeout(LONG_S), asyncio.TaskGroup() as tasks:
            for i, (centre, batches) in enumerate(zip(centres, said.values(), strict=True)):
                tasks.create_task(hub.tell(centre, batches, hub.stores[i % len(hub.stores)]))
    else:
        for centre, batches in zip(centres, said.values(), strict=True):
            await hub.tell(centre, batches, hub.story.store)
    await sweep(hub)
    await numbers_are_right(hub)
    return await hub.content()


async def numbers_are_right(hub: Hub) -> None:
    for name in COLLECTIONS:
        rows = await hub.story.log(name)
        assert [row.seq for row in rows] == list(range(1, len(rows) + 1))
        dates = [row.date_added_us for row in rows]
        assert dates == sorted(set(dates))


@pytest.mark.parametrize("seed", range(ROUNDS // 2))
async def test_on_sqlite(tmp_path: Path, seed: int) -> None:
    said = said_by(CENTRES, random.Random(seed))
    async with a_hub(tmp_path / "one", None, 1) as hub:
        expected = await told(hub, said, at_once=False)
    async with a_hub(tmp_path / "two", None, 2) as hub:
        assert await told(hub, said, at_once=True) == expected


@pytest.mark.parametrize("seed", range(ROUNDS))
@pytest.mark.parametrize("most_names", [None, 20])
async def test_on_postgresql(
    tmp_path: Path,
    postgres: Postgres,
    migrated_url: str,
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
    most_names: int | None,
) -> None:
    """Also where the table of locks is so small that many steps run alone."""
    said = said_by(CENTRES, random.Random(seed))
    async with a_hub(tmp_path / "one", None, 1) as hub:
        expected = await told(hub, said, at_once=False)
    address = {"url": migrated_url}
    monkeypatch.setattr(stories, "open_store", lambda _: open_store(address))
    async with a_hub(tmp_path / "two", address, 4) as hub:
        if most_names is not None:
            for store in hub.stores:
                store.room.most_names = most_names  # type: ignore[attr-defined]
        assert await told(hub, said, at_once=True) == expected


async def test_markings_come_and_go_with_what_carries_them(
    postgres: Postgres, tmp_path: Path, migrated_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Centres show and withdraw one green object each, at once: its marking is there as long as any of them is."""
    monkeypatch.setattr(stories, "open_store", lambda _: open_store({"url": migrated_url}))
    said = {name: an_object("malware", name, name=name, is_family=False, tlp="green") for name in CENTRES}
    async with a_hub(tmp_path, {"url": migrated_url}, len(CENTRES)) as hub:
        centres = {name: await hub.story.centre(name) for name in CENTRES}
        for _ in range(12):
            shown = {name: random.random() < 0.5 for name in CENTRES}
            async with asyncio.TaskGroup() as tasks:
                for (name, is_shown), store in zip(shown.items(), hub.stores, strict=True):
                    again = said[name] | {"modified": moment(next(hub.seconds))}
                    tasks.create_task(hub.tell(centres[name], [[again if is_shown else again["id"]]], store))
            found = await hub.story.shown("community")
            assert {obj["name"] for obj in found.values() if obj["type"] == "malware"} == {n for n in shown if shown[n]}
            assert (TLP["green"] in found) is any(shown.values())
            await numbers_are_right(hub)


async def test_on_postgresql_while_the_operator_changes_his_mind(
    tmp_path: Path, postgres: Postgres, migrated_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A centre is suspended and comes back in the middle, its trust changes: what counts is the policy at the end."""
    said = said_by(CENTRES, random.Random(5))
    async with a_hub(tmp_path / "one", None, 1) as hub:
        expected = await changed(hub, said, at_once=False)
    address = {"url": migrated_url}
    monkeypatch.setattr(stories, "open_store", lambda _: open_store(address))
    async with a_hub(tmp_path / "two", address, 3) as hub:
        assert await changed(hub, said, at_once=True) == expected


async def changed(hub: Hub, said: dict[str, list[Said]], *, at_once: bool) -> dict[str, list[str]]:
    centres = {name: await hub.story.centre(name) for name in said}

    async def operate() -> None:
        one = await change(hub, centres["ro"], suspended=True)
        await change(hub, one, suspended=False, trust=60)
        await change(hub, centres["it"], trust=20)

    if at_once:
        async with asyncio.timeout(LONG_S), asyncio.TaskGroup() as tasks:
            for i, (name, batches) in enumerate(said.items()):
                tasks.create_task(hub.tell(centres[name], batches, hub.stores[i % len(hub.stores)]))
            tasks.create_task(operate())
    else:
        await operate()
        for name, batches in said.items():
            await hub.tell(centres[name], batches, hub.story.store)
    await sweep(hub)
    await numbers_are_right(hub)
    return await hub.content()


async def change(hub: Hub, centre: Source, **fields: Any) -> Source:
    """Let the operator change a centre while workers work; a sweep that is in another's way is tried again."""
    new = replace(centre, **fields)
    try:
        return await hub.story.change_centre(centre, **fields)
    except TryAgain:
        await sweep(hub)
        return new


async def sweep(hub: Hub) -> None:
    async def swept() -> bool:
        try:
            await hub.story.sweep()
        except TryAgain:
            return False
        return True

    await until(swept, what="the sweeps")
