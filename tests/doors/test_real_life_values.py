"""Inputs of real life through a whole hub: what reaches a device of them, and what waits for the operator."""

from __future__ import annotations

import csv as csv_reader
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from hub import warning_lists
from hub.core.hold import WarningLists
from tests.doors.hubs import Hub, a_hub
from tests.doors.list_readers import without_codes
from tests.story import TLP, an_indicator, moment

INPUTS = Path(__file__).parent.parent / "data" / "real-life"
KINDS = ("ipv4-addr", "ipv6-addr", "domain-name", "url", "email-addr", "md5", "sha-256", "file", "mutex", "process")


@pytest.fixture(scope="module")
def default() -> WarningLists:
    return warning_lists.load_lists(("default",), Path("/nonexistent"))[0]


@pytest.fixture
async def hub(tmp_path: Path, default: WarningLists) -> AsyncIterator[Hub]:
    async with a_hub(tmp_path, hold=default.holds, warning_lists=lambda: default) as hub:
        await hub.centre()
        await hub.member()
        yield hub


def objects(name: str) -> list[dict[str, Any]]:
    """The objects of an input, for everyone to see, as of an hour before the hub's clock."""
    text = (INPUTS / name).read_text()
    found = json.loads(text)["objects"] if name.endswith(".json") else [json.loads(line) for line in text.splitlines()]
    times = {"created": moment(-3600), "modified": moment(-3600), "valid_from": moment(-3600)}
    return [{**one, **times, "object_marking_refs": [TLP["clear"]]} for one in found]


async def in_lists(hub: Hub) -> dict[str, set[str]]:
    """All values of all lists, by the type that they stand under; ``""`` for the list without types."""
    found: dict[str, set[str]] = {"": set()}
    for query in ("", *(f"?type={kind}" for kind in KINDS), "?limit=1000"):
        path = "/v1/collections/public/export."
        text = (await hub.get(f"{path}txt{query}")).text
        name = query.removeprefix("?type=") if "type" in query else ""
        found.setdefault(name, set()).update(without_codes(line) for line in text.splitlines())
        rows = list(csv_reader.DictReader(io.StringIO((await hub.get(f"{path}csv{query}")).text)))
        rows += [json.loads(line) for line in (await hub.get(f"{path}jsonl{query}")).text.splitlines()]
        for row in rows:
            found.setdefault(row["type"], set()).add(without_codes(row["value"]))
    return found


async def test_poison_in_disguise_waits_and_is_in_no_list(hub: Hub) -> None:
    receipt = await hub.tell("ro", *objects("poison-in-disguise.json"), an_indicator("198.51.100.7", tlp="clear"))
    assert (receipt["held"], receipt["accepted"]) == (8, 1)
    found = await in_lists(hub)
    assert set().union(*found.values()) == {"198.51.100.7"}


async def test_poison_of_other_kinds_is_in_no_list(hub: Hub) -> None:
    receipt = await hub.tell("ro", *objects("sec-poison-other-kinds.ndjson"))
    assert receipt["held"] == 5
    assert set().union(*(await in_lists(hub)).values()) == set()


async def test_poison_that_came_in_before_the_lists_knew_it_is_left_out_and_counted(
    tmp_path: Path, default: WarningLists
) -> None:
    async with a_hub(tmp_path, warning_lists=lambda: default) as hub:
        await hub.centre()
        poison = [*objects("poison-in-disguise.json"), *objects("sec-poison-other-kinds.ndjson")]
        assert (await hub.tell("ro", *poison, an_indicator("198.51.100.7", tlp="clear")))["accepted"] == 14
        assert set().union(*(await in_lists(hub)).values()) == {"198.51.100.7"}
        answer = await hub.get("/v1/collections/public/export.csv")
        assert answer.headers["x-ctihub-skipped"] == "13"
        answer = await hub.get("/v1/collections/public/export.txt?type=ipv4-addr&limit=5")
        assert int(answer.headers["x-ctihub-skipped"]) >= 2
        assert answer.text == "198.51.100.7\n"


async def test_values_that_are_not_of_their_kind_are_in_no_list(hub: Hub) -> None:
    receipt = await hub.tell("ro", *objects("not-of-its-kind.json"))
    assert (receipt["rejected"], receipt["held"]) == (0, 0)
    assert {problem["code"] for problem in receipt["problems"]} == {"value.not-of-its-kind"}
    assert set().union(*(await in_lists(hub)).values()) == set()
    assert (await hub.get("/v1/collections/public/export.txt")).headers["x-ctihub-skipped"] == "10"


async def test_an_annotated_end_of_traffic_is_the_address_everywhere(hub: Hub) -> None:
    await hub.tell("ro", *objects("misp-network-traffic.json"))
    found = await in_lists(hub)
    assert found["ipv4-addr"] == {"198.51.100.31", "198.51.100.32"}
    assert found["ipv6-addr"] == {"2001:db8::31"}
    assert found["domain-name"] == {"c2-31.site.example"}
    assert found[""] == found["ipv4-addr"] | found["ipv6-addr"] | found["domain-name"]
    url = f"{await hub.objects_url('public')}?match[type]=indicator"
    shown = (await hub.get(url, "soc")).json()["objects"]
    said = {
        (one["type"], one["value"])
        for obj in shown
        for extension in obj["extensions"].values()
        for one in extension["observables"]
    }
    assert said == {
        ("ipv4-addr", "198.51.100.31"), ("ipv4-addr", "198.51.100.32"), ("ipv6-addr", "2001:db8::31"),
        ("domain-name", "c2-31.site.example"),
    }  # fmt: skip
    for _, value in said:
        assert (await hub.get(f"/v1/explain/{quote(value, safe='')}", "soc")).status_code == 200


@pytest.mark.parametrize("name", ["invoice-213.exe", "setup-213.dll", "scan-213.pdf"])
async def test_a_file_name_as_a_domain_waits(hub: Hub, name: str) -> None:
    receipt = await hub.tell("ro", an_indicator(f"[domain-name:value = '{name}']", tlp="clear"))
    assert receipt["held"] == 1
    assert receipt["problems"][0]["code"] == "value.no-top-level-domain"


async def test_of_names_that_are_file_names_and_domains_the_stated_kind_counts(hub: Hub) -> None:
    await hub.tell(
        "ro", an_indicator("[domain-name:value = 'invoice-213.zip']", tlp="clear"),
        an_indicator("[file:name = 'invoice-214.zip']", tlp="clear"),
        an_indicator("[domain-name:value = 'real-213.site.example']", tlp="clear"),
    )  # fmt: skip
    found = await in_lists(hub)
    assert found["domain-name"] == found[""] == {"invoice-213.zip", "real-213.site.example"}
    assert found["file"] == found["file:name"] == {"invoice-214.zip"}


async def test_a_bad_backslash_or_apostrophe_is_told_and_the_rest_is_taken(hub: Hub) -> None:
    said = objects("pattern-quoting.json")
    receipt = await hub.tell("ro", *said)
    by_id = {problem["id"]: problem for problem in receipt["problems"]}
    for one in said[:2]:
        assert by_id[one["id"]]["code"] == "pattern.syntax"
        assert r"a backslash is written \\ and an apostrophe \'" in by_id[one["id"]]["message"]
    assert by_id[said[2]["id"]]["code"] == "value.not-of-its-kind"
    assert (await in_lists(hub))["domain-name"] >= {"bad-126.site.example"}
    assert "198.51.100.123" not in set().union(*(await in_lists(hub)).values())


async def test_what_an_operator_released_is_in_the_lists(hub: Hub) -> None:
    said = an_indicator("[ipv4-addr:value IN ('8.8.8.8', '198.51.100.7')]", tlp="clear")
    assert (await hub.tell("ro", said))["held"] == 1
    first = await hub.get("/v1/collections/public/export.txt")
    assert first.text == ""
    assert await hub.registry.held.release([1]) == 1
    await hub.settle()
    found = await in_lists(hub)
    assert found["ipv4-addr"] == found[""] == {"8.8.8.8", "198.51.100.7"}
    again = await hub.get("/v1/collections/public/export.txt", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.headers["x-ctihub-skipped"]) == (200, "0")


async def test_an_observable_that_no_indicator_stands_for_is_shown_and_in_no_list(hub: Hub) -> None:
    value = {"type": "ipv4-addr", "spec_version": "2.1", "id": "ipv4-addr--5b1bd5a6-8a3c-5ba4-8f0b-2a2d9d8a2a01",
             "value": "0.0.0.0/0", "object_marking_refs": [TLP["clear"]]}  # fmt: skip
    assert (await hub.tell("ro", value))["accepted"] == 1
    assert set().union(*(await in_lists(hub)).values()) == set()


async def test_a_list_that_new_warning_lists_change_has_another_etag(tmp_path: Path, default: WarningLists) -> None:
    tags: list[tuple[str, str]] = []
    for lists in (WarningLists(own_rules=False, version="none"), default):
        async with a_hub(tmp_path, warning_lists=lambda lists=lists: lists) as hub:
            if not tags:
                await hub.centre()
                await hub.tell("ro", an_indicator("8.8.8.8", tlp="clear"))
            answer = await hub.get("/v1/collections/public/export.txt")
            tags.append((answer.headers["etag"], answer.text))
    assert [text for _, text in tags] == ["8.8.8.8\n", ""]
    assert tags[0][0] != tags[1][0]


async def test_a_list_in_several_parts_is_whole_and_says_what_it_left_out(tmp_path: Path) -> None:
    async with a_hub(tmp_path, list_part_bytes=100) as hub:
        await hub.centre()
        await hub.tell("ro", an_indicator("198.51.100.7", tlp="clear"), an_indicator("10.0.0.1", tlp="clear"))
        answer = await hub.get("/v1/collections/public/export.csv")
        assert (answer.headers["x-ctihub-skipped"], answer.headers["x-ctihub-lines"]) == ("1", "1")
        assert answer.headers["content-length"] == str(len(answer.content))
        assert "198.51.100.7" in answer.text
        assert "10.0.0.1" not in answer.text


@pytest.mark.parametrize("path", ["hashes.'ipv4-addr'", "hashes.imphash"])
async def test_a_digest_of_an_algorithm_that_nobody_knows_has_no_short_name(hub: Hub, path: str) -> None:
    await hub.tell("ro", an_indicator(f"[file:{path} = '198.51.100.99']", tlp="clear"))
    found = await in_lists(hub)
    assert found[f"file:{path}"] == {"198.51.100.99"}
    assert "198.51.100.99" not in found.get("ipv4-addr", set()) | found[""]


@pytest.mark.parametrize("value", ["com", "134744072", "0/0", "8.8.8"])
async def test_what_is_no_digest_of_ssdeep_is_in_no_list(hub: Hub, value: str) -> None:
    digest = "3:AXGBicFlgVNhBGcL6wCrFQEv:AXGHsNhxLsr2C"
    said = an_indicator(f"[file:hashes.SSDEEP = '{value}' OR file:hashes.SSDEEP = '{digest}']", tlp="clear")
    receipt = await hub.tell("ro", said)
    assert [problem["code"] for problem in receipt["problems"]] == ["value.not-of-its-kind"]
    assert set().union(*(await in_lists(hub)).values()) == {digest}


async def test_a_type_that_names_a_kind_of_value_gives_no_other_property(hub: Hub) -> None:
    pattern = "[domain-name:resolves_to_refs[*].value = '198.51.100.98']"
    await hub.tell("ro", an_indicator(pattern, tlp="clear"), an_indicator("[ipv4-addr:x_port = 4444]", tlp="clear"))
    assert (await hub.get("/v1/collections/public/export.txt?type=domain-name,ipv4-addr")).text == ""


async def test_a_collection_of_addresses_has_those_that_an_annotated_end_of_traffic_asserts(hub: Hub) -> None:
    await hub.registry.collections.add("addresses", tlp="clear", group="public", kinds=["ipv4-addr"])
    await hub.tell("ro", *objects("misp-network-traffic.json"))
    text = (await hub.get("/v1/collections/addresses/export.txt")).text
    assert set(text.split()) == {"198.51.100.31", "198.51.100.32"}
