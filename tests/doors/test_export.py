"""Exports: only what may be blocked, once, in a form that nobody can make mean something else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.doors.export.distinct import _RECENT, Best, DistinctValues
from hub.doors.export.entry import Entry
from hub.registry.centres import Terms
from tests.doors.entries import an_entry
from tests.doors.hubs import Hub, a_hub, addresses
from tests.doors.list_readers import without_codes
from tests.story import TLP, an_indicator, an_object, moment, uid


async def values(hub: Hub, query: str = "", who: str | None = "soc", collection: str = "community") -> list[str]:
    answer = await hub.get(f"/v1/collections/{collection}/export.txt{query}", who)
    assert answer.status_code == 200, answer.text
    assert answer.text == "" or answer.text.endswith("\n")
    return [without_codes(line) for line in answer.text.split("\n")[:-1]]


# ---------------------------------------------------------------- what is in a list


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("[ipv4-addr:value = '198.51.100.7']", {"198.51.100.7"}),
        ("[ipv4-addr:value IN ('198.51.100.7', '198.51.100.8')]", {"198.51.100.7", "198.51.100.8"}),
        ("[ipv4-addr:value = '198.51.100.7' OR ipv4-addr:value = '198.51.100.9']", {"198.51.100.7", "198.51.100.9"}),
        ("[ipv4-addr:value ISSUBSET '198.51.100.0/24']", {"198.51.100.0/24"}),
        ("[domain-name:value = 'c2.example']", {"c2.example"}),
        ("[file:hashes.MD5 = 'd41d8cd98f00b204e9800998ecf8427e']", {"d41d8cd98f00b204e9800998ecf8427e"}),
        ("[ipv4-addr:value != '198.51.100.7']", set()),
        ("[ipv4-addr:value NOT = '198.51.100.7']", set()),
        ("[ipv4-addr:value NOT IN ('198.51.100.7', '198.51.100.8')]", set()),
        ("[domain-name:value LIKE '%.example']", set()),
        ("[domain-name:value MATCHES 'c2[.]example']", set()),
        ("[file:name = 'c2.example' AND file:size = 5]", set()),
        ("[ipv4-addr:value = '198.51.100.7'] AND [domain-name:value = 'c2.example']", set()),
        ("[ipv4-addr:value = '198.51.100.7'] FOLLOWEDBY [domain-name:value = 'c2.example']", set()),
        ("[ipv4-addr:value = '198.51.100.7' OR domain-name:value = 'c2.example']", {"198.51.100.7", "c2.example"}),
        ("[ipv4-addr:value = '198.51.100.7'] OR [domain-name:value = 'c2.example']", {"198.51.100.7", "c2.example"}),
        ("[ipv4-addr:value ISSUPERSET '198.51.100.0/24']", set()),
        ("[ipv4-addr:value = '198.51.100.7'] REPEATS 5 TIMES WITHIN 60 SECONDS", set()),
    ],
)
async def test_only_what_is_asserted_positively_and_alone_gets_out(hub: Hub, pattern: str, expected: set[str]) -> None:
    receipt = await hub.tell("ro", an_indicator(pattern))
    assert receipt["rejected"] == 0, receipt["problems"]
    for fmt in ("txt", "csv", "jsonl"):
        text = (await hub.get(f"/v1/collections/community/export.{fmt}", "soc")).text
        assert ("198.51.100" in text or "c2.example" in text or "d41d8" in text) == bool(expected), fmt
    assert set(await values(hub)) == expected


async def test_what_is_revoked_withdrawn_or_gone_by_is_not_in_it(hub: Hub) -> None:
    one, two = an_indicator("198.51.100.1"), an_indicator("198.51.100.2")
    await hub.tell("ro", one, two, an_indicator("198.51.100.3"))
    assert set(await values(hub)) == {"198.51.100.1", "198.51.100.2", "198.51.100.3"}
    await hub.withdraw("ro", one["id"])
    await hub.tell("ro", {**two, "revoked": True, "modified": moment(-1)})
    assert await values(hub) == ["198.51.100.3"]


async def test_the_expired_leave_with_the_tick(hub: Hub) -> None:
    await hub.tell(
        "ro",
        an_indicator("198.51.100.1", valid_until="2026-01-02T00:00:00.000Z"),
        an_indicator("198.51.100.2", valid_until="2026-01-02T00:00:00.001Z"),
        an_indicator("198.51.100.3"),
    )
    assert len(await values(hub)) == 3
    before = (await hub.get("/v1/collections/community/export.txt", "soc")).headers["etag"]
    hub.clock.us = 1_767_312_000_000_000  # 2026-01-02T00:00:00Z
    await hub.worker.do_tasks()
    answer = await hub.get("/v1/collections/community/export.txt", "soc", headers={"if-none-match": before})
    assert answer.status_code == 200
    assert set(answer.text.split()) == {"198.51.100.2", "198.51.100.3"}


@pytest.mark.parametrize(
    ("label", "blocks"),
    [
        ("PAP:RED", False),
        ("pap:amber", False),
        ("PAP:GREEN", True),
        ("PAP:CLEAR", True),
        ("PAP:WHITE", True),
        ("x", True),
    ],
)
async def test_pap_red_and_amber_stay_out(hub: Hub, label: str, blocks: bool) -> None:
    await hub.tell("ro", an_indicator(labels=[label]))
    assert bool(await values(hub)) == blocks


async def test_a_pap_that_a_marking_states_counts_as_well(hub: Hub) -> None:
    marking = {
        "type": "marking-definition", "spec_version": "2.1", "id": f"marking-definition--{uid('pap')}",
        "created": moment(-9_000), "definition_type": "statement", "definition": {"statement": "PAP:RED"},
    }  # fmt: skip
    await hub.tell(
        "ro", marking, an_indicator(object_marking_refs=[TLP["green"], marking["id"]]), an_indicator("198.51.100.8")
    )
    assert await values(hub) == ["198.51.100.8"]


async def test_only_what_this_collection_shows_is_counted_as_left_out_for_its_pap(hub: Hub) -> None:
    red = "marking-definition--740d36e5-7714-4c30-961a-3ae632ceee0e"
    await hub.tell(
        "ro",
        an_indicator("198.51.100.7", object_marking_refs=[TLP["green"], red]),
        an_indicator("198.51.100.8", object_marking_refs=[TLP["amber"], red]),
    )
    await hub.tell("it", an_indicator("198.51.100.8"), an_indicator("198.51.100.9", labels=["PAP:AMBER"], tlp="amber"))
    for name, reader, found, skipped in (("community", "soc", ["198.51.100.8"], "1"), ("network", "it", [], "3")):
        answer = await hub.get(f"/v1/collections/{name}/export.txt", reader)
        assert answer.text.split() == found
        assert answer.headers["x-ctihub-skipped"] == skipped


async def test_a_network_is_in_a_list_if_a_source_is_trusted_with_its_width(hub: Hub) -> None:
    receipt = await hub.tell("ro", an_indicator("203.0.0.0/12"), an_indicator("203.0.0.0/16"))
    assert [problem["code"] for problem in receipt["problems"]] == ["value.wide-network"]
    answer = await hub.get("/v1/collections/community/export.txt", "soc")
    assert answer.text.split() == ["203.0.0.0/16"]
    assert answer.headers["x-ctihub-skipped"] == "1"
    await hub.registry.centres.set("ro", Terms(widest_blocked="/12"))
    await hub.settle()
    again = await hub.get(
        "/v1/collections/community/export.txt", "soc", headers={"if-none-match": answer.headers["etag"]}
    )
    assert sorted(again.text.split()) == ["203.0.0.0/12", "203.0.0.0/16"]
    assert again.headers["x-ctihub-skipped"] == "0"


async def test_what_is_only_said_to_be_harmless_stays_out(hub: Hub) -> None:
    await hub.tell(
        "ro",
        an_indicator(indicator_types=["benign"]),
        an_indicator("198.51.100.8", indicator_types=["benign", "malicious-activity"]),
    )
    assert await values(hub) == ["198.51.100.8"]


async def test_other_pattern_types_and_objects_stay_out(hub: Hub) -> None:
    await hub.tell(
        "ro",
        an_indicator("[x]", pattern="alert tcp any any", pattern_type="snort"),
        an_object("malware", "m", name="m", is_family=False),
    )
    assert await values(hub) == []


async def test_a_value_that_several_indicators_assert_comes_once(hub: Hub) -> None:
    await hub.tell(
        "ro", an_indicator("198.51.100.7"), an_indicator("[ipv4-addr:value IN ('198.51.100.7', '198.51.100.8')]")
    )
    assert sorted(await values(hub)) == ["198.51.100.7", "198.51.100.8"]
    assert sorted(await values(hub, "?limit=10")) == ["198.51.100.7", "198.51.100.8"]


async def test_types_and_hash_names_can_be_asked_for(hub: Hub) -> None:
    await hub.tell(
        "ro", an_indicator("198.51.100.7"), an_indicator("[domain-name:value = 'c2.example']"),
        an_indicator("[file:hashes.MD5 = 'd41d8cd98f00b204e9800998ecf8427e']"),
        an_indicator("[file:name = 'evil.exe']"),
    )  # fmt: skip
    assert await values(hub, "?type=ipv4-addr") == ["198.51.100.7"]
    assert sorted(await values(hub, "?type=domain-name,md5")) == ["c2.example", "d41d8cd98f00b204e9800998ecf8427e"]
    assert sorted(await values(hub, "?type=domain-name&type=ipv4-addr")) == ["198.51.100.7", "c2.example"]
    assert sorted(await values(hub, "?type=file")) == ["d41d8cd98f00b204e9800998ecf8427e", "evil.exe"]
    assert "evil.exe" not in await values(hub)
    for wrong in ("ip", "", ","):
        answer = await hub.get(f"/v1/collections/community/export.txt?type={wrong}", "soc")
        assert (answer.status_code, answer.json()["code"]) == (400, "export.type")


async def test_limit_gives_the_best_by_confidence_and_recency(hub: Hub) -> None:
    await hub.tell("ro", an_indicator("198.51.100.1", confidence=40), an_indicator("198.51.100.2", confidence=90))
    await hub.tell("ro", an_indicator("198.51.100.3", confidence=90), an_indicator("198.51.100.4"))
    best = ["198.51.100.3", "198.51.100.2", "198.51.100.4", "198.51.100.1"]
    for limit in range(1, 6):
        assert await values(hub, f"?limit={limit}") == best[:limit]
    assert (await hub.get("/v1/collections/community/export.txt?limit=0", "soc")).status_code == 400
    assert (await hub.get("/v1/collections/community/export.txt?limit=100001", "soc")).status_code == 400


async def test_lists_are_whole_over_many_pages(tmp_path: Path) -> None:
    async with a_hub(tmp_path) as hub:
        await hub.centre()
        await hub.tell("ro", *addresses(2_345, tlp="clear"))
        found = await values(hub, collection="public", who=None)
        assert sorted(found) == sorted(f"2001:db8::{no:x}" for no in range(1, 2_346))


# ---------------------------------------------------------------- HTTP


async def test_an_unchanged_list_is_not_sent_again(hub: Hub) -> None:
    await hub.tell("ro", an_indicator())
    path = "/v1/collections/community/export.txt"
    first = await hub.get(path, "soc")
    etag = first.headers["etag"]
    for said in (etag, etag.removeprefix("W/"), f'"other", {etag}', "*"):
        answer = await hub.get(path, "soc", headers={"if-none-match": said})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == etag
    assert (await hub.get(path, "soc", headers={"if-none-match": '"other"'})).status_code == 200
    for other in ("?limit=5", "?type=ipv4-addr"):
        assert (await hub.get(path + other, "soc", headers={"if-none-match": etag})).status_code == 200
    await hub.tell("ro", an_indicator("198.51.100.8"))
    answer = await hub.get(path, "soc", headers={"if-none-match": etag})
    assert answer.status_code == 200
    assert answer.headers["etag"] != etag


async def test_head_gives_the_headers(hub: Hub) -> None:
    await hub.tell("ro", an_indicator())
    path = "/v1/collections/community/export.csv"
    head = await hub.http.head(path, headers=hub.auth("soc"))
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["etag"] == (await hub.get(path, "soc")).headers["etag"]


async def test_who_may_read_a_list(hub: Hub) -> None:
    assert (await hub.get("/v1/collections/public/export.txt")).status_code == 200
    assert (await hub.get("/v1/collections/community/export.txt")).status_code == 401
    assert (await hub.get("/v1/collections/network/export.txt", "soc")).status_code == 404
    answer = await hub.get("/v1/collections/public/export.pdf")
    assert (answer.status_code, answer.json()["code"]) == (404, "export.format")


async def test_formats_say_what_they_are(hub: Hub) -> None:
    for name, media_type in (("txt", "text/plain"), ("csv", "text/csv"), ("jsonl", "application/x-ndjson")):
        answer = await hub.get(f"/v1/collections/community/export.{name}", "soc")
        assert answer.headers["content-type"].startswith(media_type)
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert (await hub.get("/v1/collections/community/export.csv", "soc")).content == (
        b"type,value,confidence,valid_from,valid_until,tlp,modified,id\r\n"
    )


# ---------------------------------------------------------------- how it is written


async def test_a_value_with_a_line_break_stays_on_its_line(hub: Hub) -> None:
    await hub.tell("ro", an_indicator("[file:name = 'a.exe\n198.51.100.99']"), an_indicator("[file:name = '# x']"))
    answer = await hub.get("/v1/collections/community/export.txt?type=file:name", "soc")
    assert len(answer.text.splitlines()) == 2
    assert "198.51.100.99" not in answer.text.split()


# ---------------------------------------------------------------- each value once


def test_seen_knows_every_value_over_many_of_them() -> None:
    seen = DistinctValues()
    count = 3 * _RECENT + 5
    assert all(seen.first_time(str(no)) for no in range(count))
    assert not any(seen.first_time(str(no)) for no in range(0, count, 97))
    assert seen.first_time("new")
    assert sum(len(some) for some in seen._sorted) + len(seen._recent) == count + 1


@given(
    ranks=st.lists(st.tuples(st.integers(0, 20), st.integers(0, 100), st.integers(0, 50)), max_size=60),
    limit=st.integers(1, 10),
)
def test_the_best_are_those_of_sorting_all(ranks: list[tuple[int, int, int]], limit: int) -> None:
    entries = [an_entry(str(value), confidence=confidence, modified_us=us) for value, confidence, us in ranks]
    best = Best(limit, counts_others=True)
    best.add(entries)
    by_value: dict[str, Entry] = {}
    for entry in sorted(entries, key=lambda entry: entry.rank):
        by_value[entry.value] = entry
    expected = sorted(by_value.values(), key=lambda e: (-e.rank[0], -e.rank[1], e.value))[:limit]
    chosen, others = taken(best)
    assert [(e.value, e.rank) for e in chosen] == [(e.value, e.rank) for e in expected]
    assert others == len(by_value) - len(expected)


@given(values=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 100)), max_size=30), counts_others=st.booleans())
def test_the_best_are_among_those_that_fit_and_others_are_counted(
    values: list[tuple[int, int]], counts_others: bool
) -> None:
    fits = lambda item: item.value < "5"  # noqa: E731
    best = Best(3, fits=fits, counts_others=counts_others)
    best.add(an_entry(str(value), confidence=confidence) for value, confidence in values)
    chosen, others = taken(best)
    known = {str(value) for value, _ in values}
    fitting = {value for value in known if value < "5"}
    assert {entry.value for entry in chosen} <= fitting
    assert len(chosen) == min(3, len(fitting))
    assert others == len(known) - (len(chosen) if counts_others else len(fitting))


def taken(best: Best) -> tuple[list[Entry], int]:
    items, others = best.take()
    return [item for item in items if isinstance(item, Entry)], others


def test_the_best_of_many_hold_only_a_few() -> None:
    best = Best(10, counts_others=True)
    for no in range(100):
        best.add(an_entry(f"{no} {i}", confidence=(no * 7 + i) % 101) for i in range(500))
        assert len(best._kept) <= 2_000
    chosen, others = taken(best)
    assert [e.confidence for e in chosen] == [100] * 10
    assert others == 49_990


@pytest.mark.parametrize("counts_others", [True, False])
def test_the_best_of_many_are_those_of_sorting_all_that_fit(counts_others: bool) -> None:
    # later ones come before earlier ones of the same rank, and some come twice
    values = [f"{(5_000 - no) % 4_000:04}" for no in range(5_000)]
    entries = [an_entry(value, confidence=no * 7 % 2, modified_us=no * 11 % 2) for no, value in enumerate(values)]
    fitting = {entry for entry in entries if not entry.value.endswith("3")}
    best = Best(500, fits=lambda item: item in fitting, counts_others=counts_others)
    for start in range(0, len(entries), 500):
        best.add(entries[start : start + 500])
    by_value: dict[str, Entry] = {}
    for entry in sorted(fitting, key=lambda entry: entry.rank):
        by_value[entry.value] = entry
    expected = sorted(by_value.values(), key=lambda e: (-e.rank[0], -e.rank[1], f"{e.type} {e.value}"))[:500]
    chosen, others = taken(best)
    assert [(e.value, e.rank) for e in chosen] == [(e.value, e.rank) for e in expected]
    assert others == (3_500 if counts_others else 400)
