"""An observable that one centre has observed thousands of times is merged from its distinct claims."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.story import TLP, Story, TakesBack, an_object


@pytest.fixture
async def story() -> AsyncIterator[Story]:
    story = await Story.begin()
    yield story
    await story.close()


def address(name: str, **more: Any) -> dict[str, Any]:
    return an_object("ipv4-addr", name, value="198.51.100.7", created=None, modified=None, **more)


async def test_of_equal_claims_each_may_go_and_the_last_one_ends_the_view(story: Story) -> None:
    ro = await story.centre("ro")
    said = [address(f"a {number}") for number in range(12)]
    await story.batch(*((ro, one) for one in said))
    rows = await story.log("community")
    for one in said[:-1]:
        await story.batch((ro, TakesBack(one["id"])))
    assert await story.log("community") == rows
    await story.batch((ro, TakesBack(said[-1]["id"])))
    assert await story.shown("community", "ipv4-addr") == {}


async def test_of_many_claims_those_that_differ_in_content_source_or_marking_all_count(story: Story) -> None:
    ro, it = await story.centre("ro"), await story.centre("it")
    statement = an_object(
        "marking-definition", "s", tlp=None, modified=None, definition_type="statement", definition={"statement": "©"}
    )
    await story.batch(
        (ro, statement),
        *((ro, address(f"a {number}")) for number in range(12)),
        *((it, address(f"a {number}", x_seen="it")) for number in range(12)),
        (ro, address("green", x_more="ro")),
        (ro, address("marked", object_marking_refs=[TLP["green"], statement["id"]])),
        (ro, address("amber", tlp="amber", x_secret="yes")),
    )
    shown = await story.only("community", "ipv4-addr")
    assert (shown["x_seen"], shown["x_more"], "x_secret" in shown) == ("it", "ro", False)
    assert statement["id"] in shown["object_marking_refs"]
    assert (await story.only("network", "ipv4-addr"))["x_secret"] == "yes"
