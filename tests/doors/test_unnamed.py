"""Of a centre that does not go by its name no door tells an id, a time of day or a name: everything is searched."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from stix2 import parse

from hub.core.merge.references import object_key
from hub.model.stix_types import SCO_TYPES
from tests.doors.hubs import Hub, a_hub
from tests.doors.streams import read_stream
from tests.story import TLP

MARK = "7d0c3a20"
"""Is in every id of the centre's own."""
TIME = "13:47:31"
MOMENT = f"2025-11-19T{TIME}.417Z"
LATER = f"2025-11-19T{TIME}.900Z"
NAME = "secretcert"
_number = iter(range(1, 1 << 20))
DATA = Path(__file__).parents[1] / "data" / "real-life"


def own_id(kind: str) -> str:
    return f"{kind}--{MARK}-0000-4000-8000-{next(_number):012x}"


STATEMENT = own_id("marking-definition")
EXTENSION = own_id("extension-definition")


def sdo(kind: str, /, **more: Any) -> dict[str, Any]:
    said = {
        "type": kind, "spec_version": "2.1", "id": own_id(kind), "created": MOMENT, "modified": MOMENT,
        "object_marking_refs": [TLP["green"], STATEMENT],
        "external_references": [{"source_name": "portal", "url": f"https://{NAME}.example/1"}],
        "extensions": {
            EXTENSION: {"extension_type": "property-extension", "case": own_id("x-case"), "at": MOMENT},
            f"x-{NAME}-ext": {"case": own_id("x-case")},
        },
    }  # fmt: skip
    if kind == "extension-definition":
        del said["extensions"]
    return said | more


def sco(kind: str, /, **more: Any) -> dict[str, Any]:
    refs = [TLP["green"], STATEMENT]
    return {"type": kind, "spec_version": "2.1", "id": own_id(kind), "object_marking_refs": refs} | more


def everything(identity: str) -> list[dict[str, Any]]:
    """Objects of every type, each with ids and times that would tell."""
    indicator = sdo("indicator", pattern="[ipv4-addr:value = '198.51.100.7']", pattern_type="stix", valid_from=MOMENT)
    malware = sdo("malware", name="m", is_family=True, first_seen=MOMENT, last_seen=LATER)
    actor = sdo("threat-actor", name="t", first_seen=MOMENT)
    address, other = sco("ipv4-addr", value="198.51.100.7"), sco("ipv4-addr", value="198.51.100.9")
    file = sco("file", hashes={"MD5": "d" * 32}, mtime=MOMENT, ctime=MOMENT, atime=MOMENT,
               extensions={"windows-pebinary-ext": {"pe_type": "exe", "time_date_stamp": MOMENT},
                           f"x-{NAME}-ext": {"case": own_id("x-case")}})  # fmt: skip
    mail = sco("email-addr", value="a@mail.example")
    account = sco("user-account", user_id="7", account_created=MOMENT, account_expires=LATER)
    vendor = sdo("identity", name="vendor", identity_class="organization")
    seen = {"first_observed": MOMENT, "last_observed": LATER, "number_observed": 1}
    container = sdo("observed-data", objects={"0": {"type": "file", "name": "a", "mtime": MOMENT}}, **seen)
    return [
        {"type": "marking-definition", "spec_version": "2.1", "id": STATEMENT, "created": MOMENT,
         "definition_type": "statement", "definition": {"statement": "Ask"}},
        sdo("extension-definition", name="e", schema="https://schema.example/", version="1.0.0",
            extension_types=["property-extension"], created_by_ref=identity) | {"id": EXTENSION},
        vendor, indicator, malware, actor,
        sdo("attack-pattern", name="a"),
        sdo("campaign", name="c", first_seen=MOMENT, last_seen=LATER),
        sdo("course-of-action", name="c"), sdo("incident", name="i"),
        sdo("infrastructure", name="i", first_seen=MOMENT), sdo("intrusion-set", name="i", last_seen=LATER),
        sdo("location", country="RO"), sdo("tool", name="t"), sdo("vulnerability", name="CVE-2026-1234"),
        sdo("malware-analysis", product="p", result="malicious", submitted=MOMENT, analysis_started=MOMENT,
            analysis_ended=LATER, sample_ref=file["id"]),
        sdo("note", content="n", object_refs=[malware["id"]]),
        sdo("opinion", opinion="agree", object_refs=[malware["id"]]),
        sdo("report", name="r", published=MOMENT, object_refs=[malware["id"], indicator["id"], address["id"]]),
        sdo("grouping", context="unspecified", object_refs=[actor["id"]]),
        sdo("language-content", object_ref=malware["id"], object_modified=MOMENT, contents={"de": {"name": "M"}}),
        sdo("relationship", relationship_type="indicates", source_ref=indicator["id"], target_ref=malware["id"],
            start_time=MOMENT, stop_time=LATER),
        sdo("relationship", relationship_type="uses", source_ref=actor["id"], target_ref=malware["id"]),
        sdo("sighting", sighting_of_ref=malware["id"], first_seen=MOMENT, last_seen=LATER, count=2),
        sdo("observed-data", object_refs=[address["id"]], **seen), container,
        sdo("x-case-file", title="own care"),
        address, other, file, mail, account,
        sco("artifact", payload_bin="aGVsbG8=", mime_type="text/plain"),
        sco("autonomous-system", number=64496), sco("directory", path="/tmp/a", mtime=MOMENT),
        sco("domain-name", value="bad.example"), sco("ipv6-addr", value="2001:db8::7"),
        sco("email-message", is_multipart=False, date=MOMENT, from_ref=mail["id"], subject="s"),
        sco("mac-addr", value="d2:fb:49:24:37:18"), sco("mutex", name="m"),
        sco("network-traffic", protocols=["tcp"], src_ref=address["id"], start=MOMENT, end=LATER),
        sco("process", pid=7, created_time=MOMENT, creator_user_ref=account["id"]),
        sco("software", name="s"), sco("url", value="https://bad.example/a"),
        sco("windows-registry-key", key="HKEY_LOCAL_MACHINE\\System\\Foo", modified_time=MOMENT),
        sco("x509-certificate", serial_number="36f7d43afaf6a20a", validity_not_before=MOMENT,
            validity_not_after=LATER, x509_v3_extensions={"private_key_usage_period_not_after": LATER}),
    ]  # fmt: skip


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with a_hub(tmp_path) as found:
        yield found


async def identity_of(hub: Hub) -> str:
    return next(c.identity for c in (await hub.store.policy()).sources.values() if c.name == NAME)


async def told(hub: Hub, naming: str) -> list[dict[str, Any]]:
    """A centre has said everything, has revoked some and has withdrawn some; a member may read."""
    await hub.centre("ro")
    await hub.centre(NAME, naming=naming, alias="North" if naming == "alias" else None)
    await hub.member("soc")
    objects = everything(await identity_of(hub))
    receipt = await hub.tell(NAME, *objects)
    refused = [one for one in receipt["problems"] if one["state"] in ("rejected", "held")]
    assert refused == []
    missing = SCO_TYPES - {obj["type"] for obj in objects}
    assert not missing
    return objects


async def all_that_doors_say(hub: Hub, who: str) -> dict[str, str]:
    """Every answer that a member can get of the collection, by request."""
    collection = (await hub.collection("community")).id
    root = f"/taxii2/root/collections/{collection}"
    found: dict[str, str] = {}

    async def ask(path: str) -> Any:
        answer = await hub.get(path, who)
        found[path] = f"{answer.status_code} {dict(answer.headers)} {answer.text}"
        return answer.json() if "taxii" in path else None

    manifest = await ask(f"{root}/manifest/")
    await ask(f"{root}/objects/?match[version]=all&match[spec_version]=2.1")
    objects = (await ask(f"{root}/objects/"))["objects"]
    for one in manifest["objects"]:
        await ask(f"{root}/objects/{one['id']}/")
        await ask(f"{root}/objects/{one['id']}/versions/")
        await ask(f"/v1/explain/{one['id']}")
    for value in ("198.51.100.7", "bad.example", "https://bad.example/a", "d" * 32, "[ipv4-addr:value='198.51.100.7']"):
        await ask(f"/v1/explain/{quote(value, safe='')}")
    for one in objects:
        for name in ("source_ref", "target_ref", "sighting_of_ref"):
            if name in one:
                await ask(f"/v1/explain/{one[name]}")
    for name in ("txt", "csv", "jsonl"):
        await ask(f"/v1/collections/community/export.{name}")
    for path in ("/v1/collections", "/v1/status", "/metrics", "/readyz", "/taxii2/", "/taxii2/root/"):
        await ask(path)
    found["stream"] = json.dumps([event.data for event in await read_stream(hub, "community", who)])
    return found


def traces(said: dict[str, str], objects: list[dict[str, Any]], identity: str) -> list[tuple[str, str]]:
    own = {MARK, TIME, NAME, identity.partition("--")[2], *(obj["id"] for obj in objects)}
    found = []
    for request, text in said.items():
        for one in own:
            at = text.find(one)
            if at >= 0:
                found.append((request, text[max(0, at - 200) : at + 60]))
    return found


@pytest.mark.parametrize("naming", ["anonymous", "alias"])
async def test_no_door_tells_an_id_or_a_time_of_day_or_a_name(hub: Hub, naming: str) -> None:
    objects = await told(hub, naming)
    identity = await identity_of(hub)
    said = await all_that_doors_say(hub, "soc")
    assert traces(said, objects, identity) == []
    shown = json.loads(said[next(path for path in said if path.endswith("/objects/"))].partition("} ")[2])["objects"]
    kinds = {obj["type"] for obj in shown}
    assert kinds >= {obj["type"] for obj in objects}
    for obj in shown:
        parse(obj, allow_custom=True)


@pytest.mark.parametrize("naming", ["anonymous", "alias"])
async def test_what_is_taken_back_tells_no_more(hub: Hub, naming: str) -> None:
    objects = await told(hub, naming)
    identity = await identity_of(hub)
    revoked = [obj | {"revoked": True, "modified": LATER} for obj in objects if "modified" in obj][::2]
    await hub.tell(NAME, *revoked)
    assert traces(await all_that_doors_say(hub, "soc"), objects, identity) == []
    await hub.withdraw(NAME, *(obj["id"] for obj in objects))
    assert traces(await all_that_doors_say(hub, "soc"), objects, identity) == []
    left = (await hub.get(await hub.objects_url("community"), "soc")).json()["objects"]
    assert all(obj["revoked"] for obj in left)


async def test_explain_gives_no_key_that_confirms_a_guess(hub: Hub) -> None:
    objects = await told(hub, "anonymous")
    said = await all_that_doors_say(hub, "soc")
    keys = {key for path, text in said.items() if "/explain/" in path for key in re.findall(r'"key":"(\w+)"', text)}
    assert keys  # of values and patterns, which are shown
    assert keys.isdisjoint(object_key(obj["id"]).hex() for obj in objects)


async def test_the_centre_itself_finds_its_objects_by_its_own_ids(hub: Hub) -> None:
    objects = await told(hub, "anonymous")
    malware = next(obj for obj in objects if obj["type"] == "malware")
    thing = (await hub.get(f"/v1/explain/{malware['id']}", NAME)).json()["things"][0]
    claim = next(claim for view in thing["views"] for claim in view["claims"])
    assert (claim["id"], claim["modified"]) == (malware["id"], MOMENT)
    assert (await hub.get(f"/v1/explain/{malware['id']}", "soc")).status_code == 404


async def test_the_marking_of_an_anonymous_centre_goes_by_another_id(hub: Hub) -> None:
    await hub.centre(NAME, naming="anonymous")
    await hub.centre("ro")
    await hub.member("soc")
    lines = (DATA / "sec-anonymous-own-id.ndjson").read_bytes().splitlines()
    hub.clock.us += 365 * 86_400_000_000
    receipt = await hub.tell(NAME, *(line for line in lines if line))
    assert receipt["rejected"] == 0, receipt
    said = await all_that_doors_say(hub, "soc")
    assert not [request for request, text in said.items() if MARK in text or TIME in text]
    text = said[next(path for path in said if path.endswith("/objects/"))].partition("} ")[2]
    by_type = {obj["type"]: obj for obj in json.loads(text)["objects"]}
    assert "Copyright 2026" in text
    assert by_type["malware"]["name"] == "anonmal"
