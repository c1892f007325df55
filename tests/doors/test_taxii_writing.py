"""Adding and deleting over TAXII: the collection ``intake``, and the statuses of requests."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import orjson
import pytest
import zstandard

from hub.core.hold import Hit
from hub.core.sent import Sent
from hub.doors.taxii.statuses import SentObjects
from hub.intake import StatusCodec, TakenWithStatus
from hub.model.problems import Code, Problem
from hub.model.times import parse_us
from tests.doors.hubs import Hub, a_bundle, a_hub, addresses, doors_of, ids
from tests.story import an_indicator, an_object

TAXII = "application/taxii+json;version=2.1"


async def intake_of(hub: Hub, who: str, root: str = "/taxii2/root/") -> dict[str, Any]:
    """The collection to which somebody may add."""
    found = (await hub.get(f"{root}collections/", who)).json()["collections"]
    return next(one for one in found if one["can_write"])


async def objects_url(hub: Hub, who: str, root: str = "/taxii2/root/") -> str:
    return f"{root}collections/{(await intake_of(hub, who, root))['id']}/objects/"


async def add(hub: Hub, who: str, *objects: Any, **headers: str) -> httpx.Response:
    """Add objects in an envelope."""
    body = orjson.dumps({"objects": list(objects)})
    return await send(hub, who, body, **{"content-type": TAXII, **headers})


async def send(hub: Hub, who: str, body: Any, **headers: str) -> httpx.Response:
    return await hub.post(await objects_url(hub, who), who, content=body, headers=headers)


async def status(hub: Hub, who: str, answer: httpx.Response, root: str = "/taxii2/root/") -> dict[str, Any]:
    """The status now of a request that was answered."""
    found = await hub.get(f"{root}status/{answer.json()['id']}/", who)
    assert found.status_code == 200, found.text
    assert found.headers["content-type"] == TAXII
    return dict(found.json())


async def shown(hub: Hub) -> list[str]:
    page = (await hub.get(await hub.objects_url("community"), "soc")).json()
    return sorted(one["name"] for one in page["objects"] if one["type"] == "indicator")


# ---------------------------------------------------------------- the collection


async def test_who_may_claim_has_one_collection_to_write_to(hub: Hub) -> None:
    await hub.operator()
    found = await intake_of(hub, "ro")
    assert (found["title"], found["can_read"], found["can_write"]) == ("intake", False, True)
    assert UUID(found["id"]).version == 4
    assert found["id"] == (await intake_of(hub, "soc"))["id"]
    assert "community, network, public" in found["description"]
    assert (await hub.get(f"/taxii2/root/collections/{found['id']}/", "ro")).json() == found
    operators = (await hub.get("/taxii2/root/collections/", "ops")).json()["collections"]
    assert all(not one["can_write"] for one in operators)
    assert (await hub.get(f"/taxii2/root/collections/{found['id']}/", "ops")).status_code == 404
    refused = await hub.post(f"/taxii2/root/collections/{found['id']}/objects/", "ops", content=b"{}")
    assert refused.status_code == 404


@pytest.mark.parametrize("below", ["objects/", "manifest/", "objects/indicator--1/", "objects/indicator--1/versions/"])
async def test_reading_it_is_refused_and_the_answer_says_where_to_read(hub: Hub, below: str) -> None:
    found = await hub.get(f"/taxii2/root/collections/{(await intake_of(hub, 'soc'))['id']}/{below}", "soc")
    assert found.status_code == 403
    assert found.json()["error_code"] == "taxii.write-only"
    assert "community, public" in found.json()["description"]


async def test_adding_to_another_collection_is_refused_and_the_answer_names_the_right_one(hub: Hub) -> None:
    refused = await hub.post(await hub.objects_url("community"), "ro", content=b"{}")
    assert refused.status_code == 403
    assert (await intake_of(hub, "ro"))["id"] in refused.json()["description"]
    assert (await hub.post(await hub.objects_url("network"), "soc", content=b"{}")).status_code == 404
    assert (await hub.post(await objects_url(hub, "soc"), None, content=b"{}")).status_code == 401


# ---------------------------------------------------------------- adding


async def test_what_is_added_is_pending_and_then_told_object_by_object(hub: Hub) -> None:
    good, bad = an_indicator("198.51.100.7", "good"), an_indicator("198.51.100.8", "bad", pattern="[oops")
    answer = await add(hub, "ro", good, bad)
    assert answer.status_code == 202
    assert answer.headers["content-type"] == TAXII
    pending = answer.json()
    assert pending == {
        "id": pending["id"],
        "status": "pending",
        "request_timestamp": pending["request_timestamp"],
        "total_count": 2, "success_count": 0, "failure_count": 0, "pending_count": 2,
        "pendings": [{"id": one["id"], "version": one["modified"]} for one in (good, bad)],
    }  # fmt: skip
    assert UUID(pending["id"]).version == 4
    assert parse_us(pending["request_timestamp"]) == hub.clock.us // 1000 * 1000
    assert await status(hub, "ro", answer) == pending
    await hub.settle()
    done = await status(hub, "ro", answer)
    assert {key: done[key] for key in ("id", "status", "request_timestamp", "total_count", "pending_count")} == {
        "id": pending["id"], "status": "complete", "request_timestamp": pending["request_timestamp"],
        "total_count": 2, "pending_count": 0,
    }  # fmt: skip
    assert (done["success_count"], done["failure_count"]) == (1, 1)
    assert done["successes"] == [{"id": good["id"], "version": good["modified"]}]
    (failure,) = done["failures"]
    assert (failure["id"], failure["version"]) == (bad["id"], bad["modified"])
    assert failure["message"].startswith("pattern.")
    assert "http://hub.example/rules/pattern." in failure["message"]
    assert "pendings" not in done
    assert await shown(hub) == ["ipv4-addr 198.51.100.7"]


async def test_the_answer_to_many_objects_lists_none_but_their_status_does(hub: Hub) -> None:
    answer = await add(hub, "ro", *addresses(1_001))
    assert (answer.status_code, answer.json()["pending_count"], "pendings" in answer.json()) == (202, 1_001, False)
    assert len((await status(hub, "ro", answer))["pendings"]) == 1_001


async def test_a_status_that_is_the_same_is_not_sent_again(hub: Hub) -> None:
    answer = await add(hub, "ro", an_indicator("198.51.100.7", "one"))
    url = f"/taxii2/root/status/{answer.json()['id']}/"
    pending = await hub.get(url, "ro")
    assert pending.headers["cache-control"] == "private, no-cache"
    same = await hub.get(url, "ro", headers={"if-none-match": pending.headers["etag"]})
    assert same.status_code == 304
    await hub.settle()
    done = await hub.get(url, "ro", headers={"if-none-match": pending.headers["etag"]})
    assert (done.status_code, done.json()["status"]) == (200, "complete")


def test_what_requests_have_sent_is_remembered_up_to_a_size() -> None:
    sent = SentObjects(most_bytes=100_000)
    codec = StatusCodec(b"k" * 32)
    names = [codec.new(1, 2, 1_800_000_000_000) for _ in range(500)]
    for name in names:
        sent.add(TakenWithStatus(name, [Sent("indicator--" + "x" * 36, None, "indicator"), Sent()]))
    assert sent.held_bytes <= 100_000
    assert sent.of(names[-1].id)[1] == Sent()
    assert sent.of(names[0].id) == ()
    for name in names:
        sent.drop(name.id)
    assert sent.held_bytes == 0


async def test_a_status_counts_what_has_been_processed_so_far(hub: Hub) -> None:
    answer = await add(hub, "ro", *addresses(5))
    batch = await hub.consumer.take(limit=3, limit_bytes=1 << 22, wait_s=0)
    await hub.worker.process(batch)
    now = await status(hub, "ro", answer)
    assert (now["status"], now["total_count"], now["success_count"], now["pending_count"]) == ("pending", 5, 3, 2)
    assert len(now["successes"]) == 3
    assert len(now["pendings"]) == 2
    assert len({one["id"] for one in (*now["successes"], *now["pendings"])}) == 5


async def test_another_process_answers_with_the_numbers_and_names_what_is_done(hub: Hub) -> None:
    answer = await add(hub, "ro", *addresses(5))
    other = await doors_of(hub.store, hub.log, hub.registry, settings=hub.doors.settings, now_us=hub.clock)
    from hub.doors.http import make_app

    transport = httpx.ASGITransport(app=make_app(other))
    async with httpx.AsyncClient(transport=transport, base_url="http://hub.example") as http:
        url = f"/taxii2/root/status/{answer.json()['id']}/"
        now = (await http.get(url, headers=hub.auth("ro"))).json()
        assert (now["status"], now["pending_count"], "pendings" in now) == ("pending", 5, False)
        await hub.settle()
        assert (await http.get(url, headers=hub.auth("ro"))).json() == await status(hub, "ro", answer)
        assert len((await status(hub, "ro", answer))["successes"]) == 5


async def test_a_duplicate_is_a_success(hub: Hub) -> None:
    one = an_indicator("198.51.100.7", "one")
    await hub.tell("ro", one)
    answer = await add(hub, "ro", one, one)
    await hub.settle()
    done = await status(hub, "ro", answer)
    assert (done["success_count"], done["failure_count"]) == (2, 0)
    assert [one["id"] for one in done["successes"]] == ids([one, one])


async def test_what_is_held_is_a_success_that_says_so(tmp_path: Path) -> None:
    def hold(obj: dict[str, Any], *_: object) -> Hit | None:
        return Hit(Problem(Code.LIST_HIT, "", "It is on a list."), "list") if obj.get("name") == "hold me" else None

    async with a_hub(tmp_path, hold=hold) as hub:
        await hub.centre("ro")
        held = an_indicator("198.51.100.7", "x", name="hold me")
        answer = await add(hub, "ro", held)
        await hub.settle()
        done = await status(hub, "ro", answer)
        assert (done["status"], done["success_count"]) == ("complete", 1)
        assert done["successes"][0]["message"].startswith("list.hit: It is on a list.")
        gone = await hub.http.delete(f"{await objects_url(hub, 'ro')}{held['id']}/", headers=hub.auth("ro"))
        assert gone.status_code == 200


async def test_an_object_without_id_or_version_is_named_by_its_place_and_the_time(hub: Hub) -> None:
    odd = [{"type": "indicator"}, {"id": 7, "modified": "yesterday"}, "text", {"id": "x\u0000", "created": 5}]
    answer = await add(hub, "ro", *odd)
    requested = answer.json()["request_timestamp"]
    expected = [(f"objects/{no}", requested) for no in range(4)]
    assert [(one["id"], one["version"]) for one in answer.json()["pendings"]] == expected
    await hub.settle()
    done = await status(hub, "ro", answer)
    assert [(one["id"], one["version"]) for one in done["failures"]] == expected


@pytest.mark.parametrize("body", [
    b'{"objects": [{}]}', b'{"objects": [{"foo": 1}]}', b'{"objects": [5]}', b'[{"id": 7}]',
    b'{"type": "bundle", "id": "bundle--1", "objects": [{"x_id": "y"}]}',
])  # fmt: skip
async def test_a_bad_object_is_a_failure_of_its_own_also_where_it_is_the_only_one(hub: Hub, body: bytes) -> None:
    answer = await send(hub, "ro", body, **{"content-type": TAXII})
    assert answer.status_code == 202, answer.text
    await hub.settle()
    done = await status(hub, "ro", answer)
    assert (done["total_count"], done["failure_count"], done["status"]) == (1, 1, "complete")
    assert done["failures"][0]["id"] == "objects/0"


async def test_an_object_over_the_limit_is_a_failure_of_its_own(hub: Hub) -> None:
    answer = await add(hub, "ro", an_indicator("198.51.100.7", "good"), {"id": "x", "name": "n" * (2 << 20)})
    await hub.settle()
    done = await status(hub, "ro", answer)
    assert (done["success_count"], done["failure_count"]) == (1, 1)
    assert done["failures"][0]["message"].startswith("object.too-large")


@pytest.mark.parametrize(
    "content_type",
    [
        TAXII, "application/taxii+json", "application/taxii+json; version=2.1", "Application/TAXII+JSON;version=2.1",
        'application/taxii+json ; version="2.1" ; charset=utf-8', "application/stix+json;version=2.1",
        "application/stix+json; version=2.1", "application/stix+json", "application/json",
        "application/json;charset=UTF-8",
    ],
)  # fmt: skip
@pytest.mark.parametrize("form", ["envelope", "bundle", "object"])
async def test_envelopes_and_bundles_are_taken_under_the_media_types_of_clients(
    hub: Hub, content_type: str, form: str
) -> None:
    one = an_indicator("198.51.100.7", "one")
    body = {
        "envelope": orjson.dumps({"more": False, "objects": [one]}),
        "bundle": a_bundle(one),
        "object": orjson.dumps(one),
    }
    answer = await send(hub, "ro", body[form], **{"content-type": content_type, "accept": "application/json"})
    assert answer.status_code == 202, answer.text
    await hub.settle()
    assert await shown(hub) == ["ipv4-addr 198.51.100.7"]


@pytest.mark.parametrize(
    "headers",
    [
        {}, {"content-type": ""}, {"content-type": "text/plain"}, {"content-type": "application/xml"},
        {"content-type": "application/taxii+json;version=2.0"}, {"content-type": "application/x-ndjson"},
        {"content-type": "application/vnd.oasis.stix+json; version=2.0"},
        {"content-type": TAXII, "content-encoding": "br"},
    ],
)  # fmt: skip
async def test_another_media_type_or_encoding_is_refused_at_once(hub: Hub, headers: dict[str, str]) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b"x"
        raise AssertionError("the body was read")

    answer = await send(hub, "ro", endless(), **headers)
    assert answer.status_code == 415
    assert answer.headers["content-type"] == TAXII
    assert answer.json()["http_status"] == "415"


async def test_the_refusal_of_another_version_names_it(hub: Hub) -> None:
    answer = await send(hub, "ro", b"{}", **{"content-type": "application/taxii+json;version=2.0"})
    assert "application/taxii+json;version=2.0 is not taken" in answer.json()["description"]


@pytest.mark.parametrize(("pack", "encoding"), [
    (gzip.compress, "gzip"), (zstandard.ZstdCompressor().compress, "zstd"), (bytes, "identity"),
])  # fmt: skip
async def test_a_body_may_be_compressed_and_come_in_chunks(hub: Hub, pack: Any, encoding: str) -> None:
    body = pack(orjson.dumps({"objects": addresses(30)}))

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 100):
            yield body[start : start + 100]

    answer = await send(hub, "ro", chunks(), **{"content-type": TAXII, "content-encoding": encoding})
    assert answer.status_code == 202, answer.text
    assert answer.json()["total_count"] == 30


@pytest.mark.parametrize("body", [
    b"", b"{", b'{"objects": [}', b'{"objects": []}', b"{}", b'{"more": false}', b'{"objects": {}}', b"5", b"[]",
    b'{"foo": 1}', b' {"foo": 1}\n', b"\xff\xfe\xff", b'{"objects": [' + b"1" * (1 << 16),
])  # fmt: skip
async def test_a_body_without_readable_objects_is_refused_whole(hub: Hub, body: bytes) -> None:
    answer = await send(hub, "ro", body, **{"content-type": TAXII})
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == TAXII
    await hub.settle()
    assert await shown(hub) == []


async def test_a_body_over_the_limit_that_the_api_root_names_is_refused(tmp_path: Path) -> None:
    from hub.intake import IntakeLimits

    async with a_hub(tmp_path, intake=IntakeLimits(push_bytes=10_000)) as hub:
        await hub.centre("ro")
        assert (await hub.get("/taxii2/root/", "ro")).json()["max_content_length"] == 10_000
        body = orjson.dumps({"objects": addresses(30)})
        answer = await send(hub, "ro", body, **{"content-type": TAXII})
        assert (answer.status_code, answer.json()["error_code"]) == (413, "push.too-large")
        packed = await send(hub, "ro", gzip.compress(body), **{"content-type": TAXII, "content-encoding": "gzip"})
        assert packed.status_code == 413


async def test_members_add_what_members_may(hub: Hub) -> None:
    answer = await add(hub, "soc", an_object("note", "n", content="seen", object_refs=[]))
    await hub.settle()
    done = await status(hub, "soc", answer)
    assert done["success_count"] + done["failure_count"] == 1
    assert done["status"] == "complete"


# ---------------------------------------------------------------- statuses


async def test_a_status_is_of_its_source_alone(hub: Hub) -> None:
    await hub.operator()
    answer = await add(hub, "ro", an_indicator("198.51.100.7", "one"))
    own = answer.json()["id"]
    unknown = ["00000000-0000-4000-8000-000000000000", own.upper(), own.replace("-", ""), own[:-1], "x", own[:-1] + "~"]
    changed = [own[:at] + ("0" if own[at] != "0" else "1") + own[at + 1 :] for at in (0, 5, 10, 20, 35)]
    for who, some in (("ro", [*unknown, *changed]), ("it", [own]), ("soc", [own]), ("ops", [own])):
        for one in some:
            found = await hub.get(f"/taxii2/root/status/{one}/", who)
            assert (found.status_code, found.json()["error_code"]) == (404, "taxii.status"), (who, one)
    assert (await hub.get(f"/taxii2/root/status/{own}/")).status_code == 401


async def test_a_long_status_is_read_only_when_there_is_memory_for_it(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = await add(hub, "ro", *addresses(150))
    await hub.settle()
    answers, read = hub.doors.answers, hub.store.intake.objects
    free: list[int] = []

    async def reading(receipt: str, source: int) -> Any:
        free.append(answers.free_bytes)
        return await read(receipt, source)

    monkeypatch.setattr(hub.store.intake, "objects", reading)
    assert (await status(hub, "ro", answer))["success_count"] == 150
    assert free == [answers.total_bytes - 150_000]
    assert answers.free_bytes == answers.total_bytes


async def test_adding_a_few_objects_waits_for_no_memory_of_other_answers(tmp_path: Path) -> None:
    async with a_hub(tmp_path, answers_wait_s=0.0) as hub:
        await hub.centre("ro")
        async with hub.doors.answers.share("others") as others:
            await others.grow_to(hub.doors.answers.total_bytes)
            answer = await add(hub, "ro", *addresses(2))
            assert answer.status_code == 202, answer.text
            await hub.settle()
            assert (await status(hub, "ro", answer))["success_count"] == 2


async def test_the_api_root_is_also_directly_under_the_host(hub: Hub) -> None:
    for path in ("", "collections/", f"collections/{(await hub.collection('community')).id}/"):
        one, other = await hub.get(f"/taxii2/root/{path}", "ro"), await hub.get(f"/root/{path}", "ro")
        assert (one.status_code, one.content) == (other.status_code, other.content)
        assert (await hub.get(f"/root/{path}".rstrip("/"), "ro")).content == one.content
    body = orjson.dumps({"objects": [an_indicator("198.51.100.7", "one")]})
    answer = await hub.post(
        (await objects_url(hub, "ro", "/root/")).rstrip("/"), "ro", content=body, headers={"content-type": TAXII}
    )
    assert answer.status_code == 202
    await hub.settle()
    assert (await status(hub, "ro", answer, "/root/"))["status"] == "complete"
    assert (await hub.get("/root/nothing/", "ro")).headers["content-type"] == TAXII


# ---------------------------------------------------------------- deleting


async def test_deleting_withdraws_the_own_claim_alone(hub: Hub) -> None:
    mine, both = an_indicator("198.51.100.7", "mine"), an_indicator("198.51.100.8", "both")
    await hub.tell("it", both)
    await hub.settle()
    await add(hub, "ro", mine, both)
    await hub.settle()
    url = await objects_url(hub, "ro")
    for one in (mine, both):
        gone = await hub.http.delete(f"{url}{one['id']}/", headers=hub.auth("ro"))
        assert gone.status_code == 200
        assert gone.json()["pendings"][0]["id"] == one["id"]
        await hub.settle()
        assert (await status(hub, "ro", gone))["successes"][0]["id"] == one["id"]
        again = await hub.http.delete(f"{url}{one['id']}/", headers=hub.auth("ro"))
        assert (again.status_code, again.json()["error_code"]) == (404, "taxii.object")
    page = (await hub.get(await hub.objects_url("community"), "soc")).json()["objects"]
    assert {one["name"]: one.get("revoked", False) for one in page if one["type"] == "indicator"} == {
        "ipv4-addr 198.51.100.7": True, "ipv4-addr 198.51.100.8": False,
    }  # fmt: skip


async def test_deleting_answers_by_the_table_of_the_specification(hub: Hub) -> None:
    one = an_indicator("198.51.100.7", "one")
    await hub.tell("ro", one)
    intake, community = await objects_url(hub, "ro"), await hub.objects_url("community")
    network = await hub.objects_url("network")
    for who, url, code in (
        (None, intake, 401), ("ro", community, 403), ("soc", network, 404), ("it", intake, 404), ("ro", intake, 200),
    ):  # fmt: skip
        answer = await hub.http.delete(f"{url}{one['id']}/", headers=hub.auth(who))
        assert answer.status_code == code, (who, url)
        assert answer.headers["content-type"] == TAXII
    filtered = await hub.http.delete(f"{intake}{one['id']}/?match[version]=first", headers=hub.auth("ro"))
    assert (filtered.status_code, filtered.json()["error_code"]) == (400, "taxii.match")


# ---------------------------------------------------------------- other protocols


@pytest.mark.parametrize(
    "accept",
    ["application/vnd.oasis.taxii+json; version=2.0", "application/taxii+json;version=2.0", "text/html", "*/*"],
)
@pytest.mark.parametrize("path", ["/taxii2/", "/taxii2/root/", "/root/"])
async def test_discovery_and_api_root_answer_whatever_is_accepted(hub: Hub, path: str, accept: str) -> None:
    answer = await hub.get(path, "soc", headers={"accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (200, TAXII)


@pytest.mark.parametrize("headers", [
    {"content-type": "application/xml", "x-taxii-content-type": "urn:taxii.mitre.org:message:xml:1.1"},
    {"content-type": "text/xml; charset=utf-8"},
])  # fmt: skip
@pytest.mark.parametrize("path", ["/taxii2/", "/taxii2", "/taxii2/root/collections/"])
async def test_a_client_of_taxii_1_gets_one_clear_sentence(hub: Hub, path: str, headers: dict[str, str]) -> None:
    answer = await hub.post(path, "soc", content=b"<Discovery_Request/>", headers=headers)
    assert answer.status_code == 405
    assert answer.json()["description"] == "This is TAXII 2.1; TAXII 1 is not available. Use a TAXII 2.1 client."
