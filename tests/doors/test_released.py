"""What an operator has released stands: the same claim sent again is unchanged, and waits for nobody."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hub.core.hold import WarningLists
from tests.doors.hubs import Hub, a_hub
from tests.story import an_indicator, moment

NETWORK = "0.0.0.0/0"


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with a_hub(tmp_path, hold=WarningLists().holds) as hub:
        await hub.centre()
        yield hub


async def released(hub: Hub) -> dict[str, Any]:
    """What was held, and let in by the operator."""
    said = an_indicator(NETWORK)
    await hub.tell("ro", said)
    await hub.registry.held.release([1])
    await hub.settle()
    return said


async def test_a_released_claim_sent_again_is_unchanged(hub: Hub) -> None:
    said = an_indicator(NETWORK)
    assert (await hub.tell("ro", said))["held"] == 1
    await hub.registry.held.release([1])
    again = await hub.tell("ro", said)
    assert (again["unchanged"], again["held"]) == (1, 0)
    assert [problem["code"] for problem in again["problems"]] == ["version.same"]
    assert await hub.registry.held.all() == []


async def test_a_new_version_of_a_released_claim_waits_again_and_the_old_one_stands(hub: Hub) -> None:
    said = await released(hub)
    newer = await hub.tell("ro", {**said, "modified": moment(-60)})
    assert (newer["unchanged"], newer["held"]) == (0, 1)
    older = await hub.tell("ro", said)
    assert [problem["code"] for problem in older["problems"]] == ["version.same"]


async def test_what_was_softly_withdrawn_after_its_release_waits_again(hub: Hub) -> None:
    said = await released(hub)
    assert (await hub.withdraw("ro", said["id"], soft=True))["accepted"] == 1
    assert (await hub.tell("ro", said))["held"] == 1


async def test_what_was_withdrawn_while_it_waited_cannot_be_released_any_more(hub: Hub) -> None:
    said = an_indicator(NETWORK)
    assert (await hub.tell("ro", said))["held"] == 1
    await hub.withdraw("ro", said["id"])
    assert await hub.registry.held.all() == []
    (kept_out,) = (await hub.tell("ro", said))["problems"]
    assert kept_out["code"] == "withdrawal.stands"  # and the operator is not asked again
    assert await hub.registry.held.all() == []


async def test_what_is_sent_again_while_it_waits_waits_once(hub: Hub) -> None:
    said = an_indicator(NETWORK)
    for _ in range(3):
        assert (await hub.tell("ro", said))["held"] == 1
    assert len(await hub.registry.held.all()) == 1


async def test_a_newer_version_that_nothing_holds_overtakes_the_one_that_waits(hub: Hub) -> None:
    said = an_indicator(NETWORK)
    await hub.tell("ro", said)
    mended = {**said, "pattern": "[ipv4-addr:value = '198.51.100.9']", "modified": moment(-60)}
    assert (await hub.tell("ro", mended))["accepted"] == 1
    assert await hub.registry.held.all() == []


async def test_one_batch_overtakes_all_that_waits(hub: Hub) -> None:
    said = [an_indicator(NETWORK, f"{i}") for i in range(3)]
    assert (await hub.tell("ro", *said))["held"] == 3
    mended = [
        {**one, "pattern": f"[ipv4-addr:value = '198.51.100.{i}']", "modified": moment(-60)}
        for i, one in enumerate(said)
    ]
    assert (await hub.tell("ro", *mended[:2]))["accepted"] == 2
    assert [one.stix_id for one in await hub.registry.held.all()] == [said[2]["id"]]


async def test_what_an_operator_refused_is_not_asked_again_until_it_changes(hub: Hub) -> None:
    said = an_indicator(NETWORK)
    await hub.tell("ro", said)
    assert await hub.registry.held.refuse(all_=True) == 1
    again = await hub.tell("ro", said)
    assert (again["unchanged"], again["problems"][0]["code"]) == (1, "held.refused")
    assert await hub.registry.held.all() == []
    assert (await hub.tell("ro", {**said, "modified": moment(-60)}))["held"] == 1


async def test_taking_back_what_waits_is_no_mistake(hub: Hub) -> None:
    said = an_indicator(NETWORK)
    await hub.tell("ro", said)
    assert (await hub.withdraw("ro", said["id"]))["accepted"] == 1
    assert (await hub.withdraw("ro", said["id"]))["unchanged"] == 1
    assert await hub.registry.held.all() == []


async def test_an_older_version_does_not_overtake_the_one_that_waits(hub: Hub) -> None:
    good = "[ipv4-addr:value = '198.51.100.9']"
    said = an_indicator(NETWORK, at=-100)
    await hub.tell("ro", {**said, "pattern": good, "modified": moment(-300)})
    assert (await hub.tell("ro", said))["held"] == 1
    assert (await hub.tell("ro", {**said, "pattern": good, "modified": moment(-200)}))["accepted"] == 1
    assert [one.stix_id for one in await hub.registry.held.all()] == [said["id"]]
