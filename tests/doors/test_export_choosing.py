"""Which items a list has: confidence, time, collapse; and how its head describes it."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.doors.export import spool
from hub.doors.export.collapse import Covering
from hub.doors.export.defang import defanged
from hub.doors.export.entry import Entry
from hub.doors.export.formats import FORMATS
from hub.doors.export.selection import Selection
from hub.doors.export.spool import MOST_FILES
from hub.model.errors import TryAgain
from hub.model.extensions import VIEW_EXTENSION
from hub.model.times import DAY_US
from hub.model.words import Seq, StixId
from hub.patterns import value_candidates
from hub.store.port import LogPage, LogRow
from tests.doors.entries import PLAIN, an_entry, an_object
from tests.doors.hubs import Hub
from tests.story import START_US, an_indicator
from tests.story import an_object as a_stix_object

LIST = "/v1/collections/community/export.txt"
OPEN_FILES = Path("/proc/self/fd")


async def get(hub: Hub, query: str = "", path: str = LIST) -> httpx.Response:
    return await hub.get(f"{path}?{query}", "soc")


async def found(hub: Hub, query: str = "", path: str = LIST) -> list[str]:
    answer = await get(hub, query, path)
    assert answer.status_code == 200, answer.text
    return answer.text.splitlines()


# ---------------------------------------------------------------- parameters


async def test_only_values_of_enough_confidence_and_none_counts_as_half_sure(hub: Hub) -> None:
    await hub.tell("ro", an_indicator("198.51.100.1", confidence=40), an_indicator("198.51.100.2", confidence=90))
    await hub.tell("ro", an_indicator("198.51.100.3"))
    assert sorted(await found(hub, "min_confidence=50")) == ["198.51.100.2", "198.51.100.3"]
    assert await found(hub, "min_confidence=51") == ["198.51.100.2"]
    for wrong in ("101", "-1", "high"):
        assert (await get(hub, f"min_confidence={wrong}")).status_code == 400


async def test_only_what_was_added_since_a_change_or_a_time(hub: Hub) -> None:
    await hub.tell("ro", an_indicator("198.51.100.1"))
    head = await hub.store.logs.head((await hub.collection("community")).no)
    await hub.tell("ro", an_indicator("198.51.100.2"))
    answer = await get(hub, f"since={head.seq}")
    assert answer.text.split() == ["198.51.100.2"]
    assert int(answer.headers["x-ctihub-seq"]) > head.seq
    assert await found(hub, "since=2026-12-31T00:00:00Z") == []
    assert len(await found(hub, "since=2025-01-01T00:00:00Z")) == 2
    assert (await get(hub, "since=yesterday")).json()["code"] == "since.invalid"


async def test_ever_new_lists_do_not_take_ever_more_open_files(hub: Hub) -> None:
    await hub.tell("ro", an_indicator("198.51.100.1"))
    before = len(list(OPEN_FILES.iterdir()))
    for limit in range(1, MOST_FILES + 60):
        assert await found(hub, f"limit={limit}") == ["198.51.100.1"]
    assert len(list(OPEN_FILES.iterdir())) - before < MOST_FILES + 30


async def test_what_others_cover_is_left_out_on_request(hub: Hub) -> None:
    values = ["198.51.100.0/24", "198.51.100.7", "198.51.100.128/25", "203.0.113.1"]
    wide = ["2001:db8::/64", "2001:db8::1"]
    names = ["c2.example", "a.b.c2.example", "other.example", "xc2.example"]
    others = {**dict.fromkeys(names, "domain-name"), **dict.fromkeys(wide, "ipv6-addr")}
    await hub.tell("ro", *map(an_indicator, values))
    await hub.tell("ro", *(an_indicator(f"[{kind}:value = '{one}']") for one, kind in others.items()))
    assert sorted(await found(hub)) == sorted([*values, *others])
    answer = await get(hub, "collapse=1")
    assert sorted(answer.text.split()) == sorted(
        ["198.51.100.0/24", "203.0.113.1", "2001:db8::/64", "c2.example", "other.example", "xc2.example"]
    )
    assert answer.headers["x-ctihub-skipped"] == "0", "the reader asked for it"
    await hub.tell("ro", an_indicator("198.51.100.7", confidence=100))
    assert await found(hub, "collapse=1&limit=1") == ["198.51.100.7"], "the network that covers it is not chosen"


@pytest.mark.parametrize(
    ("format", "values", "left"),
    [
        ("elastic", ["[ipv4-addr:value = '203.0.113.0/24']", "[ipv4-addr:value = '203.0.113.9']"], "203.0.113.9"),
        ("wazuh", ["[ipv4-addr:value = '203.0.113.0/25']", "[ipv4-addr:value = '203.0.113.9']"], "203.0.113.9"),
    ],
)
async def test_what_the_format_leaves_out_covers_nothing(hub: Hub, format: str, values: list[str], left: str) -> None:
    await hub.tell("ro", *map(an_indicator, values))
    answer = await get(hub, "collapse=1", LIST.replace("txt", format))
    assert (answer.headers["x-ctihub-lines"], answer.headers["x-ctihub-skipped"]) == ("1", "1")
    assert left in answer.text


async def test_what_was_removed_covers_nothing_and_is_told_beside_the_best(hub: Hub) -> None:
    network = an_indicator("203.0.113.0/24", confidence=90)
    best = an_indicator("203.0.113.8", confidence=95)
    both = [f"[ipv4-addr:value = '203.0.113.9'] OR [ipv4-addr:value = '198.51.100.{no}']" for no in (1, 2)]
    withdrawn, live = an_indicator(both[0], confidence=80), an_indicator(both[1], confidence=20)
    await hub.tell("ro", network, best, withdrawn, live)
    await hub.withdraw("ro", network["id"], withdrawn["id"], soft=True)
    path = LIST.replace("txt", "zeek")
    removed = {"203.0.113.0/24": "T", "198.51.100.1": "T"}
    everything = {"203.0.113.8": "F", "203.0.113.9": "F", "198.51.100.2": "F", **removed}
    for query, expected in (
        ("", everything),
        ("collapse=1", everything),
        ("limit=3", everything),
        ("limit=1", {"203.0.113.8": "F", "203.0.113.9": "T", **removed}),
    ):
        rows = [line.split("\t") for line in await found(hub, query, path)][1:]
        assert {row[0]: row[4] for row in rows} == expected, query


@given(
    st.lists(
        st.one_of(
            st.tuples(st.integers(0, 255), st.integers(20, 32)).map(
                lambda one: str(ipaddress.ip_network((0xC6336400 + one[0] * 16, one[1]), strict=False))
            ),
            st.lists(st.sampled_from(["a", "b"]), min_size=1, max_size=4).map(".".join),
        ),
        max_size=12,
    )
)
def test_collapsed_covers_the_same_and_nothing_in_it_covers_another(values: list[str]) -> None:
    some = [an_entry(one, type="ipv4-addr" if "/" in one else "domain-name") for one in values]
    covering = Covering()
    covering.add(some)
    left = [one for one in some if not covering.has(one)]
    assert all(any(covers(by, one) for by in left) for one in some)
    assert not any(covers(by, one) for by in left for one in left if one.value != by.value)


def covers(by: Entry, one: Entry) -> bool:
    if by.type != one.type:
        return False
    if by.type == "domain-name":
        return by.value == one.value or one.value.endswith(f".{by.value}")
    network, wider = ipaddress.ip_network(one.value), ipaddress.ip_network(by.value)
    return network.subnet_of(wider)  # type: ignore[arg-type] # both are IPv4


async def test_a_parameter_that_no_list_of_the_format_has_is_refused_with_the_nearest(hub: Hub) -> None:
    for name, way_out in (("min_confidance", "Did you mean min_confidence?"), ("typ", "Did you mean type?")):
        answer = await get(hub, f"{name}=1")
        assert (answer.status_code, answer.json()["code"]) == (400, "parameter.unknown")
        assert answer.json()["way_out"].startswith(way_out)
    common = "collapse, limit, min_confidence, since, type"
    for format, asked, way_out in (
        ("jsonl", "defang=1", f"This path takes {common}."),
        ("txt", "zon=rpz.example", f"This path takes collapse, defang, {common.removeprefix('collapse, ')}."),
        ("rpz", "zon=rpz.example", f"Did you mean zone? This path takes action, {common}, zone."),
    ):
        answer = await get(hub, asked, LIST.replace("txt", format))
        assert (answer.status_code, answer.json()["code"]) == (400, "parameter.unknown")
        assert answer.json()["way_out"] == way_out
    answer = await get(hub, "zone=rpz.example", LIST.replace("txt", "pdf"))
    assert (answer.status_code, answer.json()["code"]) == (404, "export.format")


# ---------------------------------------------------------------- defang


@given(
    st.one_of(
        st.ip_addresses(v=4).map(lambda one: ("ipv4-addr", str(one))),
        st.ip_addresses(v=6).map(lambda one: ("ipv6-addr", one.compressed)),
        st.sampled_from([("domain-name", "a.c2.example"), ("email-addr", "a.b@c2.example")]),
        st.from_regex(r"(https?|ftp)://[a-z]{1,5}\.example(:[0-9]{4})?/[a-z.?=/]{0,9}", fullmatch=True).map(
            lambda one: ("url", one)
        ),
    )
)
def test_a_defanged_value_is_understood_everywhere_and_nobody_can_click_it(one: tuple[str, str]) -> None:
    kind, value = one
    written = defanged(kind, value)
    assert not re.search(r"\w://", written)
    assert value not in written
    canonical = {(found.kind, found.value) for found in value_candidates(value)}
    assert {(found.kind, found.value) for found in value_candidates(written)} == canonical


async def test_lists_for_people_are_defanged_on_request(hub: Hub) -> None:
    await hub.tell("ro", an_indicator("[url:value = 'http://c2.example/a.b']"))
    assert await found(hub, "defang=1") == ["hxxp[://]c2[.]example/a.b"]
    [row] = (await found(hub, "defang=1", LIST.replace("txt", "csv")))[1:]
    assert row.startswith("url,hxxp[://]c2[.]example/a.b,")


# ---------------------------------------------------------------- what its head says


async def test_a_head_says_all_that_the_list_will(hub: Hub) -> None:
    await hub.tell("ro", an_indicator("198.51.100.1"), an_indicator("198.51.100.2", labels=["PAP:RED"]))
    answer = await get(hub)
    head = await hub.http.head(LIST, headers=hub.auth("soc"))
    for name in ("etag", "x-ctihub-seq", "x-ctihub-lines", "x-ctihub-skipped", "content-type", "content-length"):
        assert head.headers[name] == answer.headers[name], name
    assert (head.content, answer.headers["x-ctihub-lines"], answer.headers["x-ctihub-skipped"]) == (b"", "1", "1")
    log = await hub.store.logs.head((await hub.collection("community")).no)
    assert answer.headers["x-ctihub-seq"] == str(log.seq)


async def test_a_list_that_cannot_be_completed_is_not_begun(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    await hub.tell("ro", an_indicator("198.51.100.1"))
    real = type(hub.store.logs).page

    async def fails(*args: Any, **more: Any) -> LogPage:
        page = await real(*args, **more)
        if args[2] > 0:
            raise TryAgain("store.away", "The store is away.", "Try again.", retry_after_s=1)
        return LogPage(page.rows, page.bodies, more=True)

    monkeypatch.setattr(type(hub.store.logs), "page", fails)
    assert (await get(hub)).status_code == 503
    monkeypatch.setattr(type(hub.store.logs), "page", real)
    assert await found(hub) == ["198.51.100.1"]


@pytest.mark.parametrize("buffering", [0, 8_192])
async def test_a_full_disk_is_an_error_that_says_so(hub: Hub, monkeypatch: pytest.MonkeyPatch, buffering: int) -> None:
    def full(_: object) -> Any:
        return Path("/dev/full").open("w+b", buffering=buffering)

    monkeypatch.setattr(spool, "open_file", full)
    await hub.tell("ro", an_indicator("198.51.100.1"))
    answer = await get(hub)
    assert (answer.status_code, answer.json()["code"]) == (500, "export.disk")
    assert "DATA_DIR" in answer.json()["way_out"]


# ---------------------------------------------------------------- whole objects


async def test_whole_objects_are_those_of_every_other_door(hub: Hub) -> None:
    await hub.tell(
        "ro",
        an_indicator("198.51.100.1", labels=["PAP:RED"], confidence=30),
        an_indicator("198.51.100.2", valid_until="2026-01-02T00:00:00.000Z"),
        gone := an_indicator("198.51.100.3"),
        a_stix_object("malware", "m", name="m", is_family=False),
    )
    await hub.withdraw("ro", gone["id"])
    hub.clock.us = START_US + 2 * DAY_US
    await hub.worker.do_tasks()
    shown = (await hub.get(await hub.objects_url("community"), "soc")).json()["objects"]
    path = LIST.replace("txt", "stix.jsonl")
    listed = await found(hub, "", path)
    live = [one for one in shown if not one.get("revoked") and one.get("name") != "ipv4-addr 198.51.100.2"]
    assert len(live) < len(shown)
    assert listed == [line for line in await found(hub, "", path) if line]
    ids = {one["id"] for one in (await get(hub, "", LIST.replace("txt", "stix"))).json()["objects"]}
    assert ids == {one["id"] for one in live}
    assert len(await found(hub, "type=malware", path)) == 1
    assert len(await found(hub, "type=indicator&min_confidence=31", path)) == 0
    answer = await get(hub, "type=ipv4-adr", path)
    assert (answer.status_code, answer.json()["code"], answer.json()["way_out"]) == (
        400, "export.type", "Did you mean ipv4-addr?",
    )  # fmt: skip
    assert (await get(hub, "collapse=1", path)).json()["code"] == "export.option"


# ---------------------------------------------------------------- what was removed


def selected(obj: dict[str, Any], days: int, today_us: int) -> list[bool]:
    format = replace(FORMATS["txt"], removed_days=days)
    one = an_object(**obj, extensions={VIEW_EXTENSION: OBSERVABLES})
    row = LogRow(Seq(1), 1, START_US, StixId(one.id), "indicator", False, True, 1)
    page = LogPage([row], [one.body], more=False)
    return [entry.removed for entry in Selection(format, today_us=today_us).values(page)]


OBSERVABLES = {"observables": [{"type": "ipv4-addr", "path": "value", "value": PLAIN["ipv4-addr"]}]}


@pytest.mark.parametrize(
    ("obj", "days", "after_days", "expected"),
    [
        ({}, 0, 0, [False]),
        ({"revoked": True}, 0, 0, []),
        ({"revoked": True}, 30, 30, [True]),
        ({"revoked": True}, 30, 31, []),
        ({"valid_until": "2026-01-02T00:00:00.000Z"}, 0, 9, []),
        ({"valid_until": "2026-01-02T00:00:00.000Z"}, 30, 9, [True]),
        ({"valid_until": "2026-01-02T00:00:00.000Z"}, 30, 99, []),
        ({"revoked": True, "labels": ["PAP:RED"]}, 30, 1, []),
    ],
)
def test_what_was_removed_stays_so_many_days_in_formats_that_want_it(
    obj: dict[str, Any], days: int, after_days: int, expected: list[bool]
) -> None:
    today_us = (START_US // DAY_US + 1) * DAY_US + (after_days - 1) * DAY_US
    assert selected(obj, days, today_us) == expected
