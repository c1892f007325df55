"""Which networks are held, which are shown, and which of these lists made for blocking leave out.

Source: docs/semantics.md, section 5, and docs/decisions/0012.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.core.hold import WarningLists
from hub.model.policy import Widths
from tests.promises.telling import what_differs_from_recomputed
from tests.story import Story, an_indicator, said_of

NETWORK = "203.0.0.0/12"


@pytest.fixture
async def story(tmp_path: Path) -> AsyncIterator[Story]:
    found = await Story.begin(hold=WarningLists().holds)
    yield found
    await found.close()


async def marked(story: Story, name: str = "community") -> dict[str, bool]:
    """The values that the indicators of a collection assert, and whether lists leave them out."""
    return {
        one["value"]: one.get("wide", False)
        for obj in (await story.shown(name, "indicator")).values()
        for one in said_of(obj)["observables"]
    }


@pytest.mark.parametrize(
    ("network", "is_wide"),
    [
        ("203.0.0.0/15", True),
        ("203.0.0.0/16", False),
        ("203.0.113.9", False),
        ("2a00::/28", True),
        ("2a00::/29", False),
    ],
)
async def test_what_is_wider_than_the_default_is_marked(story: Story, network: str, is_wide: bool) -> None:
    kind = "ipv6-addr" if ":" in network else "ipv4-addr"
    await story.batch((await story.centre("ro"), an_indicator(f"[{kind}:value = '{network}']")))
    assert await marked(story) == {network: is_wide}


async def test_each_alternative_of_a_pattern_is_marked_for_itself(story: Story) -> None:
    both = f"[ipv4-addr:value ISSUBSET '{NETWORK}' OR ipv4-addr:value = '198.51.100.7']"
    await story.batch((await story.centre("ro"), an_indicator(both)))
    assert await marked(story) == {NETWORK: True, "198.51.100.7": False}


async def test_one_source_that_is_trusted_with_a_network_is_enough_while_it_claims_it(story: Story) -> None:
    ro, it = await story.centre("ro"), await story.centre("it", widest_blocked=Widths(12, 29))
    mine, theirs = an_indicator(NETWORK, "a"), an_indicator(NETWORK, "b")
    await story.batch((ro, mine))
    assert await marked(story) == {NETWORK: True}
    await story.batch((it, theirs))
    assert await marked(story) == {NETWORK: False}
    await story.batch((it, theirs["id"]))
    assert await marked(story) == {NETWORK: True}


async def test_a_trusted_source_that_an_audience_does_not_see_changes_nothing_for_it(story: Story) -> None:
    ro, it = await story.centre("ro"), await story.centre("it", widest_blocked=Widths(12, 29))
    await story.batch((ro, an_indicator(NETWORK, "a")))
    before = await story.log("community")
    await story.batch((it, an_indicator(NETWORK, "b", tlp="amber")))
    assert await story.log("community") == before
    assert await marked(story, "network") == {NETWORK: False}


async def test_a_change_of_the_width_reaches_the_views_with_wide_networks_and_no_other(story: Story) -> None:
    ro = await story.centre("ro")
    await story.batch((ro, an_indicator(NETWORK)), (ro, an_indicator("198.51.100.7")))
    rows = len(await story.log("community"))
    ro = await story.change_centre(ro, widest_blocked=Widths(12, 29))
    assert await marked(story) == {NETWORK: False, "198.51.100.7": False}
    assert len(await story.log("community")) == rows + 1
    await story.change_centre(ro, widest_blocked=Widths(24, 48))
    assert await marked(story) == {NETWORK: True, "198.51.100.7": False}
    assert await what_differs_from_recomputed(story) == []


async def test_what_is_held_depends_on_the_centre(story: Story) -> None:
    ro = await story.centre("ro")
    it = await story.centre("it", widest_shown=Widths(7, 19))
    pl = await story.centre("pl", widest_shown=Widths(13, 19))
    for centre in (ro, it, pl):
        await story.batch(
            *((centre, an_indicator(value, f"{centre.name} {value}")) for value in ("46.0.0.0/7", NETWORK))
        )
    assert [(await story.counts(centre))["held"] for centre in (ro, it, pl)] == [1, 0, 2]
    assert await marked(story) == {"46.0.0.0/7": True, NETWORK: True}
