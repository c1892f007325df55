"""``/v1/sightings`` and ``/v1/feedback``: how things are named, and that nothing tells what one may not see."""

from __future__ import annotations

from typing import Any

import pytest

from hub.model.extensions import VIEW_EXTENSION
from tests.doors.hubs import Hub
from tests.story import an_indicator, an_object


async def report(hub: Hub, what: str, body: Any, who: str = "soc") -> dict[str, Any]:
    answer = await hub.post(f"/v1/{what}", who, json=body)
    assert answer.status_code == 202, answer.text
    await hub.settle()
    return await hub.receipt(who, answer.json()["receipt"])


async def counts(hub: Hub) -> tuple[int, int]:
    (shown,) = [one for one in await objects(hub) if one["type"] == "indicator"]
    said = shown["extensions"][VIEW_EXTENSION]
    return said.get("sightings", 0), said.get("false_positives", 0)


async def objects(hub: Hub) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await hub.get(await hub.objects_url("community"), "soc")).json()["objects"]
    return found


GREEN = {"tlp": "green"}


@pytest.mark.parametrize("value", ["198.51.100.7", "198[.]51.100[.]7", " 198.51.100.7/32 "])
async def test_a_value_in_any_spelling_names_its_thing(hub: Hub, value: str) -> None:
    await hub.tell("ro", an_indicator())
    assert (await report(hub, "sightings", {"value": value, **GREEN}))["accepted"] == 1
    assert (await report(hub, "feedback", {"value": value, "verdict": "false-positive", **GREEN}))["accepted"] == 1
    assert await counts(hub) == (1, 1)


async def test_by_value_by_pattern_and_by_id_a_source_says_it_once_and_may_change_it(hub: Hub) -> None:
    await hub.tell("ro", an_indicator())
    (shown,) = [one["id"] for one in await objects(hub) if one["type"] == "indicator"]
    for named in ({"value": "198.51.100.7"}, {"pattern": "[ipv4-addr:value IN ('198.51.100.7')]"}, {"id": shown}):
        for verdict, false in (("false-positive", 1), ("outdated", 0), ("confirmed", 0)):
            receipt = await report(hub, "feedback", {**named, "verdict": verdict, "reason": "Because.", **GREEN})
            assert receipt["accepted"] == 1, receipt
            assert await counts(hub) == (0, false)
    opinions = [one for one in await objects(hub) if one["type"] == "opinion"]
    assert [(one["opinion"], one["explanation"], one["object_refs"]) for one in opinions] == [
        ("strongly-agree", "Because.", [shown])
    ] * len(opinions)
    assert len({one["id"] for one in opinions}) == 1


async def test_an_observable_may_be_named_by_the_id_that_is_shown(hub: Hub) -> None:
    address = an_object("ipv4-addr", "a", value="198.51.100.7", created=None, modified=None)
    await hub.tell("ro", an_indicator(), address)
    (shown,) = [one["id"] for one in await objects(hub) if one["type"] == "ipv4-addr"]
    seen = {"id": shown, "count": 3, "first_seen": "2026-01-01T00:00:00Z", "last_seen": "2026-01-02T00:00:00.5Z"}
    assert (await report(hub, "sightings", {**seen, **GREEN}))["accepted"] == 1
    assert await counts(hub) == (1, 0)


async def test_a_thing_that_one_may_not_see_is_answered_like_one_that_is_not_there(hub: Hub) -> None:
    await hub.tell("ro", an_indicator("203.0.113.9", tlp="amber"))
    (secret,) = [
        one["id"]
        for one in (await hub.get(await hub.objects_url("network"), "ro")).json()["objects"]
        if one["type"] == "indicator"
    ]
    elsewhere = an_indicator("192.0.2.200")["id"]
    for named in ({"value": "203.0.113.9"}, {"value": "192.0.2.200"}, {"id": secret}, {"id": elsewhere}):
        for what, more in (("sightings", {}), ("feedback", {"verdict": "confirmed"})):
            receipt = await report(hub, what, {**named, **more, **GREEN})
            assert (receipt["accepted"], receipt["problems"]) == (1, [])
    assert [one["type"] for one in await objects(hub) if one["type"] in ("sighting", "opinion")] == []


async def test_many_are_reported_at_once_in_one_receipt(hub: Hub) -> None:
    values = [{"value": f"198.51.100.{n}"} for n in range(200)]
    receipt = await report(hub, "sightings", values)
    assert (receipt["received"], receipt["accepted"]) == (200, 200)


@pytest.mark.parametrize(
    ("what", "body", "code"),
    [
        ("sightings", {"value": "x", "id": "y"}, "sightings.invalid"),
        ("sightings", {}, "sightings.invalid"),
        ("sightings", [], "sightings.invalid"),
        ("sightings", [{"value": "198.51.100.7"}] * 1_001, "sightings.invalid"),
        ("sightings", {"value": "198.51.100.7", "count": 0}, "sightings.invalid"),
        ("sightings", {"value": "198.51.100.7", "last_seen": "yesterday"}, "feedback.thing"),
        ("sightings", {"value": "198.51.100.7", "type": "url"}, "feedback.thing"),
        ("sightings", {"value": "no such thing"}, "feedback.thing"),
        ("sightings", {"pattern": "[ipv4-addr:value = ]"}, "feedback.thing"),
        ("sightings", {"id": "198.51.100.7"}, "feedback.thing"),
        ("sightings", {"id": "ipv4-addr--1d1c9a4e-4d4f-5f6a-9b7c-0a1b2c3d4e5f"}, "feedback.thing"),
        ("feedback", {"value": "198.51.100.7"}, "feedback.invalid"),
        ("feedback", {"value": "198.51.100.7", "verdict": "wrong"}, "feedback.invalid"),
        ("feedback", {"value": "198.51.100.7", "verdict": "confirmed", "tlp": "white"}, "feedback.invalid"),
    ],
)
async def test_what_cannot_be_read_is_refused_and_nothing_of_it_is_taken(
    hub: Hub, what: str, body: Any, code: str
) -> None:
    answer = await hub.post(f"/v1/{what}", "soc", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    await hub.settle()
    assert await objects(hub) == []


async def test_centres_report_too_and_nobody_without_a_token(hub: Hub) -> None:
    await hub.tell("ro", an_indicator())
    assert (await report(hub, "sightings", {"value": "198.51.100.7", **GREEN}, who="ro"))["accepted"] == 1
    assert await counts(hub) == (1, 0)
    assert (await hub.post("/v1/sightings", None, json={"value": "198.51.100.7"})).status_code == 401
