"""The MISP feed: what a MISP has after each pull, and that what it reads is what MISP writes itself."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio

from hub.doors.export.misp.events import PARTS
from hub.doors.export.misp.kept_feeds import _MARGIN_US
from hub.model.times import stix_time
from tests.doors.clients.misp_feeds import FeedOfMisp, is_read_by_pymisp
from tests.doors.hubs import Hub, a_hub, addresses
from tests.story import START_US, an_indicator

DAY_US = 86_400_000_000
KINDS = {
    "[ipv4-addr:value = '198.51.100.7']": ("ip-dst", "198.51.100.7"),
    "[ipv4-addr:value ISSUBSET '198.51.100.0/24']": ("ip-dst", "198.51.100.0/24"),
    "[ipv6-addr:value = '2a0e:b107::7']": ("ip-dst", "2a0e:b107::7"),
    "[domain-name:value = 'c2.example']": ("domain", "c2.example"),
    "[url:value = 'http://c2.example/a']": ("url", "http://c2.example/a"),
    "[email-addr:value = 'a@c2.example']": ("email-src", "a@c2.example"),
    "[file:hashes.MD5 = '0123456789abcdef0123456789abcdef']": ("md5", "0123456789abcdef0123456789abcdef"),
    f"[file:hashes.'SHA-1' = '{'1a' * 20}']": ("sha1", "1a" * 20),
    f"[file:hashes.'SHA-256' = '{'1a' * 32}']": ("sha256", "1a" * 32),
    "[file:name = 'a.exe']": ("filename", "a.exe"),
    "[mutex:name = 'm']": ("mutex", "m"),
    "[windows-registry-key:key = 'HKEY_LOCAL_MACHINE\\\\\\\\a']": ("regkey", "HKEY_LOCAL_MACHINE\\\\a"),
    "[mac-addr:value = '00:00:5e:00:53:01']": ("mac-address", "00:00:5e:00:53:01"),
    "[autonomous-system:number = 64496]": ("AS", "64496"),
    "[email-message:subject = 'a subject']": ("email-subject", "a subject"),
    f"[x509-certificate:hashes.'SHA-1' = '{'1a' * 20}']": ("x509-fingerprint-sha1", "1a" * 20),
}


@pytest_asyncio.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    """As that of other tests, but a feed is never older than its collection."""
    async with a_hub(tmp_path, page_objects=10, misp_feed_rest=0) as made:
        await made.centre("ro", country="RO")
        await made.centre("it", country="IT")
        await made.member("soc")
        yield made


@pytest.fixture
def misp(hub: Hub) -> FeedOfMisp:
    return FeedOfMisp(hub)


async def a_day_passes(hub: Hub, days: int = 1) -> None:
    hub.clock.us += days * DAY_US
    await hub.worker.do_tasks()
    hub.clock.us += DAY_US // 8


# ---------------------------------------------------------------- what MISP has


async def test_a_pull_brings_what_may_be_blocked(misp: FeedOfMisp) -> None:
    await misp.hub.tell("ro", *addresses(100))
    await misp.pull()
    assert len(misp.values(to_ids=True)) == 100
    assert 1 < len(misp.events) <= PARTS
    assert misp.refused == []


async def test_nothing_is_fetched_again_while_nothing_changes(misp: FeedOfMisp) -> None:
    await misp.hub.tell("ro", *addresses(20))
    misp.hub.clock.us += 2 * _MARGIN_US
    await misp.pull()
    before = dict(misp.attributes)
    await misp.pull()
    assert misp.fetched == []
    assert misp.attributes == before


async def test_a_change_touches_one_event(misp: FeedOfMisp) -> None:
    await misp.hub.tell("ro", *addresses(200))
    misp.hub.clock.us += 2 * _MARGIN_US
    await misp.pull()
    await misp.hub.tell("it", addresses(1, confidence=90)[0])
    await misp.pull()
    assert len(misp.fetched) == 1


async def test_a_withdrawal_deletes_the_attribute(misp: FeedOfMisp) -> None:
    one, two = an_indicator("198.51.100.1"), an_indicator("198.51.100.2")
    await misp.hub.tell("ro", one, two)
    await misp.pull()
    await misp.hub.withdraw("ro", one["id"])
    await misp.pull()
    assert misp.values() == ["198.51.100.2"]
    [gone] = [said for said in misp.attributes.values() if said["deleted"]]
    assert gone["value"] == "198.51.100.1"
    assert gone["to_ids"] is False


async def test_changes_within_one_second_all_arrive(misp: FeedOfMisp) -> None:
    """MISP compares whole seconds: an equal time would keep a change from it."""
    one = an_indicator("198.51.100.1")
    await misp.hub.tell("ro", one, an_indicator("198.51.100.2"))
    misp.hub.clock.us -= 900_000
    await misp.pull()
    misp.hub.clock.us -= 50_000
    await misp.hub.withdraw("ro", one["id"])
    for _ in range(3):
        misp.hub.clock.us += _MARGIN_US
        await misp.pull()
    assert misp.values() == ["198.51.100.2"]


async def test_an_expired_value_is_deleted_although_others_changed_since(misp: FeedOfMisp) -> None:
    """Its event has a later change than its end, and is fetched nevertheless."""
    end = stix_time(START_US + 3_600_000_000)
    await misp.hub.tell("ro", an_indicator("198.51.100.1", valid_until=end), an_indicator("198.51.100.3"))
    misp.hub.clock.us += 2 * 3_600_000_000
    await misp.hub.tell("ro", *addresses(300))
    misp.hub.clock.us += 2 * _MARGIN_US
    await misp.pull()
    assert "198.51.100.1" in misp.values()
    before = dict(misp.events)
    await a_day_passes(misp.hub)
    await misp.pull()
    [gone] = [said for said in misp.attributes.values() if said["deleted"]]
    assert gone["value"] == "198.51.100.1"
    assert misp.fetched == [gone["event"]]
    assert misp.events[gone["event"]] > before[gone["event"]]


async def test_an_expired_value_is_deleted_although_the_hub_notices_it_late(misp: FeedOfMisp) -> None:
    """After midnight all events change, MISP pulls them, and only then the hub takes note of the new day."""
    end = stix_time(START_US + 3_600_000_000)
    await misp.hub.tell("ro", an_indicator("198.51.100.1", valid_until=end))
    misp.hub.clock.us = START_US + DAY_US + 10 * _MARGIN_US
    await misp.hub.push("ro", *addresses(1_000))
    batch = await misp.hub.consumer.take(limit=2_000, limit_bytes=1 << 24, wait_s=0)
    await misp.hub.worker.process(batch)
    misp.hub.clock.us += 10 * _MARGIN_US
    await misp.pull()
    assert "198.51.100.1" in misp.values()
    misp.hub.clock.us += 10 * _MARGIN_US
    await misp.hub.worker.do_tasks()
    misp.hub.clock.us += 60 * _MARGIN_US
    await misp.pull()
    assert "198.51.100.1" not in misp.values()


async def test_what_comes_back_is_live_again(misp: FeedOfMisp) -> None:
    one = an_indicator("198.51.100.1")
    await misp.hub.tell("ro", one)
    await misp.pull()
    await misp.hub.withdraw("ro", one["id"])
    await misp.pull()
    assert misp.values() == []
    await misp.hub.tell("it", an_indicator("198.51.100.1"))
    await misp.pull()
    assert misp.values() == ["198.51.100.1"]
    assert misp.refused == []


async def test_a_value_of_two_indicators_stays_until_both_are_gone(misp: FeedOfMisp) -> None:
    """Whether they are in one event or in two. MISP refuses a second attribute with the same value in an event."""
    many = [f"198.51.100.{number}" for number in range(1, 60)]
    single = an_indicator("198.51.100.1")
    some = [an_indicator(f"[ipv4-addr:value IN ('198.51.100.1', '{value}')]") for value in many[1:]]
    await misp.hub.tell("ro", single, *some)
    await misp.pull()
    assert misp.refused == []
    await misp.hub.withdraw("ro", single["id"])
    await misp.pull()
    assert "198.51.100.1" in misp.values()
    await misp.hub.withdraw("ro", *(one["id"] for one in some))
    await misp.pull()
    assert misp.values() == []
    assert misp.refused == []


async def test_after_ninety_days_a_withdrawn_value_is_not_mentioned_and_time_does_not_go_back(misp: FeedOfMisp) -> None:
    one = an_indicator("198.51.100.1")
    await misp.hub.tell("ro", one, *addresses(1_000))  # some of them in the same event
    await misp.hub.withdraw("ro", one["id"])
    misp.hub.clock.us += 2 * _MARGIN_US
    await misp.pull()
    [gone] = [said for said in misp.attributes.values() if said["deleted"]]
    await a_day_passes(misp.hub, 89)
    assert gone["uuid"] in str(await misp.json(f"{gone['event']}.json"))
    await a_day_passes(misp.hub, 2)
    event = await misp.json(f"{gone['event']}.json")
    assert gone["uuid"] not in str(event)
    assert int(event["Event"]["timestamp"]) >= misp.events[gone["event"]]


# ---------------------------------------------------------------- what MISP is told of an indicator


@pytest.mark.parametrize(("pattern", "expected"), KINDS.items(), ids=lambda one: str(one)[:30])
async def test_each_kind_has_its_type_in_misp(misp: FeedOfMisp, pattern: str, expected: tuple[str, str]) -> None:
    receipt = await misp.hub.tell("ro", an_indicator(pattern))
    assert receipt["rejected"] == 0, receipt["problems"]
    await misp.pull()
    [attribute] = misp.attributes.values()
    assert (attribute["type"], attribute["value"]) == expected


async def test_what_misp_cannot_express_is_counted(misp: FeedOfMisp) -> None:
    await misp.hub.tell(
        "ro",
        an_indicator("198.51.100.1"),
        an_indicator("[ipv4-addr:value != '198.51.100.7']", "not"),
        an_indicator("[process:command_line = 'a']", "process"),
        an_indicator("[file:name = 'a\nb']", "two lines"),
        an_indicator("rule a { condition: true }", "yara", pattern="rule a { condition: true }", pattern_type="yara"),
    )
    answer = await misp.file("manifest.json")
    assert answer.headers["x-ctihub-skipped"] == "4"
    await misp.pull()
    assert misp.values() == ["198.51.100.1"]


@pytest.mark.parametrize(("label", "to_ids"), [("PAP:RED", False), ("PAP:AMBER", False), ("PAP:GREEN", True)])
async def test_what_must_not_be_blocked_is_shared_but_not_for_detection(
    misp: FeedOfMisp, label: str, to_ids: bool
) -> None:
    await misp.hub.tell("ro", an_indicator("198.51.100.1", labels=[label]))
    await misp.pull()
    assert misp.values(to_ids=to_ids) == ["198.51.100.1"]
    assert label in misp.tags("198.51.100.1")


async def test_what_is_benign_or_too_wide_is_not_for_detection(misp: FeedOfMisp) -> None:
    await misp.hub.tell("ro", an_indicator("198.51.100.1", indicator_types=["benign"]), an_indicator("203.0.0.0/12"))
    await misp.pull()
    assert misp.values(to_ids=False) == ["198.51.100.1", "203.0.0.0/12"]
    assert misp.values(to_ids=True) == []


async def test_tags_are_those_of_misps_taxonomies(misp: FeedOfMisp) -> None:
    await misp.hub.tell(
        "ro", an_indicator("198.51.100.1", confidence=80, labels=["a"], indicator_types=["malicious-activity"])
    )
    await misp.pull()
    assert misp.tags("198.51.100.1") == [
        "tlp:green", 'ctihub:label="a"', 'misp:confidence-level="usually-confident"',
        'ctihub:indicator-type="malicious-activity"', 'ctihub:source="ro"',
    ]  # fmt: skip
    [said] = (await misp.json("manifest.json")).values()
    assert [tag["name"] for tag in said["Tag"]] == ["tlp:green"]


async def test_the_creator_is_the_hub_and_the_comment_names_the_indicator(misp: FeedOfMisp) -> None:
    await misp.hub.tell("ro", an_indicator("198.51.100.1", confidence=80))
    await misp.pull()
    [said] = (await misp.json("manifest.json")).values()
    policy = await misp.hub.store.policy()
    assert said["Orgc"] == {"name": "ctihub", "uuid": policy.hub_identity.removeprefix("identity--")}
    [listed] = (await misp.hub.get("/v1/collections/community/export.jsonl", "soc")).text.splitlines()
    [attribute] = misp.attributes.values()
    assert attribute["comment"] == f"{orjson.loads(listed)['id']}, confidence 80"


# ---------------------------------------------------------------- read by PyMISP


async def test_pymisp_reads_all_files_without_a_warning(misp: FeedOfMisp) -> None:
    one = an_indicator("198.51.100.99", valid_until=stix_time(START_US + 400 * DAY_US), labels=['a"\n', "PAP:RED"])
    await misp.hub.tell("ro", one, *addresses(50), *(an_indicator(pattern) for pattern in KINDS))
    await misp.hub.withdraw("ro", addresses(1)[0]["id"])
    manifest = await misp.json("manifest.json")
    hashes: list[str] = []
    for uuid, said in manifest.items():
        hashes += is_read_by_pymisp(await misp.json(f"{uuid}.json"), said)
    answer = await misp.file("hashes.csv")
    listed = await misp.hub.get("/v1/collections/community/export.txt", "soc")
    assert answer.headers["x-ctihub-seq"] == listed.headers["x-ctihub-seq"]
    assert answer.text.splitlines() == hashes
    assert answer.headers["x-ctihub-lines"] == str(len(hashes))


# ---------------------------------------------------------------- UUIDs and times


async def test_two_collections_share_no_uuid(misp: FeedOfMisp) -> None:
    await misp.hub.tell("ro", *addresses(20))
    other = FeedOfMisp(misp.hub, "ro", "network")
    await misp.pull()
    await other.pull()
    assert set(misp.values()) & set(other.values())
    assert not misp.events.keys() & other.events.keys()
    assert not misp.attributes.keys() & other.attributes.keys()


# ---------------------------------------------------------------- the door


async def test_an_unchanged_file_is_a_304_although_another_event_changed(misp: FeedOfMisp) -> None:
    await misp.hub.tell("ro", *addresses(100))
    misp.hub.clock.us += 2 * _MARGIN_US
    etags = {uuid: (await misp.file(f"{uuid}.json")).headers["etag"] for uuid in await misp.json("manifest.json")}
    await misp.hub.tell("it", addresses(1, confidence=90)[0])
    statuses = [
        (await misp.file(f"{uuid}.json", **{"if-none-match": etag})).status_code for uuid, etag in etags.items()
    ]
    assert sorted(set(statuses)) == [200, 304]
    assert statuses.count(200) == 1


@pytest.mark.parametrize(
    "name", ["00000000-0000-5000-8000-000000000001.json", "a.json", "manifest.json.json", "%00.json"]
)
async def test_an_unknown_event_is_not_found(misp: FeedOfMisp, name: str) -> None:
    answer = await misp.file(name)
    assert answer.status_code == 404
    assert answer.json()["code"] == "misp.event"


async def test_a_feed_has_no_parameters(misp: FeedOfMisp) -> None:
    answer = await misp.file("manifest.json?limit=5")
    assert answer.status_code == 400
    assert answer.json()["code"] == "parameter.unknown"


async def test_the_public_collection_needs_no_credentials_and_others_do(hub: Hub) -> None:
    assert (await FeedOfMisp(hub, None, "public").file("manifest.json")).json() == {}
    assert (await FeedOfMisp(hub, None, "public").file("hashes.csv")).content == b""
    assert (await FeedOfMisp(hub, None).file("manifest.json")).status_code == 401
    assert (await FeedOfMisp(hub, "soc", "network").file("manifest.json")).status_code == 404


async def test_basic_and_a_header_are_taken(hub: Hub) -> None:
    misp = FeedOfMisp(hub, None)
    for header in (
        hub.auth("soc"),
        {"authorization": "Basic " + b64encode(f"soc:{hub.tokens['soc']}".encode()).decode()},
    ):
        assert (await misp.file("manifest.json", **header)).status_code == 200


async def test_what_the_collection_does_not_show_changes_no_byte(misp: FeedOfMisp) -> None:
    hub = misp.hub
    await hub.tell("ro", *addresses(20), an_indicator("203.0.0.0/12"))
    hub.clock.us += 2 * _MARGIN_US
    names = ["manifest.json", "hashes.csv", *(f"{uuid}.json" for uuid in await misp.json("manifest.json"))]

    async def all_bytes() -> list[tuple[bytes, Any]]:
        answers = [await misp.file(name) for name in names]
        return [(one.content, one.headers) for one in answers]

    before = await all_bytes()
    await hub.tell("it", *addresses(40, tlp="amber", confidence=99, labels=["PAP:RED"]))
    await hub.tell("it", an_indicator("[process:command_line = 'a']", "process", tlp="amber"))
    await hub.withdraw("it", addresses(1)[0]["id"])
    hub.clock.us += 2 * _MARGIN_US
    await FeedOfMisp(hub, "it", "network").pull()
    after = await all_bytes()
    assert [content for content, _ in after] == [content for content, _ in before]
    assert [dict(headers) for _, headers in after] == [dict(headers) for _, headers in before]


async def test_a_feed_rests_while_its_collection_changes(tmp_path: Path) -> None:
    async with a_hub(tmp_path, misp_feed_rest=1e9) as hub:
        await hub.centre("ro")
        await hub.member("soc")
        misp = FeedOfMisp(hub)
        await hub.tell("ro", an_indicator("198.51.100.1"))
        await misp.pull()
        await hub.tell("ro", an_indicator("198.51.100.2"))
        before = dict(misp.events)
        await misp.pull()
        assert misp.events == before
        await asyncio.gather(*(misp.file("hashes.csv") for _ in range(5)))


async def test_a_feed_that_rests_is_written_again_on_a_new_day(tmp_path: Path) -> None:
    async with a_hub(tmp_path, misp_feed_rest=1e9) as hub:
        await hub.centre("ro")
        await hub.member("soc")
        misp = FeedOfMisp(hub)
        await hub.tell("ro", an_indicator("198.51.100.1", valid_until=stix_time(START_US + 3_600_000_000)))
        await misp.pull()
        assert misp.values() == ["198.51.100.1"]
        await a_day_passes(hub)
        await misp.pull()
        assert misp.values() == []
