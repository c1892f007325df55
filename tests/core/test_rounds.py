"""A step asks for what it needs in few rounds, however many references and referrers are concerned."""

from __future__ import annotations

from hub.model.words import Level
from tests.memory import MemoryStore
from tests.story import Story, an_indicator, an_object

FEW, MANY = 10, 60


async def test_the_rounds_of_a_step_do_not_grow_with_the_references_of_a_report() -> None:
    assert await _most_rounds(FEW, related=False) >= await _most_rounds(MANY, related=False) - 3


async def test_the_rounds_of_a_step_do_not_grow_with_the_relationships_of_an_object() -> None:
    assert await _most_rounds(FEW, related=True) >= await _most_rounds(MANY, related=True) - 3


async def _most_rounds(count: int, *, related: bool) -> int:
    """Fill a collection in steps of three claims: a report on indicators, or a malware that they indicate."""
    story = await Story.begin(task_claims=3)
    centre = await story.centre("ro")
    malware = an_object("malware", "m", name="m", is_family=True)
    indicators = [an_indicator(f"198.51.100.{i}", f"i{i}") for i in range(count)]
    for one in indicators:
        await story.batch((centre, one))
    if related:
        pairs = [{"source_ref": one["id"], "target_ref": malware["id"]} for one in indicators]
        for i, ends in enumerate(pairs):
            await story.batch((centre, an_object("relationship", f"r{i}", relationship_type="indicates", **ends)))
        await story.batch((centre, malware))
    else:
        refs = [one["id"] for one in indicators]
        await story.batch(
            (centre, an_object("report", "r", name="r", published="2026-01-01T00:00:00Z", object_refs=refs))
        )
    store = story.place.store
    assert isinstance(store, MemoryStore)
    store.most_rounds = 0
    await story.collection("new", Level.GREEN, "community")
    return store.most_rounds
