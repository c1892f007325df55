"""``/v1/collections/{name}/changes``: what is new, changed or withdrawn since a change or a time, page by page."""

from __future__ import annotations

from typing import Any

from schemas.lookup import CollectionChanges
from tests.doors.hubs import Hub, addresses
from tests.story import an_indicator, malware, moment


async def changes(hub: Hub, query: str = "", who: str | None = "soc", collection: str = "community") -> Any:
    answer = await hub.get(f"/v1/collections/{collection}/changes{query}", who)
    assert answer.status_code == 200, answer.text
    CollectionChanges.model_validate_json(answer.content)
    return answer.json()


def told(page: Any) -> list[tuple[str, str | None]]:
    return [(one["change"], one.get("value")) for one in page["changes"] if one["type"] == "indicator"]


async def test_a_thing_is_new_then_changed_then_withdrawn_then_new_again(hub: Hub) -> None:
    said = an_indicator(confidence=70)
    await hub.tell("ro", said)
    await hub.tell("ro", an_indicator(confidence=30, modified=moment(1)))
    await hub.withdraw("ro", said["id"])
    await hub.tell("ro", an_indicator(confidence=40, modified=moment(60)))
    page = await changes(hub)
    assert told(page) == [(what, "198.51.100.7") for what in ("new", "changed", "withdrawn", "new")]
    first = next(one for one in page["changes"] if one["type"] == "indicator")
    assert first["confidence"] == 70
    assert page["next"] == page["changes"][-1]["seq"]
    assert not page["more"]


async def test_pages_follow_one_another_and_then_wait_for_what_comes(hub: Hub) -> None:
    await hub.tell("ro", *addresses(12))
    whole = await changes(hub)
    found, since, more = [], 0, True
    while more:
        page = await changes(hub, f"?since={since}&limit=5")
        found += page["changes"]
        since, more = page["next"], page["more"]
    assert found == whole["changes"]
    assert await changes(hub, f"?since={since}") == {"changes": [], "next": since, "more": False}
    await hub.tell("ro", an_indicator())
    assert told(await changes(hub, f"?since={since}")) == [("new", "198.51.100.7")]


async def test_a_time_is_where_to_begin_and_next_goes_on_from_there(hub: Hub) -> None:
    await hub.tell("ro", *addresses(2))
    last = (await changes(hub))["changes"][-1]
    await hub.tell("ro", an_indicator())
    assert told(await changes(hub, f"?since={last['date_added']}")) == [("new", "198.51.100.7")]
    later = await changes(hub, "?since=2100-01-01T00:00:00Z")
    assert (later["changes"], later["next"]) == ([], (await changes(hub))["next"])


async def test_each_type_says_its_value_as_far_as_it_has_one(hub: Hub) -> None:
    sets = "[ipv4-addr:value IN ('198.51.100.7', '203.0.113.5')]"
    await hub.tell("ro", an_indicator(sets), malware())
    page = await changes(hub)
    values = {one["type"]: one.get("value") for one in page["changes"]}
    assert values["indicator"] == sets
    assert values["malware"] is None or isinstance(values["malware"], str)


async def test_who_may_read_a_collection_may_read_its_changes(hub: Hub) -> None:
    await hub.tell("ro", an_indicator(tlp="clear"))
    assert told(await changes(hub, "", None, "public")) == [("new", "198.51.100.7")]
    assert (await hub.get("/v1/collections/community/changes")).status_code == 401
    assert (await hub.get("/v1/collections/network/changes", "soc")).status_code == 404


async def test_what_cannot_be_asked_is_refused(hub: Hub) -> None:
    for query, code in (
        ("since=yesterday", "since.invalid"), ("limit=0", "http.parameter"), ("limit=10001", "http.parameter"),
        ("since=" + "9" * 65, "http.parameter"), ("since=-1", "since.invalid"),
    ):  # fmt: skip
        answer = await hub.get(f"/v1/collections/community/changes?{query}", "soc")
        assert (answer.status_code, answer.json()["code"]) == (400, code), query
