"""TAXII 2.1 by its sections: filters, versions, single objects, withdrawals, and what one may not see."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from hub.model.principals import PrincipalKind
from hub.model.times import parse_us
from tests.doors.hubs import Hub, addresses, ids
from tests.doors.streams import read_stream
from tests.story import an_indicator, an_object, moment


async def objects(hub: Hub, query: str = "", collection: str = "community", who: str = "soc") -> list[Any]:
    found: list[Any] = []
    more = f"?{query}"
    while True:
        answer = await hub.get(await hub.objects_url(collection) + more, who)
        assert answer.status_code == 200, answer.text
        found += answer.json()["objects"]
        if not answer.json()["more"]:
            return found
        more = f"?{query}&next={answer.json()['next']}"


async def an_indicator_with_versions(hub: Hub, count: int = 3) -> list[Any]:
    """All versions of one indicator's view, the oldest first."""
    for no in range(count):
        await hub.tell("ro", an_indicator(confidence=10 + no, at=-3600 + no))
    return await objects(hub, "match[type]=indicator&match[version]=all")


# ---------------------------------------------------------------- 3.4: filters


async def test_match_type_takes_several_types(hub: Hub) -> None:
    await hub.tell("ro", *addresses(3), an_object("malware", "m", name="m", is_family=False))
    found = await objects(hub, "match[type]=malware,indicator")
    assert sorted(one["type"] for one in found) == ["indicator"] * 3 + ["malware"]
    assert await objects(hub, "match[type]=tool") == []


async def test_match_works_with_encoded_brackets(hub: Hub) -> None:
    await hub.tell("ro", *addresses(3))
    assert len(await objects(hub, "match%5Btype%5D=indicator")) == 3


async def test_match_id_finds_objects_by_id_in_order_and_page_by_page(hub: Hub) -> None:
    await hub.tell("ro", *addresses(30))
    every = await objects(hub, "match[type]=indicator")
    wanted = [every[20], every[3], every[11]]
    found = await objects(hub, "match[id]=" + ",".join(ids(wanted)) + "&limit=1")
    assert found == [every[3], every[11], every[20]]
    assert await objects(hub, f"match[id]={every[3]['id']}&match[type]=malware") == []


async def test_match_spec_version_lets_2_1_pass(hub: Hub) -> None:
    await hub.tell("ro", *addresses(3))
    assert await objects(hub, "match[spec_version]=2.1,2.0") == await objects(hub)
    assert await objects(hub, "match[spec_version]=2.0") == []


async def test_a_filter_that_nobody_knows_is_ignored(hub: Hub) -> None:
    await hub.tell("ro", *addresses(3))
    assert await objects(hub, "match[colour]=red&foo=bar") == await objects(hub)


async def test_match_version_chooses_among_the_versions_of_each_object(hub: Hub) -> None:
    versions = await an_indicator_with_versions(hub)
    assert [one["confidence"] for one in versions] == [10, 11, 12]
    kind = "match[type]=indicator"
    assert await objects(hub, kind) == [versions[2]]
    assert await objects(hub, f"{kind}&match[version]=last") == [versions[2]]
    assert await objects(hub, f"{kind}&match[version]=first") == [versions[0]]
    assert await objects(hub, f"{kind}&match[version]=first,last") == [versions[0], versions[2]]
    middle = versions[1]["modified"]
    assert await objects(hub, f"{kind}&match[version]={middle}") == [versions[1]]
    assert await objects(hub, f"{kind}&match[version]={middle},last&limit=1") == [versions[1], versions[2]]
    assert await objects(hub, f"{kind}&match[version]=all,first") == versions
    assert await objects(hub, f"{kind}&match[version]=2001-01-01T00:00:00Z") == []


async def test_several_versions_page_without_loss(hub: Hub) -> None:
    for no in range(4):
        await hub.tell("ro", *addresses(9, confidence=20 + no, at=-3600 + no))
    every = await objects(hub, "match[version]=all")
    of_interest = [one for one in every if one.get("confidence") in (None, 20, 23)]
    assert await objects(hub, "match[version]=first,last&limit=3") == of_interest


async def test_rare_types_among_many_others_come_in_order(hub: Hub) -> None:
    for no in range(3):
        malware = an_object("malware", f"m{no}", name=f"m{no}", is_family=False)
        await hub.tell("ro", malware, *addresses(30, start=100 * no), an_object("tool", f"t{no}", name=f"t{no}"))
    every = [one for one in await objects(hub) if one["type"] in ("malware", "tool")]
    assert [one["name"] for one in every] == ["m0", "t0", "m1", "t1", "m2", "t2"]
    for limit in (1, 2, 4, 10):
        assert await objects(hub, f"match[type]=tool,malware,campaign&limit={limit}") == every


async def test_a_filter_takes_only_so_many_values(hub: Hub) -> None:
    many = ",".join(f"x-{no}" for no in range(51))
    answer = await hub.get(await hub.objects_url("community") + f"?match[type]={many}", "soc")
    assert (answer.status_code, answer.json()["error_code"]) == (400, "taxii.match")


async def test_a_version_that_is_none_is_refused(hub: Hub) -> None:
    answer = await hub.get(await hub.objects_url("community") + "?match[version]=newest", "soc")
    assert answer.status_code == 400


# ---------------------------------------------------------------- 5.3, 5.6, 5.8: manifests, objects, versions


async def test_a_manifest_tells_the_version_of_every_object(hub: Hub) -> None:
    await hub.tell("ro", an_indicator(), an_object("malware", "m", name="m", is_family=False), {
        "type": "ipv4-addr", "spec_version": "2.1", "id": "ipv4-addr--5853f6a4-638f-5b4e-9b0f-ded361ae3812",
        "value": "198.51.100.3", "object_marking_refs": an_indicator()["object_marking_refs"],
    })  # fmt: skip
    url = (await hub.objects_url("community")).replace("objects", "manifest")
    manifest = (await hub.get(url, "soc")).json()["objects"]
    shown = await objects(hub)
    assert ids(manifest) == ids(shown)
    for record, one in zip(manifest, shown, strict=True):
        assert set(record) == {"id", "date_added", "version", "media_type"}
        assert record["media_type"] == "application/stix+json;version=2.1"
        version = one.get("modified", one.get("created", record["date_added"]))
        assert parse_us(record["version"]) == parse_us(version)


async def test_one_object_is_read_by_its_id_with_its_versions(hub: Hub) -> None:
    versions = await an_indicator_with_versions(hub)
    url = await hub.objects_url("community") + versions[0]["id"] + "/"
    assert (await hub.get(url, "soc")).json() == {"more": False, "objects": [versions[2]]}
    assert (await hub.get(url + "?match[version]=all", "soc")).json()["objects"] == versions
    assert (await hub.get(url + "?match[version]=first", "soc")).json()["objects"] == versions[:1]
    answer = await hub.get(url + "versions/", "soc")
    assert answer.json() == {"more": False, "versions": [one["modified"] for one in versions]}
    assert parse_us(answer.headers["x-taxii-date-added-first"]) // 1000 == parse_us(versions[0]["modified"]) // 1000


async def test_the_versions_of_an_object_come_in_pages(hub: Hub) -> None:
    versions = await an_indicator_with_versions(hub)
    url = await hub.objects_url("community") + versions[0]["id"] + "/versions/"
    found: list[str] = []
    more = "?limit=1"
    while True:
        body = (await hub.get(url + more, "soc")).json()
        found += body["versions"]
        if not body["more"]:
            break
        more = f"?limit=1&next={body['next']}"
    assert found == [one["modified"] for one in versions]


async def test_an_object_that_is_there_and_filtered_out_is_no_404(hub: Hub) -> None:
    await hub.tell("ro", an_indicator())
    one = (await objects(hub, "match[type]=indicator"))[0]["id"]
    answer = await hub.get(await hub.objects_url("community") + f"{one}/?added_after=2030-01-01T00:00:00Z", "soc")
    assert (answer.status_code, answer.json()) == (200, {"more": False, "objects": []})


@pytest.mark.parametrize("said", ["indicator--00000000-0000-4000-8000-000000000000", "x", "a--b", "%F0%9F%92%A9"])
async def test_an_object_that_is_not_there_is_a_404(hub: Hub, said: str) -> None:
    for path in (said, f"{said}/versions"):
        answer = await hub.get(await hub.objects_url("community") + path, "soc")
        assert answer.status_code == 404
        assert answer.json()["error_code"] == "taxii.object"


# ---------------------------------------------------------------- withdrawals


async def test_a_withdrawn_indicator_gets_a_last_version_that_is_revoked_and_else_the_same(hub: Hub) -> None:
    said = an_indicator(confidence=40)
    await hub.tell("ro", said)
    before = (await objects(hub, "match[type]=indicator"))[0]
    await hub.withdraw("ro", said["id"])
    after = (await objects(hub, "match[type]=indicator"))[0]
    assert after == {**before, "modified": after["modified"], "revoked": True}
    assert after["modified"] > before["modified"]
    assert await objects(hub, "match[type]=indicator&match[version]=all") == [before, after]


async def test_an_owners_object_that_is_withdrawn_leaves_the_collection(hub: Hub) -> None:
    said = an_object("malware", "m", name="m", is_family=False)
    await hub.tell("ro", said)
    assert [one["name"] for one in await objects(hub, "match[type]=malware")] == ["m"]
    await hub.withdraw("ro", said["id"])
    assert await objects(hub, "match[type]=malware&match[version]=all") == []
    assert (await hub.get(await hub.objects_url("community") + said["id"], "soc")).status_code == 404


async def test_taxii_and_the_stream_say_the_same_in_the_same_order(hub: Hub) -> None:
    await hub.tell("ro", *addresses(12), an_object("malware", "m", name="m", is_family=False))
    await hub.tell("it", *addresses(5, confidence=70))
    events = await read_stream(hub, "community", "soc")
    streamed = [event.data for event in events if event.name == "object"]
    assert await objects(hub, "match[version]=all") == streamed
    newest: dict[str, Any] = {}
    for one in streamed:
        newest.pop(one["id"], None)
        newest[one["id"]] = one
    assert await objects(hub) == list(newest.values())


# ---------------------------------------------------------------- what one may not see


async def test_what_one_may_not_read_looks_like_what_is_not_there(hub: Hub) -> None:
    hidden = await hub.objects_url("network")
    unknown = hidden.replace(hidden.split("/")[4], "1f0c6c55-6d3f-4d3c-9a53-0c1e3f1f6a11")
    for one, other in ((hidden, unknown), (hidden.removesuffix("objects/"), unknown.removesuffix("objects/"))):
        first, second = await hub.get(one, "soc"), await hub.get(other, "soc")
        assert first.status_code == second.status_code == 404
        assert first.content == second.content


async def test_an_amber_claim_changes_no_byte_of_a_green_page(hub: Hub) -> None:
    await hub.tell("ro", an_indicator(confidence=60))
    url = await hub.objects_url("community")
    before = await hub.get(url, "soc")
    await hub.tell("it", an_indicator(confidence=80, tlp="amber"))
    after = await hub.get(url, "soc")
    assert after.content == before.content
    assert after.headers == before.headers


async def test_a_suspended_member_is_out(hub: Hub) -> None:
    await hub.registry.principals.suspend("soc", PrincipalKind.MEMBER)
    assert (await hub.get("/taxii2/", "soc")).status_code == 401


async def test_errors_are_taxii_error_resources(hub: Hub) -> None:
    answer = await hub.get("/taxii2/root/collections/nowhere/", "soc")
    assert answer.status_code == 404
    assert set(answer.json()) == {"title", "description", "error_code", "http_status"}
    answer = await hub.http.put("/taxii2/", headers=hub.auth("soc"))
    assert (answer.status_code, answer.json()["http_status"]) == (405, "405")
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS"


async def test_owners_times_are_shown_as_they_are(hub: Hub) -> None:
    said = an_object("malware", "m", name="m", is_family=False, at=-7000)
    await hub.tell("ro", said)
    [found] = await objects(hub, "match[type]=malware&match[version]=" + quote(moment(-7000)))
    assert found["modified"] == said["modified"]
