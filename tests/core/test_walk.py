"""A task over claims computes them in groups that depend on what an audience sees, and on nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace

import hypothesis.strategies as st
import pytest
from hypothesis import given

from hub.core.walk import ClaimGroup, Walk, counted_for
from hub.model.claims import ClaimKey
from hub.model.policy import Audience, Policy
from hub.model.words import GroupName, Level
from tests.core.claims import MEMBERS, a_claim, a_policy, a_source
from tests.story import Story, an_indicator, an_object, malware

NETWORK = Audience(Level.AMBER_STRICT, GroupName("network"))
PUBLIC = Audience(Level.CLEAR, GroupName("public"))


def groups_of(pages: Sequence[Sequence[tuple[int, bool]]], limit: int) -> dict[Audience, list[tuple[ClaimKey, ...]]]:
    """What is computed together for two audiences, of pages of claims; of each, whether the public sees it too."""
    found: dict[Audience, list[tuple[ClaimKey, ...]]] = {NETWORK: [], PUBLIC: []}
    walk, left = Walk(), [list(page) for page in pages]
    while True:
        group = walk.ready(limit)
        if group is not None:
            note(found, group)
            walk = walk.computed(group)
        elif walk.after is None:
            return found
        else:
            page = left.pop(0) if left else []
            seen = {NETWORK: [key_of(no) for no, _ in page], PUBLIC: [key_of(no) for no, public in page if public]}
            walk = walk.read(seen, b"more" if left else None)
        cursor = walk.cursor
        assert cursor is None or Walk.at(cursor) == walk
        if cursor is None:
            return found


def note(found: dict[Audience, list[tuple[ClaimKey, ...]]], group: ClaimGroup) -> None:
    for audience in group.audiences:
        found[audience].append(group.keys)


def key_of(no: int) -> ClaimKey:
    return ClaimKey(no.to_bytes(20))


@given(claims=st.lists(st.booleans(), max_size=20), limit=st.integers(1, 4), data=st.data())
def test_what_one_audience_does_not_see_moves_no_claim_into_another_step(
    claims: list[bool], limit: int, data: st.DataObject
) -> None:
    def divided(some: list[tuple[int, bool]]) -> list[list[tuple[int, bool]]]:
        cuts = sorted(data.draw(st.lists(st.integers(0, len(some)), max_size=6)))
        return [some[a:b] for a, b in zip([0, *cuts], [*cuts, len(some)], strict=True)]

    every = list(enumerate(claims))
    seen = [one for one in every if one[1]]
    full, less = groups_of(divided(every), limit), groups_of(divided(seen), limit)
    assert full[PUBLIC] == less[PUBLIC]
    keys = [key_of(no) for no, _ in every]
    assert full[NETWORK] == [tuple(keys[at : at + limit]) for at in range(0, len(keys), limit)]


def test_for_each_audience_those_claims_count_that_it_sees_by_one_of_the_policies() -> None:
    ro = a_source(1)
    hiding, showing = a_policy(replace(ro, suspended=True)), a_policy(ro)
    green, amber = a_claim(ro, malware("a")), a_claim(ro, malware("b", tlp="amber"))

    def counted(*policies: Policy) -> Mapping[Audience, Sequence[ClaimKey]]:
        with pytest.raises(StopIteration) as done:
            next(counted_for([green, amber], [PUBLIC, MEMBERS, NETWORK], policies))
        found: Mapping[Audience, Sequence[ClaimKey]] = done.value.value
        return found

    assert counted(hiding, showing) == {PUBLIC: [], MEMBERS: [green.key], NETWORK: [green.key, amber.key]}
    assert counted(hiding) == {PUBLIC: [], MEMBERS: [], NETWORK: []}


@pytest.fixture
async def story() -> AsyncIterator[Story]:
    story = await Story.begin(task_claims=1)
    yield story
    await story.close()


async def steps(story: Story) -> AsyncIterator[None]:
    """The steps of what the operator has changed."""
    while await story.worker.do_tasks():
        yield


async def dangling(story: Story, collection: str) -> set[str]:
    """What objects of a collection refer to that it does not show."""
    shown = await story.shown(collection)
    return {ref for obj in shown.values() for ref in obj.get("object_refs", ())} - shown.keys()


async def test_whoever_refers_to_a_view_that_a_change_ends_leaves_it_in_the_same_step(story: Story) -> None:
    """By the id of a claim that is no longer seen and has not been computed yet."""
    ro, it = await story.centre("ro"), await story.centre("it")
    twice = [an_indicator("198.51.100.7", name) for name in ("one", "two", "three")]
    reports = [
        an_object(
            "report", each["id"], name="r", published="2026-01-01T00:00:00Z", object_refs=[each["id"], malware()["id"]]
        )
        for each in twice
    ]
    await story.batch((it, malware()), *((ro, each) for each in twice), *((it, report) for report in reports))
    assert await story.shown("community", "indicator")
    await story.place.set_centre(replace(ro, suspended=True), ["suspended"], story.now_us)
    done = 0
    async for _ in steps(story):
        done += 1
        assert not await dangling(story, "community")
    assert done > len(twice)
    assert not await story.shown("community", "indicator")


async def test_a_new_collection_shows_what_refers_to_much_in_one_version(story: Story) -> None:
    ro = await story.centre("ro")
    each = [malware(f"m{number}") for number in range(8)]
    report = an_object(
        "report", "r", name="r", published="2026-01-01T00:00:00Z", object_refs=[one["id"] for one in each]
    )
    await story.batch((ro, report), *((ro, one) for one in each))
    await story.collection("late", Level.GREEN, "community")
    rows = [row.object_id for row in await story.log("late")]
    assert rows.count(report["id"]) == 1
    assert len(await story.shown("late", "malware")) == len(each)
