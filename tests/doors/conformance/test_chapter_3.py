"""TAXII 2.1, section 3: endpoints, headers, sorting, filtering, pagination, errors, envelopes, names of properties."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from hub.intake.service import IntakeLimits
from hub.model.stix_types import STIX_TYPES
from hub.model.times import parse_us
from tests.doors.conformance.asking import (
    COLLECTIONS,
    FIRST,
    LAST,
    NOWHERE,
    ROOT,
    STIX,
    TAXII,
    Asked,
    Full,
    add,
    an_indicator,
    an_object,
    ask_for,
    filled,
    malware,
    paged,
    resource,
    shown,
)  # fmt: skip
from tests.doors.hubs import Hub, a_hub, addresses, ids

pytestmark = pytest.mark.asyncio(loop_scope="module")
ACCEPTED = [
    TAXII, "application/taxii+json", "application/taxii+json; version=2.1", 'application/taxii+json;version="2.1"',
    f"{TAXII},{STIX}", f"text/html, {TAXII};q=0.1", "APPLICATION/TAXII+JSON;VERSION=2.1", "*/*", "application/*",
    f"application/taxii+json;q=0, {TAXII}", f"*/*;q=0, {TAXII}", f"{TAXII};q=0.001",
]  # fmt: skip
"""What is defined for an endpoint (section 1.6.8, and for manifests section 5.3), and what RFC 7231 makes of it."""
REFUSED = [
    "application/taxii+json;version=2.0", "application/taxii+json;version=2.2", "application/vnd.oasis.taxii+json",
    "application/stix+json;version=2.0", f"{TAXII};q=0", f"{TAXII};q=0.000, */*", "*/*;q=0",
    "application/taxii+json;q=0",
]  # fmt: skip


# ---------------------------------------------------------------- 3.1: endpoints


async def test_each_endpoint_answers_with_its_resource(full: Full) -> None:
    hub, asked = full
    required = {
        "/taxii2/": {"title"},
        ROOT: {"title", "versions", "max_content_length"},
        COLLECTIONS: {"collections"},
        asked.collection: {"id", "title", "can_read", "can_write"},
        asked.manifest: {"objects"},
        asked.objects: {"objects"},
        asked.one: {"objects"},
        asked.versions: {"versions"},
    }
    assert set(required) == set(asked.all)
    for path, names in required.items():
        answer = await hub.get(path, "soc")
        assert answer.status_code == 200
        assert names <= set(resource(answer)), path


async def test_the_endpoints_that_write_and_the_status_are_there(hub: Hub) -> None:
    asked = await ask_for(hub)
    added = await add(hub, an_indicator())
    assert added.status_code == 202
    assert (await hub.get(f"{ROOT}status/{resource(added)['id']}/", "ro")).status_code == 200
    assert (await hub.http.delete(asked.one, headers=hub.auth("soc"))).status_code == 403


async def test_every_answer_names_its_media_type_and_version(full: Full) -> None:
    hub, asked = full
    for who in ("soc", None):
        for path in (*asked.all, f"{ROOT}status/{NOWHERE}/", "/taxii2/nowhere/", f"{asked.objects}?limit=0"):
            assert (await hub.get(path, who)).headers.get_list("content-type") == [TAXII], path
        for method, path in (("DELETE", asked.one), ("POST", asked.objects), ("PUT", ROOT)):
            answer = await hub.http.request(method, path, headers=hub.auth(who))
            assert answer.headers.get_list("content-type") == [TAXII], (method, path)


async def test_every_answer_to_adding_names_its_media_type_and_version(hub: Hub) -> None:
    for body in (b"{", b'{"objects":[]}', b'{"objects":[{}]}', b"[]"):
        assert (await add(hub, content=body)).headers.get_list("content-type") == [TAXII]
    for sent in (TAXII, "text/plain", ""):
        assert (await add(hub, an_indicator(), content_type=sent)).headers.get_list("content-type") == [TAXII]


@pytest.mark.parametrize("accept", ACCEPTED)
async def test_a_media_type_that_is_defined_for_an_endpoint_is_accepted(full: Full, accept: str) -> None:
    hub, asked = full
    for path in asked.all:
        answer = await hub.get(path, "soc", headers={"accept": accept})
        assert (answer.status_code, answer.headers["content-type"]) == (200, TAXII), path


async def test_a_media_type_that_is_defined_for_adding_is_accepted(hub: Hub) -> None:
    for accept in ACCEPTED:
        answer = await add(hub, an_indicator(), accept=accept)
        assert (answer.status_code, answer.headers["content-type"]) == (202, TAXII), accept


@pytest.mark.parametrize("accept", REFUSED)
async def test_who_cannot_read_2_1_gets_a_406(full: Full, accept: str) -> None:
    hub, asked = full
    for path in (COLLECTIONS, asked.collection, *asked.of_content):
        answer = await hub.get(path, "soc", headers={"accept": accept})
        assert (answer.status_code, resource(answer)["http_status"]) == (406, "406"), path


async def test_where_no_object_would_be_misread_any_accept_is_answered(hub: Hub) -> None:
    for accept in REFUSED:
        for path in ("/taxii2/", ROOT):
            answer = await hub.get(path, "soc", headers={"accept": accept})
            assert (answer.status_code, answer.headers["content-type"]) == (200, TAXII), (path, accept)
        added = await add(hub, an_indicator(), accept=accept)
        assert (added.status_code, added.headers["content-type"]) == (202, TAXII), accept
        status = f"{ROOT}status/{resource(added)['id']}/"
        assert (await hub.get(status, "ro", headers={"accept": accept})).status_code == 200


async def test_a_content_type_that_is_defined_for_adding_is_taken(hub: Hub) -> None:
    for sent in (
        TAXII, "application/taxii+json", "application/taxii+json; version=2.1", 'application/taxii+json;version="2.1"',
        "application/taxii+json;version=2.1;charset=utf-8", "Application/TAXII+json ; Version=2.1",
    ):  # fmt: skip
        assert (await add(hub, an_indicator(), content_type=sent)).status_code == 202, sent


async def test_a_path_is_answered_with_its_slash_and_its_parameters(full: Full) -> None:
    hub, asked = full
    assert all(path.endswith("/") for path in asked.all)
    for path in asked.all:
        assert (await hub.get(path, "soc")).status_code == 200
    for path in asked.of_content:
        assert (await hub.get(f"{path}?match[version]=all&limit=1", "soc")).status_code == 200


# ---------------------------------------------------------------- 3.2 and 3.3: headers and order


@pytest.mark.parametrize("query", ["", "limit=2", "match[version]=all", "match[version]=first"])
async def test_the_date_headers_are_those_of_the_first_and_the_last_object(full: Full, query: str) -> None:
    hub, asked = full
    manifest = await hub.get(f"{asked.manifest}?{query}", "soc")
    dates = [one["date_added"] for one in manifest.json()["objects"]]
    objects = await hub.get(f"{asked.objects}?{query}", "soc")
    for answer in (manifest, objects):
        assert (answer.headers[FIRST], answer.headers[LAST]) == (dates[0], dates[-1])


async def test_the_date_headers_of_one_object_are_those_of_its_versions(full: Full) -> None:
    hub, asked = full
    stix_id = asked.one.split("/")[-2]
    records = await shown(hub, asked.manifest, f"match[id]={stix_id}&match[version]=all")
    dates = [one["date_added"] for one in records]
    assert len(dates) == 3
    for path in (asked.versions, f"{asked.one}?match[version]=all"):
        answer = await hub.get(path, "soc")
        assert (answer.headers[FIRST], answer.headers[LAST]) == (dates[0], dates[-1])
    assert (await hub.get(asked.one, "soc")).headers[FIRST] == dates[-1]


@pytest.mark.parametrize(
    "query", ["", "match[version]=all", "match[type]=indicator,malware", "match[version]=first,last"]
)
async def test_objects_and_manifests_are_in_the_order_in_which_they_were_added(full: Full, query: str) -> None:
    hub, asked = full
    records = await paged(hub, asked.manifest, f"{query}&limit=4")
    dates = [parse_us(one["date_added"]) for one in records]
    assert dates == sorted(dates)
    assert ids(await paged(hub, asked.objects, f"{query}&limit=3")) == ids(records)


async def test_what_was_added_last_is_last(hub: Hub) -> None:
    asked = await filled(hub)
    await hub.tell("ro", malware("newest"))
    assert (await paged(hub, asked.objects))[-1]["name"] == "newest"


async def test_collections_come_in_the_same_order_every_time(full: Full) -> None:
    first = (await full.hub.get(COLLECTIONS, "ro")).content
    for _ in range(3):
        assert (await full.hub.get(COLLECTIONS, "ro")).content == first


# ---------------------------------------------------------------- 3.4: filtering

MALFORMED = [
    "added_after=", "added_after=yesterday", "added_after=2026-01-01", "added_after=1767225600",
    "added_after=2026-02-30T00:00:00Z", "added_after=2026-01-01T00:00:00",
    "added_after=2026-01-01T00:00:00Z,2026-01-02T00:00:00Z",
    "added_after=2026-01-01T00:00:00Z&added_after=2026-01-02T00:00:00Z",
    "limit=", "limit=0", "limit=-1", "limit=ten", "limit=1.5", "limit=0x10", "limit=1e2", "limit=%C2%B2",
    "next=x", "next=%00", "match[version]=newest", "match[version]=2026-13-01T00:00:00Z", "match[version]=1",
    "match[version]=last,x", "match[version]=", "match[type]=", "match[id]=,", "match[spec_version]=",
]  # fmt: skip


@pytest.mark.parametrize("query", MALFORMED)
async def test_a_malformed_parameter_is_a_400(full: Full, query: str) -> None:
    hub, asked = full
    for path in (asked.manifest, asked.objects):
        answer = await hub.get(f"{path}?{query}", "soc")
        assert (answer.status_code, resource(answer)["http_status"]) == (400, "400")


async def test_only_what_was_added_after_the_time_is_returned(full: Full) -> None:
    hub, asked = full
    for path in (asked.manifest, asked.objects):
        records = await shown(hub, asked.manifest)
        every = await shown(hub, path)
        for place, record in enumerate(records):
            assert await shown(hub, path, f"added_after={record['date_added']}") == every[place + 1 :]


async def test_added_after_has_nothing_to_do_with_times_of_objects(hub: Hub) -> None:
    asked = await filled(hub)
    before = (await hub.get(asked.objects, "soc")).headers[LAST]
    await hub.tell(
        "ro", an_object("tool", "t", name="t", created="2001-01-01T00:00:00.000Z", modified="2001-01-01T00:00:00.000Z")
    )
    assert [one["name"] for one in await shown(hub, asked.objects, f"added_after={before}")] == ["t"]


async def test_without_added_after_the_oldest_come_first(full: Full) -> None:
    hub, asked = full
    every = await paged(hub, asked.objects)
    for limit in (1, 2, 5):
        assert await shown(hub, asked.objects, f"limit={limit}") == every[:limit]
    kinds = [one for one in every if one["type"] == "indicator"]
    assert await shown(hub, asked.objects, "limit=2&match[type]=indicator") == kinds[:2]


@pytest.mark.parametrize("limit", [1, 2, 3, 8, 9, 10])
async def test_no_answer_has_more_objects_than_the_limit(full: Full, limit: int) -> None:
    hub, asked = full
    for path in asked.of_content:
        assert 1 <= len(await shown(hub, path, f"limit={limit}&match[version]=all")) <= limit


async def test_what_fits_into_both_limits_comes_whole(full: Full) -> None:
    hub, asked = full
    count = len(await paged(hub, asked.objects, "limit=1"))
    assert 5 < count <= 10
    for query in ("", f"limit={count}", f"limit={count + 1}", "limit=999"):
        for path in (asked.objects, asked.manifest):
            body = resource(await hub.get(f"{path}?{query}", "soc"))
            assert len(body["objects"]) == count
            assert not body.get("more", False)


async def test_more_is_true_exactly_while_there_is_more(long: Full) -> None:
    hub, asked = long
    for path in asked.of_content:
        name = "versions" if path == asked.versions else "objects"
        count = len(await paged(hub, path, "match[version]=all"))
        for limit in range(1, count + 2):
            body = resource(await hub.get(f"{path}?limit={limit}&match[version]=all", "soc"))
            assert body.get("more", False) is (len(body[name]) < count)
            assert 1 <= len(body[name]) <= limit


async def test_filters_are_anded_and_the_values_of_one_are_ored(full: Full) -> None:
    hub, asked = full
    every = await shown(hub, asked.objects)
    some = [one for one in every if one["type"] in ("malware", "ipv4-addr")]
    assert len(some) == 2
    assert await shown(hub, asked.objects, "match[type]=malware,ipv4-addr") == some
    both = f"match[type]=malware&match[id]={some[0]['id']},{some[1]['id']}"
    assert await shown(hub, asked.objects, both) == [one for one in some if one["type"] == "malware"]
    assert await shown(hub, asked.objects, f"match[type]=tool&match[id]={some[0]['id']}") == []


async def test_requests_that_clients_must_not_send_are_read_as_they_are_meant(full: Full) -> None:
    hub, asked = full
    every = await shown(hub, asked.objects)
    some = await shown(hub, asked.objects, "match[type]=malware,ipv4-addr")
    assert 1 < len(some) < len(every)
    assert await shown(hub, asked.objects, "match[type]=malware&match[type]=ipv4-addr") == some
    assert await shown(hub, asked.objects, "match[type]=malware,%20ipv4-addr,") == some
    assert await shown(hub, asked.objects, "limit=1&limit=2") == every[:2]
    assert await shown(hub, asked.objects, "next=") == every
    [first, second] = [resource(await hub.get(f"{asked.objects}?limit={limit}", "soc"))["next"] for limit in (1, 2)]
    assert await shown(hub, asked.objects, f"next={first}&next={second}") == every[2:]


# ---------------------------------------------------------------- 3.4.1: fields of match


async def test_match_id_returns_those_objects_alone(full: Full) -> None:
    hub, asked = full
    every = await shown(hub, asked.objects)
    assert await shown(hub, asked.objects, f"match[id]={every[2]['id']}") == [every[2]]
    wanted = [every[4], every[0]]
    assert await shown(hub, asked.objects, "match[id]=" + ",".join(ids(wanted))) == [every[0], every[4]]
    assert ids(await shown(hub, asked.manifest, f"match[id]={every[3]['id']}")) == [every[3]["id"]]
    assert await shown(hub, asked.objects, f"match[id]=indicator--{NOWHERE}") == []


@pytest.mark.parametrize(("said", "found"), [("2.1", True), ("2.0,2.1", True), ("2.0", False), ("2.2", False)])
async def test_match_spec_version_lets_nothing_else_pass(full: Full, said: str, found: bool) -> None:
    hub, asked = full
    for path in asked.of_content:
        assert bool(await shown(hub, path, f"match[spec_version]={said}")) is found


async def test_without_spec_version_the_latest_is_returned(hub: Hub) -> None:
    await hub.tell("ro", malware("from 2.0", spec_version=None), malware("of 2.1"))
    asked = await ask_for(hub)
    every = await paged(hub, asked.objects)
    assert {one["spec_version"] for one in every} == {"2.1"}
    assert every == await paged(hub, asked.objects, "match[spec_version]=2.1")


@pytest.mark.parametrize("path", ["objects", "manifest"])
async def test_every_type_of_stix_can_be_asked_for(full: Full, path: str) -> None:
    hub, asked = full
    every = await shown(hub, asked.objects)
    url = asked.objects if path == "objects" else asked.manifest
    for name in STIX_TYPES:
        answer = await hub.get(f"{url}?match[type]={name}", "soc")
        assert answer.status_code == 200, name
        assert ids(resource(answer).get("objects", [])) == ids(one for one in every if one["type"] == name)
    assert len(STIX_TYPES) >= 42
    assert ids(await shown(hub, url, "match[type]=" + ",".join(STIX_TYPES))) == ids(every)


async def test_a_type_that_stix_does_not_define_can_be_asked_for(hub: Hub) -> None:
    await hub.tell("ro", an_object("x-acme-thing", "t", name="t"))
    asked = await ask_for(hub)
    assert [one["type"] for one in await shown(hub, asked.objects, "match[type]=x-acme-thing")] == ["x-acme-thing"]


async def test_without_version_only_the_latest_is_returned(full: Full) -> None:
    hub, asked = full
    for path in (asked.objects, asked.manifest):
        found = ids(await shown(hub, path))
        assert len(found) == len(set(found))
        assert await shown(hub, path) == await shown(hub, path, "match[version]=last")
    [newest] = await shown(hub, asked.one)
    assert newest["confidence"] == 12


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("last", [12]), ("first", [10]), ("all", [10, 11, 12]), ("first,last", [10, 12]), ("last,first", [10, 12]),
        ("MIDDLE", [11]), ("first,MIDDLE", [10, 11]), ("first,MIDDLE,last", [10, 11, 12]), ("MIDDLE,OLD", [10, 11]),
        ("2001-01-01T00:00:00.000Z", []), ("2001-01-01T00:00:00.000Z,last", [12]),
    ],
)  # fmt: skip
async def test_match_version_returns_those_versions_alone(full: Full, said: str, expected: list[int]) -> None:
    hub, asked = full
    old, middle, _ = await shown(hub, asked.versions)
    query = "match[version]=" + quote(said.replace("MIDDLE", middle).replace("OLD", old), safe=",")
    stix_id = asked.one.split("/")[-2]
    for found in (await shown(hub, asked.one, query), await shown(hub, asked.objects, f"match[id]={stix_id}&{query}")):
        assert [one["confidence"] for one in found] == expected
    records = await shown(hub, asked.manifest, f"match[id]={stix_id}&{query}")
    assert len(records) == len(expected)


async def test_the_version_of_what_is_not_versioned_is_when_it_was_created(full: Full) -> None:
    hub, asked = full
    [marking, *_] = await shown(hub, asked.objects, "match[type]=marking-definition")
    assert "modified" not in marking
    found = await shown(hub, asked.objects, f"match[id]={marking['id']}&match[version]={marking['created']}")
    assert found == [marking]
    [record] = await shown(hub, asked.manifest, f"match[id]={marking['id']}")
    assert record["version"] == marking["created"]


async def test_what_has_no_time_at_all_has_a_version_that_stays(hub: Hub) -> None:
    asked = await filled(hub)
    [record] = await shown(hub, asked.manifest, "match[type]=ipv4-addr")
    [same] = await shown(hub, asked.objects, f"match[type]=ipv4-addr&match[version]={record['version']}")
    assert same["id"] == record["id"]
    assert "modified" not in same
    assert "created" not in same
    assert await shown(hub, f"{asked.objects}{record['id']}/versions/") == [record["version"]]
    await hub.tell("ro", *addresses(1, start=900))
    assert await shown(hub, asked.manifest, "match[type]=ipv4-addr") == [record]


# ---------------------------------------------------------------- 3.5: pagination


@pytest.mark.parametrize("by_date", [False, True])
@pytest.mark.parametrize("query", ["", "match[version]=all", "match[type]=indicator", "match[version]=first,last"])
async def test_pages_have_everything_once_by_next_and_by_date(long: Full, query: str, by_date: bool) -> None:
    hub, asked = long
    for path in (asked.objects, asked.manifest):
        whole = await paged(hub, path, query)
        assert len(whole) > 13
        for limit in (1, 4, 10):
            assert await paged(hub, path, f"{query}&limit={limit}", by_date=by_date) == whole


async def test_next_is_a_string_and_comes_only_with_more(full: Full) -> None:
    hub, asked = full
    for path in asked.of_content:
        body = resource(await hub.get(f"{path}?limit=1&match[version]=all", "soc"))
        assert body["more"] is True
        assert isinstance(body["next"], str)
        assert body["next"]
        assert "next" not in resource(await hub.get(f"{path}?limit=9&match[version]=last", "soc"))


async def test_next_gives_nothing_that_the_client_may_not_read_any_more(hub: Hub) -> None:
    await hub.tell("ro", *addresses(20, tlp="amber"))
    asked = await ask_for(hub, "network")
    body = resource(await hub.get(f"{asked.objects}?limit=1", "ro"))
    assert (await hub.get(f"{asked.objects}?next={body['next']}", "soc")).status_code == 404
    community = await ask_for(hub)
    assert (await hub.get(f"{community.objects}?next={body['next']}", "soc")).status_code == 400


# ---------------------------------------------------------------- 3.6: errors


async def errors(hub: Hub, asked: Asked) -> dict[int, Any]:
    """An answer of each status that the tables of sections 4 and 5 name."""
    wrong_type = {"accept": "application/taxii+json;version=9.9"}
    return {
        400: await hub.get(f"{asked.objects}?limit=0", "soc"),
        401: await hub.get(asked.objects),
        403: await hub.post(asked.objects, "ro", content=b"{}", headers={"content-type": TAXII}),
        404: await hub.get(f"{COLLECTIONS}{NOWHERE}/", "soc"),
        405: await hub.http.put("/taxii2/", headers=hub.auth("soc")),
        406: await hub.get(asked.objects, "soc", headers=wrong_type),
        413: await add(hub, content=b'{"objects":[' + b" " * 10_000 + b"]}"),
        415: await add(hub, an_indicator(), content_type="text/plain"),
    }


async def test_an_error_is_an_error_resource_with_the_status_of_the_answer(tmp_path: Path) -> None:
    async with a_hub(tmp_path, intake=IntakeLimits(push_bytes=10_000)) as hub:
        await hub.centre()
        await hub.member()
        asked = await ask_for(hub)
        for status, answer in (await errors(hub, asked)).items():
            assert answer.status_code == status
            body = resource(answer)
            assert body["http_status"] == str(status)
            assert body["title"]
            assert set(body) <= {
                "title", "description", "error_id", "error_code", "http_status", "external_details", "details",
            }  # fmt: skip
            assert all(isinstance(text, str) for name, text in body.items() if name != "details")


# ---------------------------------------------------------------- 3.7 and 3.8: envelopes, names of properties


async def test_objects_come_in_an_envelope_also_a_single_one(full: Full) -> None:
    hub, asked = full
    for path in (asked.objects, asked.one, f"{asked.objects}?match[type]=malware"):
        body = resource(await hub.get(path, "soc"))
        assert set(body) <= {"more", "next", "objects"}
        assert body["objects"]
        for one in body["objects"]:
            assert one["type"] in STIX_TYPES
            assert one["id"].startswith(f"{one['type']}--")
            assert one["spec_version"] == "2.1"


NAMES = {
    "discovery": {"title", "description", "contact", "default", "api_roots"},
    "root": {"title", "description", "versions", "max_content_length"},
    "collection": {"id", "title", "description", "alias", "can_read", "can_write", "media_types"},
    "manifest": {"more", "objects", "next"},  # next is the hub's own, see section 7.1
    "record": {"id", "date_added", "version", "media_type"},
    "versions": {"more", "versions", "next"},
}


@pytest.mark.parametrize(
    ("kind", "path", "pick"),
    [
        ("discovery", lambda asked: "/taxii2/", lambda body: [body]),
        ("root", lambda asked: ROOT, lambda body: [body]),
        ("collection", lambda asked: COLLECTIONS, lambda body: body["collections"]),
        ("collection", lambda asked: asked.collection, lambda body: [body]),
        ("manifest", lambda asked: asked.manifest + "?limit=1", lambda body: [body]),
        ("record", lambda asked: asked.manifest, lambda body: body["objects"]),
        ("versions", lambda asked: asked.versions + "?limit=1", lambda body: [body]),
    ],
)
async def test_names_of_properties_are_those_of_the_specification(
    full: Full, kind: str, path: Callable[[Asked], str], pick: Callable[[Any], list[Any]]
) -> None:
    hub, asked = full
    for one in pick(resource(await hub.get(path(asked), "soc"))):
        assert set(one) <= NAMES[kind]


async def test_what_is_required_is_always_there(full: Full) -> None:
    hub, asked = full
    assert {"title"} <= set(resource(await hub.get("/taxii2/", "soc")))
    assert {"title", "versions", "max_content_length"} <= set(resource(await hub.get(ROOT, "soc")))
    for one in resource(await hub.get(COLLECTIONS, "ro"))["collections"]:
        assert {"id", "title", "can_read", "can_write"} <= set(one)
    for one in await shown(hub, asked.manifest):
        assert {"id", "date_added", "version"} <= set(one)
    assert {"title"} <= set(resource(await hub.get(f"{ROOT}nowhere/", "soc")))
