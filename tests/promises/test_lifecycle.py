"""What the date changes: what has expired leaves, and nothing else happens by itself.

Source: docs/semantics.md, sections 5 and 7, and INV-16.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from hub.model.times import DAY_US
from hub.model.words import Level, Naming
from tests.promises.histories import History
from tests.promises.scenes import dense_histories
from tests.promises.telling import Telling, a_hub, what_differs, what_differs_from_recomputed
from tests.promises.test_histories import few
from tests.story import InStore, Story, an_indicator, an_object, bytes_of, malware, moment, open_store, said_of

DAY_S = 86_400


def day(number: float) -> str:
    """The start of a day after the start of the story."""
    return moment(number * DAY_S)


def ending(at: float, name: str = "", /, value: str = "198.51.100.7", **more: Any) -> dict[str, Any]:
    """An indicator that ends at the start of a day."""
    return an_indicator(value, name, **{"valid_from": day(-60), "valid_until": day(at), **more})


@pytest.fixture
async def story(tmp_path: Path) -> AsyncIterator[Story]:
    found = await Story.begin()
    yield found
    await found.close()


# ---------------------------------------------------------------- expiry


@pytest.mark.parametrize(("ends", "leaves"), [(0, 31), (0.5, 31), (1, 32), (-40, 1)])
async def test_what_has_been_expired_for_longer_than_the_grace_leaves_when_the_date_is_set(
    story: Story, ends: float, leaves: int
) -> None:
    await story.batch((await story.centre("ro"), ending(ends)))
    await story.days(leaves - 1)
    shown = await story.only("community")
    assert shown["valid_until"] == day(ends)
    await story.days(1)
    assert await story.shown("community") == {}
    last = [row for row in await story.log("community") if row.object_id == shown["id"]][-1]
    assert last.withdrawn
    assert 0 <= last.date_added_us - story.now_us < DAY_US


async def test_what_comes_when_its_grace_is_over_is_accepted_and_shown_nowhere(story: Story) -> None:
    ro = await story.centre("ro")
    await story.days(1)
    await story.batch((ro, ending(-30)), (ro, ending(-29, "b", value="203.0.113.9")))
    assert (await story.counts(ro))["accepted"] == 2
    assert [obj["valid_until"] for obj in (await story.shown("community", "indicator")).values()] == [day(-29)]


async def test_before_the_first_date_nothing_has_expired(story: Story) -> None:
    await story.batch((await story.centre("ro"), ending(-40)))
    assert await story.only("community")
    await story.days(1)
    assert await story.shown("community") == {}


async def test_an_expired_claim_is_no_part_of_what_others_still_claim(story: Story) -> None:
    ro, it = await story.centre("ro"), await story.centre("it")
    await story.batch((ro, ending(0, confidence=90, labels=["old"])), (it, ending(60, "b", confidence=50)))
    before = await story.only("community")
    assert (before["confidence"], before["valid_until"], before["labels"]) == (95, day(60), ["old"])
    await story.days(31)
    after = await story.only("community")
    assert (after["id"], after["confidence"], after["valid_until"]) == (before["id"], 50, day(60))
    assert "labels" not in after
    assert [one["name"] for one in said_of(after)["sources"]] == ["it"]


async def test_what_a_claim_without_an_end_says_never_leaves(story: Story) -> None:
    ro, it = await story.centre("ro"), await story.centre("it")
    await story.batch((ro, ending(0)), (it, an_indicator("198.51.100.7", "b")))
    await story.days(10_000)
    assert [one["name"] for one in said_of(await story.only("community"))["sources"]] == ["it"]


async def test_what_comes_back_after_it_has_expired_has_a_new_id(story: Story) -> None:
    ro = await story.centre("ro")
    await story.batch((ro, ending(0)))
    first = await story.only("community")
    await story.days(31)
    await story.batch((ro, ending(90, at=0)))
    again = await story.only("community")
    assert again["id"] != first["id"]
    assert again["valid_until"] == day(90)


async def test_another_end_counts_also_where_it_changes_nothing_that_is_shown(story: Story) -> None:
    ro, pl = await story.centre("ro"), await story.centre("pl", naming=Naming.ANONYMOUS)
    await story.batch((ro, ending(60)), (pl, ending(0, "b", labels=["old"])))
    rows = len(await story.log("community"))
    await story.batch((pl, ending(5, "b", labels=["old"], at=-3000)))
    assert len(await story.log("community")) == rows
    assert await what_differs_from_recomputed(story) == []
    await story.days(35)
    assert (await story.only("community"))["labels"] == ["old"]
    await story.days(1)
    assert "labels" not in await story.only("community")


async def test_what_needs_an_expired_thing_leaves_with_it_and_other_references_are_taken_out(story: Story) -> None:
    ro = await story.centre("ro")
    gone, stays = ending(0), ending(60, "b", value="203.0.113.9")
    needs = an_object(
        "relationship", "r", relationship_type="indicates", source_ref=gone["id"], target_ref=malware()["id"]
    )
    both = an_object("report", "p", name="p", published=moment(), object_refs=[gone["id"], stays["id"]])
    await story.batch((ro, gone), (ro, stays), (ro, malware()), (ro, needs), (ro, both))
    assert len(await story.shown("community", "relationship")) == 1
    await story.days(31)
    assert await story.shown("community", "relationship") == {}
    assert len((await story.only("community", "report"))["object_refs"]) == 1
    assert await what_differs_from_recomputed(story) == []


async def test_the_end_of_an_unnamed_centre_counts_to_the_end_of_its_day(story: Story) -> None:
    pl = await story.centre("pl", naming=Naming.ANONYMOUS)
    await story.batch((pl, ending(0.25)))
    assert (await story.only("community"))["valid_until"] == moment(DAY_S - 0.001)
    await story.days(30)
    assert await story.only("community")
    await story.days(1)
    assert await story.shown("community") == {}


async def test_an_end_that_an_audience_may_not_see_does_not_end_the_claim_for_it(story: Story) -> None:
    parts = [{"marking_ref": "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421", "selectors": ["valid_until"]}]
    await story.batch((await story.centre("ro"), ending(0, granular_markings=parts)))
    await story.days(31)
    assert "valid_until" not in await story.only("community")
    assert await story.shown("network", "indicator") == {}


# ---------------------------------------------------------------- policy


@pytest.mark.parametrize(
    ("default", "longest", "said", "ends"),
    [
        ("10d", "none", None, 10),
        ("10d", "none", 40, 40),
        ("none", "20d", 40, 20),
        ("none", "20d", 5, 5),
        ("none", "20d", None, 20),
        ("30d", "20d", None, 20),
        ("none", "none", None, None),
    ],
)
async def test_a_claim_ends_by_the_default_if_it_does_not_say_and_by_the_longest_validity_whatever_it_says(
    story: Story, default: str, longest: str, said: float | None, ends: float | None
) -> None:
    await story.set("validity.default.ipv4-addr", default)
    await story.set("validity.longest.ipv4-addr", longest)
    more = {} if said is None else {"valid_until": day(said)}
    await story.batch((await story.centre("ro"), an_indicator(valid_from=day(-1), at=0, **more)))
    assert (await story.only("community")).get("valid_until") == (None if ends is None else day(ends))


@pytest.mark.parametrize(("modified", "valid_from", "ends"), [(0, -5, 10), (0, 3, 13), (-20, -30, -10)])
async def test_the_default_counts_from_the_later_of_modified_and_valid_from(
    story: Story, modified: float, valid_from: float, ends: float
) -> None:
    await story.set("validity.default.ipv4-addr", "10d")
    said = an_indicator(valid_from=day(valid_from), at=modified * DAY_S, created=day(-40))
    await story.batch((await story.centre("ro"), said))
    assert (await story.only("community"))["valid_until"] == day(ends)


async def test_the_default_of_an_unnamed_centre_counts_to_the_end_of_its_day(story: Story) -> None:
    await story.set("validity.default.ipv4-addr", "10d")
    await story.batch((await story.centre("pl", naming=Naming.ANONYMOUS), an_indicator(at=-DAY_S / 3, created=day(-2))))
    assert (await story.only("community"))["valid_until"] == moment(10 * DAY_S - 0.001)


@pytest.mark.parametrize(
    ("pattern", "ends"),
    [
        ("[ipv4-addr:value = '198.51.100.7']", 10),
        ("[domain-name:value = 'a.example']", 30),
        ("[url:value = 'http://a.example/b']", 90),
        ("[ipv4-addr:value = '198.51.100.7' OR domain-name:value = 'a.example']", 10),
        ("[ipv4-addr:value = '198.51.100.7' OR url:value = 'http://a.example/b']", 10),
    ],
)
async def test_of_several_kinds_in_a_pattern_the_shortest_validity_counts_and_that_of_any_kind_for_the_rest(
    story: Story, pattern: str, ends: float
) -> None:
    for kind, value in (("ipv4-addr", "10d"), ("domain-name", "30d"), ("any", "90d")):
        await story.set(f"validity.default.{kind}", value)
    await story.batch((await story.centre("ro"), an_indicator(pattern, at=0)))
    assert (await story.only("community"))["valid_until"] == day(ends)


async def test_a_pattern_of_another_type_has_the_validity_of_any_kind(story: Story) -> None:
    await story.set("validity.default.any", "90d")
    rule = an_indicator(at=0, pattern_type="yara", pattern="rule a { condition: true }")
    await story.batch((await story.centre("ro"), rule))
    assert (await story.only("community"))["valid_until"] == day(90)


async def test_an_end_after_the_year_9999_is_its_last_moment(story: Story) -> None:
    await story.set("validity.default.any", "36500d")
    late = an_indicator(at=0, valid_from="9999-01-01T00:00:00Z")
    await story.batch((await story.centre("ro"), late))
    assert (await story.only("community"))["valid_until"] == "9999-12-31T23:59:59.999999Z"


async def test_the_confidence_of_a_claim_falls_by_its_age_at_the_date(story: Story) -> None:
    ro, it = await story.centre("ro", trust=80), await story.centre("it")
    await story.set("confidence.ipv4-addr", "3d=50,5d=0")
    silent = an_indicator("198.51.100.7", "b", at=0)
    await story.batch((ro, an_indicator(confidence=50, at=-DAY_S, created=day(-2))), (it, silent))
    found = []
    for _ in range(6):
        found.append((await story.only("community"))["confidence"])
        await story.days(1)
    # 80% of 50 and 50; then 20, then 25 as well, then the first counts for nothing, then both
    assert found == [70, 70, 60, 40, 25, 0]
    assert await what_differs_from_recomputed(story) == []


async def test_the_age_of_a_claim_of_an_unnamed_centre_counts_from_the_end_of_its_day(story: Story) -> None:
    pl = await story.centre("pl", naming=Naming.ANONYMOUS)
    await story.set("confidence.any", "4d=50")
    for name, at in (("a", -1.0), ("b", -0.5)):  # at midnight, and at noon of the same day
        value = {"a": "198.51.100.7", "b": "203.0.113.9"}[name]
        await story.batch((pl, an_indicator(value, name, at=at * DAY_S, created=day(-2), confidence=60)))
    await story.days(3)
    assert [obj["confidence"] for obj in (await story.shown("community", "indicator")).values()] == [60, 60]
    await story.days(1)
    assert [obj["confidence"] for obj in (await story.shown("community", "indicator")).values()] == [30, 30]


async def test_what_falls_below_the_least_confidence_of_a_collection_leaves_it(story: Story) -> None:
    await story.collection("sure", Level.GREEN, "community", min_confidence=40)
    await story.set("confidence.any", "5d=50")
    await story.batch((await story.centre("ro"), an_indicator(confidence=60, at=0)))
    assert await story.only("sure")
    await story.days(5)
    assert await story.shown("sure", "indicator") == {}
    assert (await story.only("community"))["confidence"] == 30


async def test_another_value_counts_for_what_is_shown_already(story: Story) -> None:
    await story.batch((await story.centre("ro"), ending(0)))
    await story.days(10)
    await story.set("grace", "10d")
    assert await story.only("community")
    await story.set("grace", "9d")
    assert await story.shown("community") == {}
    await story.set("grace", "forever")
    assert await story.only("community")
    await story.days(1_000)
    assert await story.only("community")


# ---------------------------------------------------------------- retention


async def test_superseded_versions_leave_the_log_after_their_time_and_the_content_stays(tmp_path: Path) -> None:
    story = await Story.begin(tmp_path, task_claims=2)
    ro = await story.centre("ro")
    for number in range(4):
        said = {"name": f"m {number}", "at": -100 + number}
        await story.batch((ro, malware("m", **said)), (ro, ending(90, labels=[f"l{number}"], at=-100 + number)))
    await story.batch((ro, an_object("malware", "m")["id"]))
    before, content, objects = (
        await story.log("community"),
        await story.shown("community"),
        len(await story.log("public")),
    )
    await story.days(8)
    assert await story.log("community") == before
    await story.set("retention.versions", "10d")
    assert await story.log("community") == before
    await story.days(3)
    after = await story.log("community")
    last = {row.object_id: row.seq for row in before}
    assert {row.seq for row in after} >= set(last.values())
    assert len(before) - len(after) == 3 + 3  # of four versions each the last stays, also of what was withdrawn
    assert await story.shown("community") == content
    for start in range(before[-1].seq):  # whoever has read up to here ends with the same content
        held = {row.object_id for row in before if row.seq <= start and not row.withdrawn}
        held -= {row.object_id for row in before if row.seq <= start and row.withdrawn}
        for row in after:
            if row.seq > start:
                (held.discard if row.withdrawn else held.add)(row.object_id)
        assert held == content.keys()
    await story.batch((ro, malware("m", name="again", at=0)), (ro, ending(90, labels=["l9"], at=0)))
    assert await what_differs_from_recomputed(story) == []
    assert len(await story.log("public")) == objects
    await story.close()


# ---------------------------------------------------------------- the date


async def test_setting_the_same_date_again_changes_nothing(story: Story) -> None:
    await story.batch((await story.centre("ro"), ending(0)))
    await story.days(31)
    before = await story.stored()
    await story.sweep()
    story.now_us += DAY_US // 2
    await story.sweep()
    assert await story.stored() == before


async def test_only_views_whose_date_has_come_are_computed_and_in_bounded_steps(tmp_path: Path) -> None:
    story = await Story.begin(task_claims=3)
    ro = await story.centre("ro")
    await story.batch(*((ro, ending(0, f"{n}", value=f"198.51.100.{n}")) for n in range(8)))
    await story.batch(*((ro, ending(9, f"b{n}", value=f"203.0.113.{n}")) for n in range(8)))
    story.now_us += 31 * DAY_US
    await story.worker.do_tasks()  # sets the date
    await story.worker.do_tasks()  # one task for each collection
    left = []
    while await story.worker.do_tasks():
        left.append(len(await story.shown("community", "indicator")))
    assert left == [13, 10, 8]
    await story.close()


async def test_a_worker_that_is_killed_leaves_the_rest_to_the_next(tmp_path: Path) -> None:
    story = await Story.begin(tmp_path, task_claims=2)
    ro = await story.centre("ro")
    await story.batch(*((ro, ending(0, f"{n}", value=f"198.51.100.{n}")) for n in range(5)))
    story.now_us += 31 * DAY_US
    left = []
    while await story.worker.do_tasks():
        left.append(len(await story.shown("community", "indicator")))
        await story.close()
        story = Story(InStore(await open_store(tmp_path)), story.settings, story.now_us)
    assert left[-3:] == [3, 1, 0]
    assert await what_differs_from_recomputed(story) == []
    await story.close()


async def test_how_many_leave_in_a_step_of_a_collection_depends_on_what_it_shows(tmp_path: Path) -> None:
    """INV-5: what others see does not divide the rows of a collection, nor date them."""
    rows = []
    for others in (0, 7):
        story = await Story.begin(task_claims=3)
        ro = await story.centre("ro")
        hidden = [(ro, ending(-1, f"h{n}", value=f"203.0.113.{n}", tlp="amber")) for n in range(others)]
        await story.batch(*hidden, *((ro, ending(0, f"{n}", value=f"198.51.100.{n}")) for n in range(5)))
        for _ in range(33):
            story.now_us += DAY_US
            for _ in range(5):
                await story.worker.do_tasks()
                story.now_us += 1_000_000
        rows.append(bytes_of(await story.log("community")))
        await story.close()
    assert rows[0] == rows[1]


@few(25)
@given(history=dense_histories(dates=True))
async def test_a_date_set_day_by_day_ends_in_the_same_content_as_one_set_at_once(history: History) -> None:
    """INV-16, and INV-18 on both hubs."""
    async with a_hub() as one, a_hub() as other:
        at_once, by_day = Telling(one, history), Telling(other, history)
        by_day.by_day = True
        for telling in (at_once, by_day):
            await telling.tell()
            assert await what_differs_from_recomputed(telling.story) == []
        assert await what_differs(at_once, by_day) == {}
