"""What real TAXII clients need of a server, rules R20 to R40 (docs/taxii.md has the rules and who needs each)."""

from __future__ import annotations

import asyncio
import itertools
from datetime import datetime
from typing import Any
from urllib.parse import quote

import orjson
import pytest

from hub.model.times import parse_us
from hub.questions import own_kept_out
from tests.doors.hubs import Hub, a_bundle, addresses, basic, ids
from tests.doors.test_taxii_rules import FIRST, LAST, TAXII, everything, page
from tests.story import TLP, an_indicator, an_object, malware
from tests.waiting import WITHIN_S

OTHER_VERSION = "application/vnd.oasis.taxii+json;version=2.0"
MS_US = 1_000
NOT_SHOWN = "No collection that you may read shows it: "


async def intake_url(hub: Hub, who: str = "ro") -> str:
    listed = (await hub.get("/taxii2/root/collections/", who)).json()["collections"]
    [found] = [one["id"] for one in listed if one["can_write"]]
    return f"/taxii2/root/collections/{found}/objects/"


async def add(hub: Hub, body: Any, content_type: str = TAXII, who: str = "ro") -> Any:
    """Add, carry, and return the status as it is then."""
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    answer = await hub.post(await intake_url(hub, who), who, content=content, headers={"content-type": content_type})
    assert answer.status_code == 202, answer.text
    await hub.settle()
    return (await hub.get(f"/taxii2/root/status/{answer.json()['id']}/", who)).json()


def cut(time: str) -> str:
    """As clients do that keep milliseconds."""
    return datetime.fromisoformat(time).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


# ---------------------------------------------------------------- R20 to R24: what is served


async def test_r20_a_device_that_takes_one_answer_gets_all_as_a_list(hub: Hub) -> None:
    await hub.tell("ro", *[an_indicator(f"198.51.100.{no}") for no in range(1, 31)])
    headers = {"accept": "application/vnd.oasis.stix+json; version=2.1", **basic("soc", hub.tokens["soc"])}
    one_page = (await hub.http.get(await hub.objects_url("community"), headers=headers)).json()
    assert len(one_page["objects"]) == 10
    assert one_page["more"] is True
    answer = await hub.http.get("/v1/collections/community/export.txt", headers=headers)
    assert sorted(answer.text.split()) == sorted(f"198.51.100.{no}" for no in range(1, 31))
    again = await hub.get(
        "/v1/collections/community/export.txt", "soc", headers={"if-none-match": answer.headers["etag"]}
    )
    assert again.status_code == 304


async def test_r21_filters_take_lists_encoded_or_not_and_only_known_ones_can_be_wrong(hub: Hub) -> None:
    await hub.tell("ro", *addresses(3), malware("m"))
    whole = await everything(hub)
    wanted = [one for one in whole if one["type"] in ("indicator", "malware")]
    for query in ("match[type]=indicator,malware", quote("match[type]=indicator,malware", safe="=")):
        assert await everything(hub, query) == wanted
    assert await everything(hub, "match[nonsense]=x") == whole
    answer = await hub.get(await hub.objects_url("community") + "?match[version]=newest", "soc")
    assert answer.status_code == 400


async def test_r22_objects_are_marked_with_tlp_2_0_and_their_markings_come_too(hub: Hub) -> None:
    await hub.tell("ro", an_indicator(tlp="marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da"))  # TLP 1: green
    whole = await everything(hub)
    [indicator] = [one for one in whole if one["type"] == "indicator"]
    assert indicator["object_marking_refs"] == [TLP["green"]]
    assert TLP["green"] in ids(whole)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("[ ipv4-addr:value IN ('198.51.100.7/32') ]", "[ipv4-addr:value = '198.51.100.7']"),
        ("[domain-name:value='C2.example.']", "[domain-name:value = 'c2.example']"),
        (f"[file:hashes.MD5 = '{'B' * 32}']", f"[file:hashes.MD5 = '{'b' * 32}']"),
        (f"[file:hashes.'SHA-256'='{'A' * 64}']", f"[file:hashes.'SHA-256' = '{'a' * 64}']"),
    ],
)  # fmt: skip
async def test_r23_a_single_comparison_is_written_the_way_that_products_take_apart(
    hub: Hub, said: str, shown: str
) -> None:
    await hub.tell("ro", an_indicator(said))
    assert [one["pattern"] for one in await everything(hub, "match[type]=indicator")] == [shown]


async def test_r24_a_withdrawal_is_a_version_that_stays_and_lists_have_only_what_is_live(hub: Hub) -> None:
    await hub.tell("ro", an_indicator(), *addresses(1))
    await hub.withdraw("ro", an_indicator()["id"])
    await hub.tell("ro", *addresses(5, start=100))
    revoked = [one for one in await everything(hub) if one.get("revoked")]
    assert [one["pattern"] for one in revoked] == ["[ipv4-addr:value = '198.51.100.7']"]
    listed = (await hub.get("/v1/collections/community/export.txt", "soc")).text
    assert "2001:db8::1" in listed
    assert "198.51.100.7" not in listed


# ---------------------------------------------------------------- R25 to R27: adding, waiting, going back


async def test_r25_each_object_of_a_request_succeeds_or_fails_by_itself(hub: Hub) -> None:
    bad = {**an_indicator("198.51.100.8"), "pattern": "[nonsense"}
    status = await add(hub, {"objects": [an_indicator(), bad]})
    assert status["status"] == "complete"
    counts = [status[f"{name}_count"] for name in ("total", "success", "failure", "pending")]
    assert counts == [2, 1, 1, 0]
    assert [(one["id"], one["version"]) for one in status["successes"]] == [
        (an_indicator()["id"], an_indicator()["modified"])
    ]
    [failure] = status["failures"]
    assert (failure["id"], failure["version"]) == (bad["id"], bad["modified"])
    assert "/rules/pattern.syntax" in failure["message"]


async def test_r25_a_bundle_is_taken_and_what_is_there_already_is_a_success(hub: Hub) -> None:
    for body in (a_bundle(*addresses(2)), {"objects": addresses(2)}):
        status = await add(hub, body)
        assert (status["status"], status["success_count"], status["failure_count"]) == ("complete", 2, 0)


async def test_r26_a_request_waits_for_its_turn_rather_than_being_refused(hub: Hub) -> None:
    await hub.tell("ro", an_indicator())
    url, budget = await hub.objects_url("community"), hub.doors.answers
    async with asyncio.TaskGroup() as tasks, budget.share(None) as everything_there_is:
        await everything_there_is.grow_to(budget.total_bytes)
        asking = tasks.create_task(hub.get(url, "soc"))
        for _ in range(100):
            await asyncio.sleep(0)
        assert not asking.done()
    assert asking.result().status_code == 200


async def test_r27_a_client_that_goes_back_gets_what_followed_then(hub: Hub) -> None:
    await hub.tell("ro", *addresses(12))
    begun = await page(hub)
    await everything(hub)
    again = await everything(hub, f"next={begun.json()['next']}")
    assert again == await everything(hub, f"added_after={begun.headers[LAST]}")
    assert begun.json()["objects"] + again == await everything(hub, "added_after=1970-01-01T00:00:00Z")


# ---------------------------------------------------------------- R28 to R30: ends, roots, envelopes


@pytest.mark.parametrize("size", [1, 2, 49, 51])
@pytest.mark.parametrize("collection", ["community", "public"])
@pytest.mark.parametrize("filtered", ["", "&match[type]=indicator", "&match[type]=malware"])
async def test_r28_after_the_last_page_a_date_cut_to_milliseconds_gets_nothing_again(
    hub: Hub, size: int, collection: str, filtered: str
) -> None:
    await hub.tell("ro", *addresses(size, tlp="clear"), malware("m", tlp="clear"))
    manifest_url = (await hub.objects_url(collection)).replace("objects", "manifest")
    query = ""
    while True:
        answer = await hub.get(f"{manifest_url}?{query}{filtered}", "soc")
        last = answer.headers[LAST]
        if not answer.json()["more"]:
            break
        query = f"next={answer.json()['next']}"
    assert parse_us(last) % MS_US == 0
    assert (await page(hub, collection, f"?added_after={cut(last)}{filtered}")).json()["objects"] == []


async def test_r29_the_api_root_is_directly_under_the_host_as_well(hub: Hub) -> None:
    await hub.tell("ro", *addresses(12))
    for path in ("/", "/collections/", (await hub.objects_url("community")).removeprefix("/taxii2/root")):
        there, here = await hub.get("/taxii2/root" + path, "soc"), await hub.get("/root" + path, "soc")
        assert (here.status_code, here.content) == (there.status_code, there.content)
        assert here.status_code == 200
        assert here.headers["content-type"] == TAXII
    missing = await hub.get("/root/nowhere/", "soc")
    assert (missing.status_code, missing.json()["http_status"]) == (404, "404")


async def test_r30_every_envelope_has_its_objects(hub: Hub) -> None:
    await hub.tell("ro", *addresses(12))
    for query in (
        "",
        f"?next={(await page(hub)).json()['next']}",
        "?match[type]=tool",
        "?added_after=2099-01-01T00:00:00Z",
    ):
        assert isinstance((await page(hub, query=query)).json()["objects"], list), query


# ---------------------------------------------------------------- R31 to R33: what pushes


@pytest.mark.parametrize(
    "content_type",
    [
        "application/stix+json; version=2.1", "application/stix+json;version=2.1", "application/stix+json",
        "application/taxii+json; version=2.1", "application/taxii+json;version=2.1; charset=utf-8", "application/json",
    ],
)  # fmt: skip
async def test_r31_one_object_in_a_bundle_of_any_spelling_is_taken(hub: Hub, content_type: str) -> None:
    bare = {name: said for name, said in an_indicator().items() if name != "object_marking_refs"}
    bundle = {**orjson.loads(a_bundle(bare)), "spec_version": "2.1"}
    status = await add(hub, bundle, content_type)
    assert (status["status"], status["success_count"]) == ("complete", 1)


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/xml", "application/taxii+json;version=2.0"])
async def test_r32_another_content_type_is_refused_before_the_body_is_read(hub: Hub, content_type: str) -> None:
    never = asyncio.Event()

    async def body() -> Any:
        yield b'{"objects":['
        await never.wait()

    headers = {"content-type": content_type} if content_type else {}
    async with asyncio.timeout(WITHIN_S):
        answer = await hub.post(await intake_url(hub), "ro", content=body(), headers=headers)
    assert answer.status_code == 415
    assert answer.headers["content-type"] == TAXII
    assert answer.json()["http_status"] == "415"


async def test_r33_who_pushes_is_told_where_it_can_be_read_and_why_it_is_not(hub: Hub) -> None:
    url = await intake_url(hub)
    refused = await hub.get(url, "ro")
    assert refused.status_code == 403
    described = (await hub.get(url.removesuffix("objects/"), "ro")).json()["description"]
    for name in ("community", "network", "public"):
        assert name in refused.json()["description"]
        assert name in described
    unknown = "marking-definition--00000000-0000-4000-8000-000000000000"
    status = await add(hub, {"objects": [an_indicator(object_marking_refs=[unknown])]})
    told: list[Any] = status.get("successes", []) + status.get("failures", [])
    assert told[0]["message"].startswith("marking.unknown: ")


async def test_r33_the_status_says_why_what_was_taken_is_not_shown(hub: Hub) -> None:
    hub.clock.us += 86_400 * 1_000_000
    await hub.worker.do_tasks()  # from the first tick on, claims expire
    tool = an_object("tool", "t", name="Cobalt Strike")
    ends = {"relationship_type": "indicates", "source_ref": an_indicator()["id"]}
    waits = an_object("relationship", "waits", **ends, target_ref=malware("unknown")["id"])
    linked = an_object("relationship", "linked", **ends, target_ref=tool["id"])
    old = an_indicator("198.51.100.9", valid_from="2019-01-01T00:00:00Z", valid_until="2019-02-01T00:00:00Z")
    revoked = an_indicator("198.51.100.10", revoked=True)
    sent = [
        an_indicator(),
        tool,
        waits,
        linked,
        old,
        revoked,
        an_object("identity", "us", name="Us", identity_class="organization"),
    ]
    said = {one["id"]: one.get("message") for one in (await add(hub, {"objects": sent}))["successes"]}
    why = {stix_id: message.removeprefix(NOT_SHOWN) for stix_id, message in said.items() if message}
    assert why == {
        waits["id"]: "the collection does not show something that it must refer to.",
        old["id"]: "it has expired.",
        revoked["id"]: "its source has revoked it.",
    }
    later = await add(hub, {"objects": [malware("unknown")]})
    assert [one.get("message") for one in later["successes"]] == [None]
    again = await add(hub, {"objects": [waits]})
    assert NOT_SHOWN not in again["successes"][0]["message"]


async def test_r33_beyond_the_first_objects_the_status_gives_no_reason(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_kept_out, "MOST_REASONS", 1)
    sent = [an_indicator(f"198.51.100.{no}", revoked=True) for no in range(3)]
    definition = an_object("marking-definition", "unused", name="x", definition_type="statement")
    definition["definition"] = {"statement": "Not used yet"}
    status = await add(hub, {"objects": [*sent, definition]})
    said = {one["id"]: one.get("message", "") for one in status["successes"]}
    told = [said[stix_id] for stix_id in sorted(one["id"] for one in sent)]
    assert told == [f"{NOT_SHOWN}its source has revoked it.", *[NOT_SHOWN.replace(": ", ".")] * 2]
    assert NOT_SHOWN[:-2] not in said[definition["id"]]


# ---------------------------------------------------------------- R34 to R40: odd requests, dates, sizes


@pytest.mark.parametrize("path", ["/taxii2/", "/taxii2/root/", "/root/"])
async def test_r34_discovery_and_root_answer_whatever_version_is_accepted(hub: Hub, path: str) -> None:
    answer = await hub.get(path, "soc", headers={"accept": OTHER_VERSION})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == TAXII
    assert (
        await hub.get(await hub.objects_url("community"), "soc", headers={"accept": OTHER_VERSION})
    ).status_code == 406


@pytest.mark.parametrize("path", ["objects/", "manifest/"])
async def test_r35_the_dates_of_empty_answers_are_rfc_3339(hub: Hub, path: str) -> None:
    url = (await hub.objects_url("community")).removesuffix("objects/") + path
    for query in ("", "?added_after=2026-01-01T00:00:00Z", "?added_after=0001-01-01T00:00:00Z", "?match[type]=tool"):
        answer = await hub.get(url + query, "soc")
        for name in (FIRST, LAST):
            assert datetime.fromisoformat(answer.headers[name]).tzinfo is not None
            assert answer.headers[name].endswith("Z")


async def test_r38_a_match_that_is_wrapped_twice_is_ignored(hub: Hub) -> None:
    await hub.tell("ro", *addresses(3), malware("m"))
    for doubled in ("match[match[type]]=malware", "match%5Bmatch%5Btype%5D%5D=malware"):
        assert await everything(hub, doubled) == await everything(hub)


async def test_r39_a_sample_takes_no_more_than_it_asks_for(hub: Hub) -> None:
    await hub.tell("ro", *addresses(30), malware("m"))
    for limit, kind in itertools.product((1, 3), ("indicator", "indicator,malware")):
        body = (await page(hub, query=f"?limit={limit}&match[type]={kind}")).json()
        assert len(body["objects"]) == limit
    missing = (await hub.objects_url("community")).replace("collections/", "collections/0")
    assert (await hub.get(missing, "soc")).status_code == 404  # of one that is gone, while the others go on
    assert len((await page(hub, query="?limit=2")).json()["objects"]) == 2


async def test_r40_a_revoked_indicator_is_complete_and_keeps_its_id(hub: Hub) -> None:
    await hub.tell("ro", an_indicator(valid_until="2027-01-01T00:00:00.000Z", confidence=60))
    [before] = await everything(hub, "match[type]=indicator")
    await hub.withdraw("ro", an_indicator()["id"])
    [after] = await everything(hub, "match[type]=indicator")
    assert after == {**before, "modified": after["modified"], "revoked": True}
    assert {"id", "created", "pattern", "pattern_type", "valid_from", "valid_until"} <= set(after)
