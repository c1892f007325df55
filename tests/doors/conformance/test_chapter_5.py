"""TAXII 2.1, section 5: collections, manifests, objects, adding, one object, deleting, versions."""

from __future__ import annotations

from typing import Any

import pytest

from hub.model.times import parse_us
from tests.doors.conformance.asking import (
    COLLECTIONS,
    FIRST,
    LAST,
    NOWHERE,
    ROOT,
    STIX,
    TAXII,
    UNVERSIONED,
    Full,
    add,
    added,
    an_indicator,
    ask_for,
    filled,
    intake_of,
    malware,
    resource,
    shown,
)  # fmt: skip
from tests.doors.hubs import Hub, a_bundle, ids
from tests.story import TLP

pytestmark = pytest.mark.asyncio(loop_scope="module")
LATER = "added_after=2100-01-01T00:00:00Z"


async def a_delete(hub: Hub, url: str, who: str | None = "ro") -> Any:
    return await hub.http.delete(url, headers={**hub.auth(who), "accept": TAXII})


async def of_intake(hub: Hub, path: str = "") -> str:
    return f"{COLLECTIONS}{(await intake_of(hub))['id']}/{path}"


# ---------------------------------------------------------------- 5.1 and 5.2: collections


async def test_the_collections_are_those_that_can_be_read_or_written(full: Full) -> None:
    for who, names in (("ro", {"community", "network", "public"}), ("soc", {"community", "public"})):
        found = resource(await full.hub.get(COLLECTIONS, who))["collections"]
        assert {one["title"] for one in found if one["can_read"]} == names
        assert all(one["can_read"] or one["can_write"] for one in found)


async def test_each_collection_of_the_list_is_the_one_of_its_id(full: Full) -> None:
    listed = resource(await full.hub.get(COLLECTIONS, "ro"))["collections"]
    assert len(listed) >= 3
    for one in listed:
        answer = await full.hub.get(f"{COLLECTIONS}{one['id']}/", "ro")
        assert (answer.status_code, resource(answer)) == (200, one)


async def test_no_two_collections_have_the_same_alias(full: Full) -> None:
    listed = resource(await full.hub.get(COLLECTIONS, "ro"))["collections"]
    aliases = [one["alias"] for one in listed if "alias" in one]
    assert len(set(aliases)) == len(aliases)


async def test_a_collection_names_every_media_type_that_it_stores(full: Full) -> None:
    hub, asked = full
    assert resource(await hub.get(asked.collection, "soc"))["media_types"] == [STIX]
    versions = {one["spec_version"] for one in await shown(hub, asked.objects)}
    assert {f"application/stix+json;version={one}" for one in versions} == {STIX}


async def test_can_read_says_whether_objects_can_be_read(full: Full) -> None:
    for one in resource(await full.hub.get(COLLECTIONS, "ro"))["collections"]:
        for path in ("objects/", "manifest/"):
            answer = await full.hub.get(f"{COLLECTIONS}{one['id']}/{path}", "ro")
            assert answer.status_code in ((200,) if one["can_read"] else (403, 404))


async def test_can_write_says_whether_objects_can_be_added(hub: Hub) -> None:
    seen = set()
    for one in resource(await hub.get(COLLECTIONS, "ro"))["collections"]:
        seen.add(one["can_write"])
        answer = await add(hub, an_indicator(), to=f"{COLLECTIONS}{one['id']}/objects/")
        assert answer.status_code in ((202,) if one["can_write"] else (403, 404))
    assert seen == {True, False}


# ---------------------------------------------------------------- who may not


async def test_who_fails_to_authenticate_gets_401_or_404_everywhere(full: Full) -> None:
    hub, asked = full
    reads = [("GET", path) for path in (COLLECTIONS, asked.collection, *asked.of_content)]
    for headers in ({}, {"authorization": "Bearer wrong"}):
        for method, path in (*reads, ("POST", asked.objects), ("DELETE", asked.one)):
            answer = await hub.http.request(method, path, headers=headers)
            assert answer.status_code in (401, 404), (method, path)


async def test_what_cannot_be_read_is_403_or_404(full: Full) -> None:
    hub = full.hub
    hidden = await ask_for(hub, "network")
    for path in (hidden.collection, *hidden.of_content):
        assert (await hub.get(path, "soc")).status_code in (403, 404), path
    intake = await of_intake(hub)
    for path in ("objects/", "manifest/", f"objects/indicator--{NOWHERE}/", f"objects/indicator--{NOWHERE}/versions/"):
        answer = await hub.get(intake + path, "ro")
        assert (answer.status_code, resource(answer)["http_status"]) == (403, "403"), path


async def test_what_is_not_there_is_404(full: Full) -> None:
    hub, asked = full
    nowhere = f"{COLLECTIONS}{NOWHERE}/"
    for path in ("", "objects/", "manifest/", "objects/indicator--x/", "objects/indicator--x/versions/"):
        assert (await hub.get(nowhere + path, "soc")).status_code == 404, path
    for path in (f"{asked.objects}indicator--{NOWHERE}/", f"{asked.objects}indicator--{NOWHERE}/versions/"):
        assert (await hub.get(path, "soc")).status_code == 404, path


# ---------------------------------------------------------------- 5.3: manifests


async def test_a_manifest_is_filtered_by_its_objects(full: Full) -> None:
    hub, asked = full
    for query in ("match[type]=indicator", "match[version]=all", "limit=3", f"match[id]={asked.one.split('/')[-2]}"):
        assert ids(await shown(hub, asked.manifest, query)) == ids(await shown(hub, asked.objects, query))


async def test_a_record_has_the_id_the_version_and_the_media_type_of_its_object(full: Full) -> None:
    hub, asked = full
    records = await shown(hub, asked.manifest, "match[version]=all")
    objects = await shown(hub, asked.objects, "match[version]=all")
    kinds = set()
    for record, one in zip(records, objects, strict=True):
        assert record["id"] == one["id"]
        time = one.get("modified", one.get("created"))
        kinds.add("modified" if "modified" in one else "created" if "created" in one else "none")
        assert parse_us(record["version"]) == parse_us(time or record["date_added"])
        assert record["media_type"] in resource(await hub.get(asked.collection, "soc"))["media_types"]
    assert kinds == {"modified", "created", "none"}


async def test_an_empty_manifest_is_an_empty_object(full: Full) -> None:
    hub, asked = full
    for query in (LATER, "match[type]=tool", "match[spec_version]=2.0"):
        answer = await hub.get(f"{asked.manifest}?{query}", "soc")
        assert (answer.status_code, resource(answer)) == (200, {})
        assert {FIRST, LAST} <= set(answer.headers)


# ---------------------------------------------------------------- 5.4 and 5.6: objects


async def test_without_objects_the_answer_is_an_envelope_with_an_empty_list(full: Full) -> None:
    hub, asked = full
    for path in (asked.objects, asked.one):
        answer = await hub.get(f"{path}?{LATER}", "soc")
        assert (answer.status_code, resource(answer)) == (200, {"more": False, "objects": []})


async def test_one_object_is_what_matching_its_id_finds(full: Full) -> None:
    hub, asked = full
    for one in await shown(hub, asked.objects):
        assert await shown(hub, f"{asked.objects}{one['id']}/") == [one]
        assert await shown(hub, asked.objects, f"match[id]={one['id']}") == [one]


async def test_one_object_is_filtered_like_objects(full: Full) -> None:
    hub, asked = full
    every = await shown(hub, asked.one, "match[version]=all")
    assert len(every) == 3
    first = (await hub.get(f"{asked.one}?match[version]=first", "soc")).headers[LAST]
    assert await shown(hub, asked.one, f"match[version]=all&added_after={first}") == every[1:]
    assert await shown(hub, asked.one, "match[version]=all&limit=2") == every[:2]
    body = resource(await hub.get(f"{asked.one}?match[version]=all&limit=2", "soc"))
    assert await shown(hub, asked.one, f"match[version]=all&next={body['next']}") == every[2:]
    assert await shown(hub, asked.one, "match[type]=tool") == every[2:], "only version and spec_version are valid here"


# ---------------------------------------------------------------- 5.5: adding


async def test_adding_is_accepted_with_a_status(hub: Hub) -> None:
    answer = await add(hub, an_indicator())
    assert (answer.status_code, answer.headers["content-type"]) == (202, TAXII)
    assert (await hub.get(f"{ROOT}status/{resource(answer)['id']}/", "ro")).status_code == 200


async def test_what_was_added_can_be_read(hub: Hub) -> None:
    await added(hub, malware("pushed"))
    found = await shown(hub, (await ask_for(hub)).objects, "match[type]=malware")
    assert [one["name"] for one in found] == ["pushed"]


async def test_an_exact_duplicate_is_no_failure(hub: Hub) -> None:
    sent = [an_indicator(), malware(), UNVERSIONED]
    for _ in range(3):
        status = await added(hub, *sent)
        assert (status["success_count"], status["failure_count"]) == (3, 0)
    status = await added(hub, *sent, *sent)
    assert status["failure_count"] == 0


async def test_who_may_not_write_gets_403_or_404(hub: Hub) -> None:
    for name in ("community", "network", "public"):
        for who in ("ro", "soc"):
            answer = await add(hub, an_indicator(), who=who, to=(await ask_for(hub, name)).objects)
            assert answer.status_code in (403, 404), (name, who)
    assert (await add(hub, an_indicator(), to=f"{COLLECTIONS}{NOWHERE}/objects/")).status_code == 404


async def test_another_content_type_is_a_415(hub: Hub) -> None:
    for sent in ("text/plain", "application/xml", "application/taxii+json;version=2.0", "multipart/form-data", ""):
        answer = await add(hub, an_indicator(), content_type=sent)
        assert (answer.status_code, resource(answer)["http_status"]) == (415, "415"), sent


@pytest.mark.parametrize(
    "body", [b"{", b'{"objects":', b"[", b"\xff\xfe{", b'{"objects":{}}', b"objects", b'"x"', b"1"]
)
async def test_a_body_that_cannot_be_processed_is_a_400_or_422(hub: Hub, body: bytes) -> None:
    answer = await add(hub, content=body)
    assert answer.status_code in (400, 422)
    assert resource(answer)["http_status"] == str(answer.status_code)


async def test_one_bad_object_does_not_keep_the_others_out(hub: Hub) -> None:
    status = await added(hub, an_indicator(), malware("bad", created="yesterday"), malware("good"), {"type": "x"}, 7)
    assert (status["total_count"], status["success_count"], status["failure_count"]) == (5, 2, 3)


async def test_a_bundle_is_added_as_well(hub: Hub) -> None:
    answer = await add(hub, content=a_bundle(an_indicator()), content_type="application/stix+json;version=2.1")
    assert answer.status_code == 202


# ---------------------------------------------------------------- 5.7: deleting


async def test_who_may_not_read_and_write_gets_the_status_of_the_table(hub: Hub) -> None:
    asked = await filled(hub)
    hidden = await ask_for(hub, "network", asked.one.split("/")[-2])
    for who, url, status in (
        ("soc", hidden.one, 404),  # neither read nor write
        ("soc", f"{COLLECTIONS}{NOWHERE}/objects/indicator--{NOWHERE}/", 404),
        ("soc", asked.one, 403),  # read alone
        ("ro", asked.one, 403),
        (None, asked.one, 401),
        (None, hidden.one, 401),
    ):
        answer = await a_delete(hub, url, who)
        assert (answer.status_code, resource(answer)["http_status"]) == (status, str(status)), (who, url)


async def test_a_deleted_object_is_gone(hub: Hub) -> None:
    sent = malware("to be deleted")
    await added(hub, sent)
    community = await ask_for(hub, "community", sent["id"])
    assert (await hub.get(community.one, "soc")).status_code == 200
    intake = await of_intake(hub, f"objects/{sent['id']}/")
    answer = await a_delete(hub, intake)
    assert (answer.status_code, answer.headers["content-type"]) == (200, TAXII)
    assert (await hub.get(intake, "ro")).status_code in (403, 404)
    await hub.settle()
    assert (await hub.get(community.one, "soc")).status_code == 404
    assert sent["id"] not in ids(await shown(hub, community.manifest, "match[version]=all"))
    assert sent["id"] not in ids(await shown(hub, community.objects, "match[version]=all"))


async def test_deleting_has_a_status_as_adding_has(hub: Hub) -> None:
    await added(hub, malware())
    answer = await a_delete(hub, await of_intake(hub, f"objects/{malware()['id']}/"))
    await hub.settle()
    status = resource(await hub.get(f"{ROOT}status/{resource(answer)['id']}/", "ro"))
    assert (status["status"], status["success_count"]) == ("complete", 1)


async def test_deleting_one_version_is_refused(hub: Hub) -> None:
    await added(hub, malware())
    intake = await of_intake(hub, f"objects/{malware()['id']}/")
    for version in ("first", "all", malware()["modified"]):
        answer = await a_delete(hub, f"{intake}?match[version]={version}")
        assert (answer.status_code, resource(answer)["http_status"]) == (400, "400")
    await hub.settle()
    assert (await hub.get((await ask_for(hub, "community", malware()["id"])).one, "soc")).status_code == 200


async def test_deleting_what_is_not_there_is_a_404(hub: Hub) -> None:
    assert (await a_delete(hub, await of_intake(hub, f"objects/malware--{NOWHERE}/"))).status_code == 404
    await added(hub, malware())
    assert (await a_delete(hub, await of_intake(hub, f"objects/{malware()['id']}/"), "it")).status_code == 404


# ---------------------------------------------------------------- 5.8: versions


async def test_the_versions_are_those_of_the_object_in_the_order_in_which_they_were_added(full: Full) -> None:
    hub, asked = full
    every = await shown(hub, asked.one, "match[version]=all")
    found = resource(await hub.get(asked.versions, "soc"))
    assert found["versions"] == [one["modified"] for one in every]
    assert found["versions"] == sorted(found["versions"])


async def test_the_version_of_what_was_only_created_is_that_time(full: Full) -> None:
    hub, asked = full
    green = TLP["green"]
    [marking] = await shown(hub, f"{asked.objects}{green}/")
    assert await shown(hub, f"{asked.objects}{green}/versions/") == [marking["created"]]


async def test_without_versions_the_answer_is_an_empty_object(full: Full) -> None:
    hub, asked = full
    for query in (LATER, "match[spec_version]=2.0"):
        answer = await hub.get(f"{asked.versions}?{query}", "soc")
        assert (answer.status_code, resource(answer)) == (200, {})
        assert {FIRST, LAST} <= set(answer.headers)


async def test_versions_are_paged_and_filtered(full: Full) -> None:
    hub, asked = full
    every = await shown(hub, asked.versions)
    body = resource(await hub.get(f"{asked.versions}?limit=2", "soc"))
    assert (body["versions"], body["more"]) == (every[:2], True)
    assert await shown(hub, asked.versions, f"next={body['next']}") == every[2:]
    at = (await hub.get(f"{asked.versions}?limit=1", "soc")).headers[LAST]
    assert await shown(hub, asked.versions, f"added_after={at}") == every[1:]
    assert await shown(hub, asked.versions, "match[spec_version]=2.1") == every
