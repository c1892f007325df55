"""The policy may set a shortest time between two versions of an object: it puts off what adds, and nothing else.

Source: docs/semantics.md, section 7.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from hub.core.step import Step
from hub.model.words import Naming, Withdrawal
from hub.worker import run_step
from tests.on_postgres import story_on_postgres  # noqa: F401
from tests.promises.histories import History, Set, histories
from tests.promises.telling import COLLECTIONS, Telling, a_hub, what_differs, what_differs_from_recomputed
from tests.promises.test_histories import few
from tests.promises.test_non_interference import both
from tests.story import SECOND_US, TLP, Story, TakesBack, an_indicator, an_object, malware, moment, said_of, uid


@pytest.fixture
async def story() -> AsyncIterator[Story]:
    story = await Story.begin()
    await story.set("pace", "30")
    yield story
    await story.close()


async def seconds(story: Story, number: int) -> None:
    """Let time pass, and carry out what is due."""
    story.now_us += number * SECOND_US
    await story.sweep()


def named(at: int, name: str = "", **more: Any) -> dict[str, Any]:
    """An indicator, modified at a second, whose name says so."""
    return an_indicator("198.51.100.7", name, at=at, name=f"at {at}", **more)


async def test_a_hot_thing_gets_a_version_each_time_the_pace_is_over_and_the_last_one(story: Story) -> None:
    centres = [await story.centre(name) for name in ("ro", "it", "pl")]
    for at in range(100):
        await story.batch(*((centre, named(at, centre.name)) for centre in centres))
        await story.sweep()
    await seconds(story, 30)
    rows = [row for row in await story.log("community") if row.type == "indicator"]
    assert len(rows) == 5
    gaps = [b.date_added_us - a.date_added_us for a, b in pairwise(rows)]
    assert all(gap >= 30 * SECOND_US for gap in gaps)
    assert (await story.only("community"))["name"] == "at 99"
    assert await what_differs_from_recomputed(story) == []


async def test_without_a_pace_versions_follow_as_they_come(story: Story) -> None:
    await story.set("pace", "0")
    ro = await story.centre("ro")
    for at in range(5):
        await story.batch((ro, named(at)))
    assert len([row for row in await story.log("community") if row.type == "indicator"]) == 5


async def test_an_owners_object_and_an_observable_keep_the_pace_too(story: Story) -> None:
    ro, it = await story.centre("ro"), await story.centre("it")
    address = an_object("ipv4-addr", "a", value="198.51.100.7", created=None, modified=None)
    for at in range(4):
        await story.batch((ro, malware(at=at, description=f"at {at}")), (it, {**address, "x_seen": at}))
    for kind in ("malware", "ipv4-addr"):
        assert len([row for row in await story.log("community") if row.type == kind]) == 1
    await seconds(story, 30)
    assert (await story.only("community", "malware"))["description"] == "at 3"
    assert (await story.only("community", "ipv4-addr"))["x_seen"] == 3


NOT_PUT_OFF: dict[str, Any] = {
    "a withdrawal": lambda: TakesBack(named(0)["id"]),
    "a soft withdrawal": lambda: TakesBack(named(0)["id"], Withdrawal.SOFT),
    "a revocation": lambda: named(1, revoked=True),
    "a stricter marking": lambda: named(1, tlp="amber"),
    "a part that is marked": lambda: named(
        1, granular_markings=[{"marking_ref": TLP["amber"], "selectors": ["name"]}]
    ),
    "another pattern": lambda: an_indicator("203.0.113.9", "", at=1) | {"id": named(0)["id"]},
}  # fmt: skip


@pytest.mark.parametrize("what", NOT_PUT_OFF)
@pytest.mark.parametrize("alone", [True, False])
async def test_what_takes_something_away_is_not_put_off(story: Story, what: str, alone: bool) -> None:
    ro, it = await story.centre("ro"), await story.centre("it")
    mine = named(0)
    await story.batch((ro, mine), *(() if alone else ((it, an_indicator("198.51.100.7", "other", at=-10)),)))
    before = len(await story.log("community"))
    said = NOT_PUT_OFF[what]()
    await story.batch((ro, said if isinstance(said, TakesBack) else said | {"id": mine["id"]}))
    assert len(await story.log("community")) > before
    assert not any(one.late_us for one in (await story.stored()).views)


async def test_what_was_put_off_comes_with_what_is_not(story: Story) -> None:
    ro, it = await story.centre("ro"), await story.centre("it")
    await story.batch((ro, named(0)), (it, named(-10, "other")))
    await story.batch((ro, named(1)))
    await story.batch((it, TakesBack(named(-10, "other")["id"])))
    rows = await story.log("community")
    assert [row.type for row in rows].count("indicator") == 2
    assert (await story.only("community"))["name"] == "at 1"
    await seconds(story, 60)
    assert len(await story.log("community")) == len(rows)


async def test_what_is_referred_to_no_more_leaves_at_once(story: Story) -> None:
    ro = await story.centre("ro")
    refs = [malware(name)["id"] for name in "ab"]
    report = an_object("report", "r", name="r", published=moment(), object_refs=refs)
    await story.batch((ro, malware("a")), (ro, malware("b")), (ro, report))
    await story.batch((ro, {**report, "name": "new", "modified": moment(1)}))
    assert (await story.only("community", "report"))["name"] == "r"
    await story.batch((ro, TakesBack(malware("a")["id"])))
    shown = await story.only("community", "report")
    assert (shown["name"], shown["object_refs"]) == ("new", [malware("b")["id"]])


async def test_a_newer_version_that_refers_to_less_is_not_put_off(story: Story) -> None:
    ro = await story.centre("ro")
    refs = [malware(name)["id"] for name in "ab"]
    report = an_object("report", "r", name="r", published=moment(), object_refs=refs)
    await story.batch((ro, malware("a")), (ro, malware("b")), (ro, report))
    await story.batch((ro, {**report, "object_refs": refs[1:], "modified": moment(1)}))
    assert (await story.only("community", "report"))["object_refs"] == refs[1:]


@pytest.mark.parametrize("turned", [False, True])
async def test_a_claim_that_is_not_put_off_brings_along_one_that_could_be(story: Story, turned: bool) -> None:
    ro, it = await story.centre("ro"), await story.centre("it")
    other = named(-10, "other")
    await story.batch((ro, named(0)), (it, other))
    said = [(ro, named(1)), (it, TakesBack(other["id"]))]
    await story.batch(*(said[::-1] if turned else said))
    shown = await story.only("community")
    assert (shown["name"], [source["name"] for source in said_of(shown)["sources"]]) == ("at 1", ["ro"])


async def test_what_goes_by_another_id_from_now_on_is_not_put_off(story: Story) -> None:
    pl = await story.centre("pl", naming=Naming.ANONYMOUS)
    of_vendor = malware(created_by_ref=f"identity--{uid('vendor')}")
    await story.batch((pl, malware()))
    assert of_vendor["id"] not in await story.shown("community")
    await story.batch(*[(await story.centre(name), of_vendor) for name in ("ro", "it")])
    assert (await story.only("community", "malware"))["id"] == of_vendor["id"]


async def test_what_an_audience_does_not_see_starts_no_pace(story: Story) -> None:
    ro, it = await story.centre("ro"), await story.centre("it")
    await story.batch((ro, named(0)))
    await seconds(story, 30)
    await story.batch((it, named(29, "other", tlp="amber")))
    await story.batch((ro, named(31)))
    assert (await story.only("community"))["name"] == "at 31"
    assert (await story.only("network"))["name"] == "at 29", "its last version is a second old"


def paced(history: History) -> History:
    """The same, with a pace of three of the seconds between two events."""
    return replace(history, events=(Set("pace", "3"), *history.events))


async def told(story: Story, history: History) -> Telling:
    telling = Telling(story, history)
    await telling.tell()
    await seconds(story, 10)
    return telling


@few(30)
@given(history=histories())
async def test_with_a_pace_a_history_ends_in_the_same_content(history: History) -> None:
    async with a_hub() as slow, a_hub() as fast:
        assert await what_differs(await told(slow, paced(history)), await told(fast, history)) == {}
        assert await what_differs_from_recomputed(slow) == []


@few(40)
@given(history=histories(), collection=st.sampled_from(COLLECTIONS))
async def test_with_a_pace_too_what_an_audience_may_not_see_changes_no_byte(history: History, collection: str) -> None:
    full, less = await both(paced(history), collection)
    assert full == less


async def test_a_label_that_marks_what_may_be_done_is_never_put_off(story: Story) -> None:
    ro = await story.centre("ro")
    await story.batch((ro, named(1, labels=["a"])))
    for at, labels in ((2, ["PAP:RED", "a"]), (3, ["PAP:GREEN", "a"]), (4, ["a"])):
        await story.batch((ro, named(at, labels=labels)))
        assert (await story.only("community"))["labels"] == labels
    await story.batch((ro, named(5, labels=["b"])))
    assert (await story.only("community"))["labels"] == ["a"]


async def test_what_is_put_off_while_the_last_late_version_is_published_does_not_stay_late(
    tmp_path: Path,
    story_on_postgres: None,  # noqa: F811
) -> None:
    story = await Story.begin(tmp_path)
    await story.set("pace", "30")
    ro = await story.centre("ro")
    other = [an_indicator("198.51.100.8", "other", at=at, name=f"at {at}") for at in (1, 2)]
    await story.batch((ro, named(1)))
    await story.batch((ro, other[0]), seconds=20)
    await story.batch((ro, named(2)), seconds=5)
    story.now_us += 10 * SECOND_US
    async with story.store.transaction() as tx:
        step = Step.of_records(await tx.policy(), story.settings, story.now_us, [story.record(ro, other[1])])
        await run_step(tx, step)
        await story.worker.do_tasks()
    await seconds(story, 30)
    assert {one["name"] for one in (await story.shown("community", "indicator")).values()} == {"at 2"}
    assert [task for task, *_ in (await story.stored()).tasks] == ["SetDate()"]
    await story.close()
