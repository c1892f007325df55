"""The worked examples of docs/semantics.md, section 9."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hub.model.extensions import VIEW_EXTENSION
from hub.model.words import Naming, Withdrawal
from tests.story import TLP, Story, TakesBack, an_indicator, an_object, bytes_of, moment, said_of, uid


@pytest.fixture
async def story(tmp_path: Path) -> AsyncIterator[Story]:
    found = await Story.begin(tmp_path)
    yield found
    await found.close()


async def test_three_spellings_are_one_thing(story: Story) -> None:
    ro, it, pl = await story.centre("ro"), await story.centre("it"), await story.centre("pl")
    ro_said = an_indicator("[ipv4-addr:value = '198.51.100.7']", "ro", confidence=60)
    it_said = an_indicator("[ ipv4-addr:value='198.51.100.7/32' ]", "it", confidence=50)
    await story.batch((ro, ro_said), (it, it_said))
    await story.batch((pl, an_indicator("[ipv4-addr:value IN ('198.51.100.7')]", "pl", tlp="amber", confidence=80)))
    green, amber = await story.only("community"), await story.only("network")
    assert green["confidence"] == 80
    assert [source["name"] for source in said_of(green)["sources"]] == ["it", "ro"]
    assert amber["confidence"] == 96
    assert len(said_of(amber)["sources"]) == 3
    assert said_of(amber)["floor"] == "green"
    assert green["id"] != amber["id"]
    assert green["pattern"] == "[ipv4-addr:value = '198.51.100.7']"

    await story.batch((it, it_said | {"revoked": True, "modified": moment(10)}))
    green = await story.only("community")
    assert green["confidence"] == 60
    assert said_of(green)["revoked_by"] == 1

    await story.batch((ro, ro_said | {"revoked": True, "modified": moment(11)}))
    assert await story.shown("community", "indicator") == {}
    last = (await story.log("community", versions=("last",), types=frozenset({"indicator"})))[-1]
    assert b'"revoked":true' in last.body
    amber = await story.only("network")
    assert amber["confidence"] == 80
    assert said_of(amber)["floor"] == "amber"


async def test_amber_that_arrives_later_changes_no_byte_of_community(story: Story) -> None:
    ro, pl = await story.centre("ro"), await story.centre("pl")
    await story.batch((ro, an_indicator("198.51.100.7", "ro")))
    before = bytes_of(await story.log("community"))
    await story.batch((pl, an_indicator("198.51.100.7", "pl", tlp="amber", confidence=80)))
    assert bytes_of(await story.log("community")) == before


async def test_re_marking_upwards_looks_like_a_withdrawal(tmp_path: Path) -> None:
    logs = []
    for way in ("remark", "withdraw"):
        story = await Story.begin(tmp_path / way)
        ro = await story.centre("ro")
        said = an_indicator("198.51.100.7", "ro")
        await story.batch((ro, said))
        if way == "remark":
            amber = an_indicator("198.51.100.7", "ro", tlp="amber", at=1)
            await story.batch((ro, amber))
            assert (await story.only("network"))["object_marking_refs"] == amber["object_marking_refs"]
        else:
            await story.batch((ro, said["id"]))
        logs.append(bytes_of(await story.log("community")))
        await story.close()
    assert logs[0] == logs[1]


async def test_a_relayed_feed_is_one_voice(story: Story) -> None:
    vendor = f"identity--{uid('vendor')}"
    centres = [await story.centre(name) for name in ("at", "be", "cz", "de", "es")]
    said = [an_indicator("198.51.100.7", "feed", created_by_ref=vendor, confidence=40 + i) for i in range(5)]
    await story.batch(*zip(centres, said, strict=True))
    green = await story.only("community")
    assert len(said_of(green)["sources"]) == 5
    assert said_of(green)["voices"] == 1
    assert green["confidence"] == 44


async def test_inventing_authors_gains_nothing(story: Story) -> None:
    it = await story.centre("it")
    said = [
        an_indicator("198.51.100.7", f"n{i}", created_by_ref=f"identity--{uid('author', i)}", confidence=50)
        for i in range(50)
    ]
    await story.batch(*((it, one) for one in said))
    green = await story.only("community")
    assert said_of(green)["voices"] == 1
    assert green["confidence"] == 50


async def test_a_relationship_waits_for_its_target(story: Story) -> None:
    ro = await story.centre("ro")
    indicator = an_indicator("198.51.100.7", "ro", tlp="amber")
    malware = an_object("malware", "m", name="m", is_family=True)
    relation = an_object(
        "relationship", "r", relationship_type="indicates", source_ref=indicator["id"], target_ref=malware["id"]
    )
    await story.batch((ro, indicator), (ro, relation))
    assert await story.shown("network", "relationship") == {}
    await story.batch((ro, malware))
    rows = [row.type for row in await story.log("network")]
    assert rows.index("malware") < rows.index("relationship")
    related = await story.only("network", "relationship")
    assert related["source_ref"] == (await story.only("network"))["id"]
    assert related["target_ref"] == malware["id"]
    assert await story.shown("community", "relationship") == {}
    assert (await story.only("community", "malware"))["id"] == malware["id"]


async def test_impersonation_is_refused(story: Story) -> None:
    ro, it = await story.centre("ro"), await story.centre("it")
    await story.batch((it, an_indicator(created_by_ref=ro.identity)))
    assert [found["code"] for found in await story.rejections(it)] == ["author.impersonation"]
    assert await story.rejections(ro) == []
    assert await story.shown("community") == {}


async def test_a_contested_id_goes_to_who_came_first_and_is_seen(story: Story) -> None:
    ro, it = await story.centre("ro"), await story.centre("it")
    ros = an_object("malware", "m", name="of ro", is_family=False, tlp="amber", created_by_ref=ro.identity)
    its = an_object("malware", "m", name="of it", is_family=False, tlp="green", created_by_ref=it.identity)
    await story.batch((ro, ros))
    await story.batch((it, its))
    assert (await story.only("network", "malware"))["name"] == "of ro"
    assert (await story.only("community", "malware"))["name"] == "of it"
    assert await story.rejections(it) == []


async def test_an_anonymous_centre_is_named_nowhere(story: Story) -> None:
    pl = await story.centre("pl", naming=Naming.ANONYMOUS)
    portal = [{"source_name": "portal of pl", "url": "https://portal.example/1"}]
    claim = an_indicator(
        "198.51.100.7", "x", created_by_ref=pl.identity, external_references=portal, valid_from=moment(-1234)
    )
    malware = an_object(
        "malware", "m", name="m", is_family=False, created_by_ref=pl.identity, external_references=portal
    )
    identity = {**an_object("identity", "pl", name="pl", identity_class="organization"), "id": pl.identity}
    await story.batch((pl, claim), (pl, malware), (pl, identity))
    bodies = b"".join([row.body for name in ("community", "network") for row in await story.log(name)])
    for secret in (pl.identity, "portal", moment(-1234), moment(-3600), malware["id"], '"pl"'):
        assert secret.encode() not in bodies, secret
    green = await story.only("community")
    assert said_of(green)["sources"][0]["name"] == "anonymous"
    assert (await story.only("community", "malware"))["name"] == "m"


async def test_a_property_that_only_sounds_like_a_time_stops_nobody(story: Story) -> None:
    pl = await story.centre("pl", naming=Naming.ANONYMOUS)
    odd = an_object(
        "grouping", "g", context="suspicious-activity", object_refs=[an_indicator()["id"]], published=["x"], stop_time=0
    )
    await story.batch((pl, an_indicator()), (pl, odd))
    assert (await story.only("community", "grouping"))["published"] == ["x"]


async def test_a_part_is_for_some_and_the_rest_as_if_it_had_never_been(tmp_path: Path) -> None:
    part = {"marking_ref": TLP["amber"], "selectors": ["description", "external_references.[1].url"]}
    references = [{"source_name": "a", "description": "A"}, {"source_name": "b", "description": "B"}]
    secret = [references[0], references[1] | {"url": "https://secret.example/"}]
    bare = an_indicator("198.51.100.7", "ro", external_references=references)
    full = bare | {"description": "SECRET", "external_references": secret, "granular_markings": [part]}
    logs = []
    for name, said in (("full", full), ("bare", bare)):
        story = await Story.begin(tmp_path / name)
        await story.batch((await story.centre("ro"), said))
        logs.append(bytes_of(await story.log("community")))
        network = await story.only("network")
        assert ("description" in network) == (name == "full")
        assert (TLP["amber"] in network["object_marking_refs"]) == (name == "full")
        assert (await story.only("community"))["object_marking_refs"] == [TLP["green"]]
        await story.close()
    assert logs[0] == logs[1]
    assert all("secret" not in str(row).lower() for row in logs[0])


async def test_a_withdrawal_that_stands_outlasts_the_next_full_read_and_a_soft_one_does_not(story: Story) -> None:
    ro = await story.centre("ro")
    feed = an_indicator(at=-60), an_address("198.51.100.8")
    await story.batch(*((ro, one) for one in feed))
    first = await story.only("community")
    await story.batch(*((ro, TakesBack(one["id"])) for one in feed))
    await story.batch(*((ro, one) for one in feed))
    assert await _things(story) == []
    newer = {**feed[0], "modified": moment(-50)}
    await story.batch((ro, newer))
    assert (await story.only("community"))["id"] != first["id"]
    await story.batch((ro, newer["id"]))  # its source lists it no more
    assert await _things(story) == []
    await story.batch((ro, newer))
    assert await _things(story) == ["indicator"]
    await story.batch((ro, TakesBack(newer["id"])), *((ro, TakesBack(one["id"], Withdrawal.RESTORE)) for one in feed))
    assert await _things(story) == []  # taking back shows nothing by itself
    await story.batch((ro, newer), (ro, feed[1]))
    assert await _things(story) == ["indicator", "ipv4-addr"]
    assert await story.counts(ro) == {"accepted": 12, "unchanged": 2, "held": 0, "rejected": 0}


async def _things(story: Story) -> list[str]:
    """The types of the indicators and observables that ``community`` shows."""
    shown = (await story.shown("community")).values()
    return sorted(obj["type"] for obj in shown if obj["type"] in ("indicator", "ipv4-addr"))


def an_address(value: str) -> dict[str, Any]:
    """An object without ``modified``."""
    return an_object("ipv4-addr", value, value=value, created=None, modified=None)


async def test_a_member_is_counted_and_changes_nothing_else(tmp_path: Path) -> None:
    about = {"extension_type": "property-extension", "about": "[ipv4-addr:value = '198.51.100.7']"}
    verdict = an_object(
        "opinion", "o", tlp="green", object_refs=[an_object("malware", "any")["id"]], opinion="strongly-disagree",
        labels=["false-positive"], extensions={VIEW_EXTENSION: about},
    )  # fmt: skip
    shown = []
    for name in ("with", "without"):
        story = await Story.begin(tmp_path / name)
        ro = await story.centre("ro")
        lab = await story.member("lab", ro)
        await story.batch(*([(lab, verdict)] if name == "with" else []))
        await story.batch((ro, an_indicator("198.51.100.7", "ro", confidence=60)))
        shown.append(await story.only("community"))
        await story.close()
    assert said_of(shown[0]).pop("false_positives") == 1
    for one in shown:  # the opinion comes after it, so it is not the last row of the batch, whose date is rounded
        del one["created"], one["modified"]
    assert shown[0] == shown[1]
