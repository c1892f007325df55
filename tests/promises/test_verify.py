"""INV-18, INV-9, INV-12, INV-1 on stored hubs: what is wrong there is found, and nothing else is."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import Table

from hub.model.verification import Difference, StorePart
from hub.questions.verify import verified
from hub.rebuild import Repairs
from hub.store import tables as t
from tests.on_postgres import story_on_postgres
from tests.promises.damage import DAMAGES, Damage, drop_reference
from tests.story import Story, an_indicator, an_object, malware

TABLES: tuple[Table, ...] = (
    t.contributions, t.referring, t.placements, t.views, t.past_ids, t.uses, t.logs, t.changes, t.receipt_parts,
    t.counts, t.live_claims,
)  # fmt: skip


@pytest.fixture(params=["sqlite", "postgres"])
def real_store(request: pytest.FixtureRequest) -> None:
    """Lets the stories of a test take place on this store."""
    if request.param == "postgres":
        request.getfixturevalue(story_on_postgres.__name__)


async def a_hub_with_everything(path: Path) -> Story:
    """Indicators of two centres, a relationship, a report, a note, a sighting, a marking, things withdrawn."""
    story = await Story.begin(path)
    ro, it = await story.centre("ro"), await story.centre("it")
    marking = {
        "type": "marking-definition", "spec_version": "2.1",
        "id": "marking-definition--0d9a1c7e-2f4b-4a57-9c1d-6a1b1c9f0a01", "created": "2025-01-01T00:00:00.000Z",
        "definition_type": "statement", "definition": {"statement": "Copyright"},
    }  # fmt: skip
    one, other, family = an_indicator(), an_indicator("203.0.113.9"), malware()
    marked = an_indicator("192.0.2.1", object_marking_refs=[*one["object_marking_refs"], marking["id"]])
    ends = {"source_ref": one["id"], "target_ref": family["id"]}
    link = an_object("relationship", "r", relationship_type="indicates", **ends)
    note = an_object("note", "n", content="n", object_refs=[link["id"]])
    report = an_object("report", "p", name="p", published=one["created"], object_refs=[one["id"], note["id"]])
    seen = an_object("sighting", "s", sighting_of_ref=other["id"])
    objects = (marking, one, other, family, marked, link, note, report, seen, {"type": "indicator"})
    await story.carry([story.record(ro, obj, receipt="push-1", index="0") for obj in objects])
    await story.batch((it, an_indicator("198.51.100.7", "it", tlp="amber")), (it, an_indicator("192.0.2.2")))
    await story.batch((ro, one | {"modified": "2026-01-01T00:00:05.000Z", "description": "newer"}))
    await story.batch((it, an_indicator("192.0.2.2")["id"]))
    return story


async def _saved(story: Story) -> dict[Table, list[dict[str, object]]]:
    async with story.store.reading() as conn:
        return {table: [dict(row._mapping) for row in await conn.execute(table.select())] for table in TABLES}


async def _rows(story: Story) -> list[dict[str, object]]:
    return [row for row in (await _saved(story))[t.changes] if row["log"] == 3]


async def _restore(story: Story, saved: dict[Table, list[dict[str, object]]]) -> None:
    async with story.store.begin() as conn:
        for table, rows in saved.items():
            await conn.execute(table.delete())
            if rows:
                await conn.execute(table.insert(), rows)


async def _damage(story: Story, damage: Damage) -> None:
    async with story.store.begin() as conn:
        await damage.do(conn)


async def test_every_damage_is_found(real_store: None, tmp_path: Path) -> None:
    story = await a_hub_with_everything(tmp_path)
    try:
        assert await verified(story.store) == []
        saved = await _saved(story)
        for damage in DAMAGES:
            await _damage(story, damage)
            assert await _saved(story) != saved, f"no damage: {damage.says}"
            found = await verified(story.store)
            assert damage.part in {one.part for one in found}, f"{damage.says}: {found}"
            await _restore(story, saved)
            assert await verified(story.store) == [], damage.says
    finally:
        await story.close()


async def test_every_damage_is_repaired(real_store: None, tmp_path: Path) -> None:
    story = await a_hub_with_everything(tmp_path)
    try:
        saved = await _saved(story)
        for damage in DAMAGES:
            await _damage(story, damage)
            end, rows = await story.store.logs.head(3), await _rows(story)
            passes = await _rebuilt(story)
            assert await verified(story.store) == [], f"{damage.says}, after {passes}"
            repaired = await story.store.logs.head(3)
            assert bool(repaired.seq - end.seq) is damage.appends, damage.says
            assert repaired != end or await _rows(story) == rows, f"{damage.says}: an answer from before looks current"
            await _restore(story, saved)
    finally:
        await story.close()


async def _rebuilt(story: Story) -> list[list[Difference]]:
    """Repair until nothing differs; what each verification has found."""
    passes: list[list[Difference]] = []
    repairs = Repairs(story.store, story.settings, lambda: story.now_us)
    while (found := await verified(story.store)) and len(passes) < 4:
        passes.append(found)
        await repairs.repair(found)
    return passes


async def test_views_that_only_need_one_another_are_found(real_store: None, tmp_path: Path) -> None:
    """Each is what follows from the claims and the other stored views; only together they are wrong."""
    story = await Story.begin(tmp_path)
    ro = await story.centre("ro")
    family = malware()
    ids = [an_object("note", str(number))["id"] for number in range(3)]
    refs = ([ids[1], family["id"]], [ids[2]], [ids[0]])
    notes = [an_object("note", str(number), content="n", object_refs=some) for number, some in enumerate(refs)]
    try:
        await story.batch((ro, family), *((ro, note) for note in notes))
        assert await verified(story.store) == []
        async with story.store.begin() as conn:
            await drop_reference(conn, ids[0], family["id"])
        found = await verified(story.store)
        assert {one.object_id for one in found} == set(ids)
        assert {(one.part, one.says) for one in found} == {
            (StorePart.VIEW, "is shown only because of views that need it in turn")
        }
        assert len(await _rebuilt(story)) == 1
        assert not set(ids) & set(await story.shown("community"))
    finally:
        await story.close()


async def test_nothing_is_found_while_a_worker_carries_on(real_store: None, tmp_path: Path) -> None:
    story = await a_hub_with_everything(tmp_path)
    ro = await story.centre("pl")
    done = asyncio.Event()

    async def work() -> None:
        for number in range(12):
            some = [an_indicator(f"198.51.100.{number * 20 + i}", f"w{number}") for i in range(20)]
            family = malware(f"m{number}")
            ends = {"source_ref": some[0]["id"], "target_ref": family["id"]}
            link = an_object("relationship", f"w{number}", relationship_type="indicates", **ends)
            await story.batch(*((ro, each) for each in (*some, link, family)))
        done.set()

    async def verify() -> int:
        times = 0
        while not done.is_set() or not times:
            assert await verified(story.store) == []
            times += 1
        return times

    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(work())
            verifying = tasks.create_task(verify())
        assert verifying.result() > 0
        assert await verified(story.store) == []
    finally:
        await story.close()
