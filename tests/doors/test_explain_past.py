"""``explain`` at an earlier change: what the log has, and which of today's claims had arrived; nothing is invented."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx
import pytest

from hub.model.times import DAY_US
from tests.doors.hubs import Hub
from tests.story import an_indicator, malware, moment

ADDRESS = "198.51.100.7"
PATTERN = "[ipv4-addr:value = '198.51.100.7']"


async def asked(hub: Hub, what: str, at: int, collection: str = "community", who: str | None = "soc") -> httpx.Response:
    params = {"at": at, "collection": collection}
    return await hub.get(f"/v1/explain/{quote(what, safe='')}", who, params=params)


async def then(hub: Hub, what: str, at: int, **how: Any) -> Any:
    answer = await asked(hub, what, at, **how)
    assert answer.status_code == 200, answer.text
    assert answer.json()["at"] == at
    (thing,) = answer.json()["things"]
    return thing["then"]


async def code(hub: Hub, what: str, at: int, **how: Any) -> tuple[int, str]:
    answer = await asked(hub, what, at, **how)
    return answer.status_code, answer.json()["code"]


async def changes_of(hub: Hub, shown_type: str = "indicator", collection: str = "community") -> list[int]:
    """The numbers of the changes of objects of a type."""
    no = (await hub.collection(collection)).no
    page = await hub.store.logs.page(no, 0, limit=100, limit_bytes=1 << 20)  # type: ignore[arg-type]
    return [row.seq for row in page.rows if row.type == shown_type]


async def test_each_version_has_the_sources_that_it_had(hub: Hub) -> None:
    await hub.tell("ro", an_indicator(confidence=60))
    await hub.tell("it", an_indicator(confidence=50))
    await hub.tell("ro", an_indicator(confidence=70, at=60))
    first, second, third = await changes_of(hub)
    last = await then(hub, ADDRESS, third)
    assert (last["is_current"], last["confidence"], last["voices"]) == (True, 85, 2)
    assert {claim["centre"]: claim["confidence"] for claim in last["claims"]} == {"ro": 70, "it": 50}
    middle = await then(hub, ADDRESS, third - 1)
    assert (middle["seq"], middle["is_current"], middle["confidence"]) == (second, False, 80)
    assert [source["name"] for source in middle["sources"]] == ["it", "ro"]
    assert [claim["centre"] for claim in middle["claims"]] == ["it"]  # that of ro has been replaced since
    oldest = await then(hub, PATTERN, first)
    assert (oldest["confidence"], [source["name"] for source in oldest["sources"]]) == (60, ["ro"])
    assert oldest["claims"] == []
    assert oldest["object"]["modified"] < middle["object"]["modified"]
    assert oldest["object"]["id"] == middle["object"]["id"]


async def test_what_was_shown_before_a_withdrawal_is_found_by_its_old_id_and_by_the_value(hub: Hub) -> None:
    said = an_indicator(confidence=60)
    await hub.tell("ro", said)
    (first,) = await changes_of(hub)
    shown = (await then(hub, ADDRESS, first))["object"]["id"]
    await hub.withdraw("ro", said["id"], soft=True)
    await hub.tell("ro", an_indicator(confidence=90, at=60))
    _, gone, again = await changes_of(hub)
    for what in (ADDRESS, shown):
        assert [(await then(hub, what, at))["state"] for at in (first, gone, again)] == ["live", "withdrawn", "live"]
        assert (await then(hub, what, first))["object"]["id"] == shown
    assert (await then(hub, ADDRESS, again))["object"]["id"] != shown


async def test_an_owners_object_that_came_back_under_its_id_is_found(hub: Hub) -> None:
    await hub.tell("ro", malware(name="first"))
    await hub.withdraw("ro", malware()["id"], soft=True)
    await hub.tell("ro", malware(name="again", at=60))
    first, gone, again = await changes_of(hub, "malware")
    names = [(await then(hub, malware()["id"], at))["object"] for at in (first, gone, again)]
    assert [obj and obj["name"] for obj in names] == ["first", None, "again"]


async def test_a_number_before_the_thing_or_beyond_the_end_is_told(hub: Hub) -> None:
    await hub.tell("ro", malware())
    await hub.tell("ro", an_indicator())
    (seq,) = await changes_of(hub)
    assert await code(hub, ADDRESS, seq - 1) == (404, "explain.at-before")
    assert f"change {seq}" in (await asked(hub, ADDRESS, seq - 1)).json()["detail"]
    assert await code(hub, ADDRESS, seq + 1_000) == (400, "explain.at-beyond")
    assert await code(hub, ADDRESS, 2**62) == (400, "explain.at-beyond")
    assert (await asked(hub, ADDRESS, 0)).status_code == 400


async def test_a_question_needs_a_number_and_a_collection_that_one_may_read(hub: Hub) -> None:
    await hub.tell("ro", an_indicator())
    assert await code(hub, ADDRESS, 1, collection="nowhere") == (404, "collection.unknown")
    assert await code(hub, ADDRESS, 1, collection="network") == (404, "collection.unknown")
    assert await code(hub, ADDRESS, 1, who=None) == (401, "auth.missing")
    assert await code(hub, "198.51.100.9", 1) == (404, "explain.unknown")
    for params in ({"at": 1}, {"collection": "community"}):
        answer = await hub.get(f"/v1/explain/{ADDRESS}", "soc", params=params)
        assert (answer.status_code, answer.json()["code"]) == (400, "explain.at")


@pytest.mark.parametrize(("key", "value"), [("versions", "1d"), ("per-object", "1")])
async def test_versions_that_were_deleted_are_not_made_up(hub: Hub, key: str, value: str) -> None:
    await hub.registry.settings.set(f"retention.{key}", value)
    await hub.tell("ro", an_indicator(confidence=60))
    await hub.tell("ro", an_indicator(confidence=70, at=60))
    await hub.tell("ro", an_indicator(confidence=80, at=120))
    first, _, last = await changes_of(hub)
    hub.clock.us += 3 * DAY_US
    await hub.settle()
    assert await changes_of(hub) == [last]
    assert await code(hub, ADDRESS, first) == (404, "explain.at-deleted")
    assert (await then(hub, ADDRESS, last))["confidence"] == 80


async def test_a_claim_that_one_may_not_see_is_not_told_of(hub: Hub) -> None:
    await hub.tell("ro", an_indicator(confidence=60))
    (seq,) = await changes_of(hub)
    before = (await asked(hub, ADDRESS, seq)).json()
    await hub.tell("it", an_indicator(confidence=90, tlp="amber"))
    assert (await asked(hub, ADDRESS, seq)).json() == before


async def test_when_a_claim_of_an_unnamed_centre_arrived_cannot_be_found_out(hub: Hub) -> None:
    await hub.centre("pl", country="PL", naming="anonymous")
    await hub.tell("pl", an_indicator(confidence=60))
    await hub.tell("ro", an_indicator(confidence=50))
    await hub.tell("ro", an_indicator(confidence=55, at=60))
    first, second, third = await changes_of(hub)
    assert (await then(hub, ADDRESS, second))["claims"] == []
    assert [claim["centre"] for claim in (await then(hub, ADDRESS, second, who="pl"))["claims"]] == ["pl"]
    assert sorted(claim["centre"] for claim in (await then(hub, ADDRESS, third))["claims"]) == ["anonymous", "ro"]
    assert "pl" not in (await asked(hub, ADDRESS, first)).text.replace("application", "")


async def test_an_operator_may_ask_about_any_collection(hub: Hub) -> None:
    await hub.operator()
    said = an_indicator(tlp="amber")
    await hub.tell("it", said)
    (seq,) = await changes_of(hub, collection="network")
    found = await then(hub, said["id"], seq, collection="network", who="ops")
    assert [claim["id"] for claim in found["claims"]] == [said["id"]]
    assert moment(0)[:4] in found["date_added"]
