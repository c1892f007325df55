"""``explain``: why something is shown, as far as one may see it, and not a word further."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from hub.questions import explain as asking
from tests.doors.hubs import Hub
from tests.story import an_indicator, an_object


async def explain(hub: Hub, asked: str, who: str = "soc") -> list[Any]:
    answer = await hub.get(f"/v1/explain/{quote(asked, safe='')}", who)
    if answer.status_code == 404:
        return []
    assert answer.status_code == 200, answer.text
    assert answer.json()["asked"] == asked
    return list(answer.json()["things"])


def view(thing: Any, collection: str = "community") -> Any:
    return next(one for one in thing["views"] if one["collection"] == collection)


async def test_a_merged_indicator_is_explained_by_its_claims(hub: Hub) -> None:
    await hub.tell("ro", an_indicator(confidence=60))
    await hub.tell("it", an_indicator("[ ipv4-addr:value='198.51.100.7/32' ]", confidence=50))
    [thing] = await explain(hub, "198.51.100.7")
    assert (thing["type"], thing["text"]) == ("indicator", "[ipv4-addr:value = '198.51.100.7']")
    shown = view(thing)
    assert (shown["state"], shown["confidence"], shown["voices"]) == ("live", 80, 2)
    assert shown["how"] == "100 - (100 - 60) * (100 - 50) / 100"
    assert {claim["centre"]: claim["confidence"] for claim in shown["claims"]} == {"ro": 60, "it": 50}
    assert all(claim["id"] is None for claim in shown["claims"])
    assert {claim["state"] for claim in shown["claims"]} == {"live"}


async def test_the_same_thing_is_found_by_value_pattern_and_shown_id(hub: Hub) -> None:
    await hub.tell("ro", an_indicator("[url:value = 'http://c2.example/a?b=c#d']"))
    [thing] = await explain(hub, "http://c2.example/a?b=c#d")
    assert await explain(hub, "hxxp://c2[.]example/a?b=c#d") == [thing]
    assert await explain(hub, "[ url:value='http://C2.example:80/a?b=c#d' ]") == [thing]
    assert await explain(hub, view(thing)["id"]) == [thing]


async def test_a_centre_finds_its_own_claim_by_its_own_id_and_nobody_elses(hub: Hub) -> None:
    said = an_indicator(confidence=60)
    await hub.tell("ro", said)
    await hub.operator()
    [thing] = await explain(hub, said["id"], "ro")
    assert [claim["id"] for claim in view(thing)["claims"]] == [said["id"]]
    assert await explain(hub, said["id"], "it") == []
    assert await explain(hub, said["id"], "soc") == []
    [thing] = await explain(hub, said["id"], "ops")
    assert [claim["id"] for claim in view(thing)["claims"]] == [said["id"]]


async def test_what_one_may_not_see_is_not_in_it(hub: Hub) -> None:
    await hub.tell("ro", an_indicator(confidence=60))
    before = await explain(hub, "198.51.100.7")
    await hub.tell("it", an_indicator(confidence=80, tlp="amber"))
    assert await explain(hub, "198.51.100.7") == before
    [thing] = await explain(hub, "198.51.100.7", "ro")
    assert [one["collection"] for one in thing["views"]] == ["community", "network"]
    assert [claim["centre"] for claim in view(thing, "network")["claims"]] == ["it", "ro"] or {
        claim["centre"] for claim in view(thing, "network")["claims"]
    } == {"it", "ro"}
    assert [claim["centre"] for claim in view(thing)["claims"]] == ["ro"]


async def test_what_is_amber_only_is_unknown_to_a_green_reader(hub: Hub) -> None:
    await hub.tell("it", an_indicator(tlp="amber"))
    assert await explain(hub, "198.51.100.7") == []
    assert len(await explain(hub, "198.51.100.7", "ro")) == 1
    there = await hub.get("/v1/explain/198.51.100.7", "soc")
    nowhere = await hub.get("/v1/explain/198.51.100.8", "soc")
    assert there.json()["code"] == nowhere.json()["code"] == "explain.unknown"


async def test_an_anonymous_centre_is_not_named(hub: Hub) -> None:
    await hub.centre("pl", country="PL", naming="anonymous")
    await hub.tell("pl", an_indicator(confidence=60))
    answer = await hub.get("/v1/explain/198.51.100.7", "soc")
    [claim] = view(answer.json()["things"][0])["claims"]
    assert claim["centre"] == "anonymous"
    assert len(claim["modified"]) == len("2026-01-01")
    assert "pl" not in [one["centre"] for one in view(answer.json()["things"][0])["claims"]]
    [own] = view((await explain(hub, "198.51.100.7", "pl"))[0])["claims"]
    assert own["centre"] == "pl"
    assert own["id"] == an_indicator()["id"]


async def test_a_withdrawn_thing_says_so(hub: Hub) -> None:
    await hub.tell("ro", an_indicator())
    shown = view((await explain(hub, "198.51.100.7"))[0])["id"]
    await hub.withdraw("ro", an_indicator()["id"])
    [thing] = await explain(hub, shown)
    assert (view(thing)["state"], view(thing)["id"], view(thing)["claims"]) == ("withdrawn", None, [])


async def test_an_owners_object_and_a_relationship_are_explained(hub: Hub) -> None:
    malware = an_object("malware", "m", name="m", is_family=False)
    indicator = an_indicator()
    relationship = an_object(
        "relationship", "r", relationship_type="indicates", source_ref=indicator["id"], target_ref=malware["id"]
    )
    await hub.tell("ro", malware, indicator, relationship)
    [thing] = await explain(hub, malware["id"])
    assert (thing["type"], thing["text"], view(thing)["state"]) == ("malware", malware["id"], "live")
    assert [claim["centre"] for claim in view(thing)["claims"]] == ["ro"]
    [thing] = await explain(hub, relationship["id"], "ro")
    assert thing["type"] == "relationship"
    assert [claim["id"] for claim in view(thing)["claims"]] == [relationship["id"]]
    assert await explain(hub, view(thing)["id"], "ro") == [thing]


async def test_a_value_finds_its_observable_too(hub: Hub) -> None:
    observable = {
        "type": "ipv4-addr", "spec_version": "2.1", "id": "ipv4-addr--5853f6a4-638f-5b4e-9b0f-ded361ae3812",
        "value": "198.51.100.7", "object_marking_refs": an_indicator()["object_marking_refs"],
    }  # fmt: skip
    await hub.tell("ro", an_indicator(), observable)
    things = await explain(hub, "198.51.100.7")
    assert sorted(thing["type"] for thing in things) == ["indicator", "ipv4-addr"]


@pytest.mark.parametrize(
    "asked",
    [
        "no such thing",
        "[",
        "[ipv4-addr:value = 'x'",
        "indicator--00000000-0000-4000-8000-000000000000",
        "%00",
        "'",
        "\\'",
    ],
)
async def test_what_nobody_knows_is_refused_with_a_sentence(hub: Hub, asked: str) -> None:
    answer = await hub.get(f"/v1/explain/{quote(asked, safe='')}", "soc")
    assert answer.status_code in (400, 404)
    assert answer.json()["detail"].endswith(".")


async def test_explaining_needs_credentials(hub: Hub) -> None:
    assert (await hub.get("/v1/explain/198.51.100.7")).status_code == 401


# ---------------------------------------------------------------- a value wherever it stands


PLACES = [
    ("[network-traffic:src_ref.type = 'ipv4-addr' AND network-traffic:src_ref.value = '192.0.2.31']", "192.0.2.31"),
    ("[network-traffic:dst_ref.value = '198.51.100.32' AND network-traffic:dst_port = 443]", "198.51.100.32"),
    ("[ipv4-addr:value = '198.51.100.33'] AND [domain-name:value = 'c2-33.example']", "c2-33.example"),
    ("[ipv4-addr:value = '198.51.100.33'] FOLLOWEDBY [domain-name:value = 'c2-34.example']", "C2-34[.]example"),
    ("[ipv4-addr:value IN ('198.51.100.35', '198.51.100.36')]", "198.51.100[.]36"),
    ("[domain-name:value = 'c2-37.example' AND domain-name:value != 'not-37.example']", "not-37.example"),
    (f"[file:hashes.MD5 = '{'ab' * 16}' AND file:name = 'x.exe']", ("ab" * 16).upper()),
    ("[file:name = 'invoice-38.exe']", "invoice-38.exe"),
    (r"[mutex:name = 'Global\\a mutex']", "Global\\a mutex"),
    ("[ipv4-addr:value = '198.51.100.39:443']", "198.51.100.39:443"),
    ("[ipv4-addr:value = '198.51[.]100.40']", "198.51[.]100.40"),
    ("[domain-name:value = '198.51.100.41']", "198.51.100.41"),
    ("[domain-name:value LIKE '%.c2-42.example']", "%.c2-42.example"),
    ("[url:value = 'http://c2-43.example/'] REPEATS 2 TIMES", "http://c2-43.example"),
    (r"[windows-registry-key:key = 'HKLM\\Software\\Evil']", "HKLM\\Software\\Evil"),
    ("[x509-certificate:serial_number = '0A1B2C']", "0A1B2C"),
    (f"[cryptocurrency-wallet:address = '0x{'AB' * 20}']", f"0x{'AB' * 20}"),
    ("[file:name = '[2026] invoice.exe']", "[2026] invoice.exe"),
    ("[mutex:name = '[a:b = 1]']", "[a:b = 1]"),
    ("[mutex:name = 'mutex--3f2504e0-4f89-41d3-9a0c-0305e82c3301']", "mutex--3f2504e0-4f89-41d3-9a0c-0305e82c3301"),
    ("[file:name = 'x.exe ']", "x.exe "),
]  # fmt: skip


@pytest.mark.parametrize(("pattern", "asked"), PLACES)
async def test_a_value_is_found_wherever_it_stands_in_a_pattern(hub: Hub, pattern: str, asked: str) -> None:
    receipt = await hub.tell("ro", an_indicator(pattern))
    assert receipt["accepted"] == 1, receipt
    [thing] = await explain(hub, asked)
    assert thing["type"] == "indicator"
    assert view(thing)["state"] == "live"


async def test_the_last_of_as_many_values_as_fit_into_a_pattern_is_found(hub: Hub) -> None:
    members = [f"'{no:x}'" for no in range(8_000)]
    receipt = await hub.tell("ro", an_indicator(f"[x-a:b IN ({', '.join(members)})]"))
    assert receipt["accepted"] == 1, receipt
    assert len(await explain(hub, max(members).strip("'"))) == 1


async def test_a_value_in_a_pattern_that_one_may_not_see_is_unknown(hub: Hub) -> None:
    pattern = "[ipv4-addr:value = '198.51.100.33'] AND [domain-name:value = 'c2-33.example']"
    await hub.tell("it", an_indicator(pattern, tlp="amber"))
    assert len(await explain(hub, "c2-33.example", "ro")) == 1
    there = await hub.get("/v1/explain/c2-33.example", "soc")
    nowhere = await hub.get("/v1/explain/c2-34.example", "soc")
    assert there.status_code == nowhere.status_code == 404
    assert there.text.replace("c2-33", "") == nowhere.text.replace("c2-34", "")


async def test_what_asserts_a_value_comes_before_what_only_names_it(hub: Hub) -> None:
    await hub.tell(
        "ro", an_indicator("[ipv4-addr:value = '198.51.100.7' AND ipv4-addr:x_port = 4]", "a"),
        an_indicator("198.51.100.7", "b"), an_indicator("[ipv4-addr:value IN ('198.51.100.7', '198.51.100.8')]", "c"),
    )  # fmt: skip
    found = [thing["text"] for thing in await explain(hub, "198.51.100.7")]
    assert [text.count("AND") for text in found] == [0, 0, 1]


async def test_a_value_that_nobody_names_is_answered_with_what_it_was_taken_for(hub: Hub) -> None:
    for asked, taken_for in (("198.51.100.8", "ipv4-addr"), ("nobody.example", "domain-name"), ("what ever", "text")):
        answer = (await hub.get(f"/v1/explain/{quote(asked, safe='')}", "soc")).json()
        assert answer["code"] == "explain.unknown"
        assert taken_for in str(answer)
        assert "spelling" not in str(answer)


async def test_more_patterns_that_one_may_not_see_than_are_looked_at_do_not_hide_one_that_one_may(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "_MOST_THINGS", 3)
    await test_many_patterns_that_one_may_not_see_do_not_hide_one_that_one_may(hub)


async def test_many_patterns_that_one_may_not_see_do_not_hide_one_that_one_may(hub: Hub) -> None:
    hidden = [
        an_indicator(f"[ipv4-addr:value = '198.51.100.7' AND ipv4-addr:x_port = {no}]", f"{no}", tlp="amber")
        for no in range(120)
    ]
    await hub.tell("it", *hidden)
    await hub.tell("ro", an_indicator("[ipv4-addr:value = '198.51.100.7' AND ipv4-addr:x_port = 999]"))
    [thing] = await explain(hub, "198.51.100.7")
    assert "999" in thing["text"]
