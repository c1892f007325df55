"""Ids of which an operator has decided whose they are: docs/semantics.md, section 6."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from hub.model.words import Level
from tests.promises.histories import Pinned, a_history
from tests.promises.telling import what_differs_from_recomputed
from tests.story import Story, an_indicator, an_object, malware, uid

MITRE = f"identity--{uid('mitre')}"


@pytest.fixture
async def story() -> AsyncIterator[Story]:
    found = await Story.begin()
    yield found
    await found.close()


async def name_in(story: Story, collection: str) -> str:
    return str((await story.only(collection, "malware"))["name"])


async def test_a_pinned_id_shows_its_author_from_then_on_until_it_is_unpinned(story: Story) -> None:
    ro, it = await story.centre("ro"), await story.centre("it")
    await story.batch((ro, malware(created_by_ref=ro.identity, name="first")))
    await story.batch((it, malware(created_by_ref=MITRE, name="of mitre")))
    assert await name_in(story, "community") == "first"
    before = await story.only("community", "malware")
    await story.pin(malware()["id"], MITRE)
    after = await story.only("community", "malware")
    assert after["name"] == "of mitre"
    assert after["modified"] > before["modified"]
    await story.batch((ro, malware(created_by_ref=ro.identity, name="newer", at=5)))
    assert await name_in(story, "community") == "of mitre"
    await story.pin(malware()["id"], None)
    assert await name_in(story, "community") == "newer"
    assert await what_differs_from_recomputed(story) == []


async def test_where_the_pinned_author_is_not_visible_the_usual_rule_decides(story: Story) -> None:
    ro, it = await story.centre("ro"), await story.centre("it")
    await story.batch((ro, malware(created_by_ref=ro.identity, name="first")))
    await story.batch((it, malware(created_by_ref=MITRE, name="of mitre", tlp="amber")))
    rows = await story.log("community")
    await story.pin(malware()["id"], MITRE)
    assert await name_in(story, "network") == "of mitre"
    assert await story.log("community") == rows


async def test_references_follow_the_pinned_author(story: Story) -> None:
    """Two centres claim different things under one id; a third refers to it."""
    ro, it, pl = [await story.centre(name, default_level=Level.GREEN) for name in ("ro", "it", "pl")]
    mine = an_indicator("198.51.100.7", "i", created_by_ref=ro.identity)
    theirs = an_indicator("203.0.113.9", "i", created_by_ref=it.identity)
    note = an_object("note", "n", content="n", object_refs=[mine["id"]])
    await story.batch((ro, mine))
    await story.batch((it, theirs))
    await story.batch((pl, note))
    for author, value in ((None, "198.51.100.7"), (it.identity, "203.0.113.9"), (None, "198.51.100.7")):
        await story.pin(mine["id"], author)
        (ref,) = (await story.only("community", "note"))["object_refs"]
        assert value in (await story.shown("community"))[ref]["pattern"]
    assert await what_differs_from_recomputed(story) == []


async def test_the_step_of_a_pin_counts_sources_and_goes_on_where_it_was() -> None:
    story = await Story.begin(task_claims=1)
    centres = [await story.centre(f"c{n}") for n in range(5)]
    for n, centre in enumerate(centres):
        await story.batch((centre, malware(created_by_ref=centre.identity, name=f"of {n}")))
    await story.place.pin(malware()["id"], centres[3].identity, story.now_us)
    steps = 0
    while await story.worker.do_tasks():
        steps += 1
    assert steps >= 5
    assert await name_in(story, "community") == "of 3"
    await story.close()


def test_operators_pin_ids_in_most_histories_with_dates() -> None:
    found = [any(isinstance(event, Pinned) for event in a_history(seed, dates=True).events) for seed in range(20)]
    assert sum(found) > 10
