"""``/v1/lookup``: the state of a value in each collection, what is around it, and related digests; one or thousands."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from hub.model.principals import PrincipalKind
from hub.model.times import DAY_US
from hub.questions.looked_up import MOST_OF_EACH
from hub.questions.lookup import BATCH
from schemas.lookup import MOST_VALUES, LookupAnswer
from tests.doors.hubs import Hub, a_hub, addresses
from tests.story import TLP, an_indicator, moment, uid

GREEN = [TLP["green"]]
MD5, SHA1, SHA256 = "d41d8cd98f00b204e9800998ecf8427e", "da39a3ee5e6b4b0d3255bfef95601890afd80709", "ab" * 32
TEXT = {"content-type": "text/plain"}


def observable(kind: str, tlp: str = "green", **more: Any) -> dict[str, Any]:
    made = {"type": kind, "spec_version": "2.1", "object_marking_refs": [TLP[tlp]], **more}
    return {**made, "id": f"{kind}--{uid('observable', repr(more))}"}


def a_file(tlp: str = "green", **hashes: str) -> dict[str, Any]:
    return observable("file", tlp, hashes={name.replace("_", "-"): digest for name, digest in hashes.items()})


async def look(hub: Hub, value: str, who: str = "soc") -> Any:
    answer = await hub.get("/v1/lookup", who, params={"value": value})
    assert answer.status_code == 200, answer.text
    LookupAnswer.model_validate_json(answer.content)
    return answer.json()


async def look_many(hub: Hub, body: Any, who: str = "soc", **headers: str) -> list[Any]:
    if isinstance(body, list):
        answer = await hub.post("/v1/lookup", who, json=body)
    else:
        answer = await hub.post("/v1/lookup", who, content=body, headers={**TEXT, **headers})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.text.splitlines()]


def states(found: Any) -> list[tuple[str, str, str]]:
    return [(one["collection"], one["type"], one["state"]) for one in found["found"]]


# ---------------------------------------------------------------- what is found


async def test_each_collection_that_knows_a_value_tells_what_it_shows(hub: Hub) -> None:
    said = an_indicator(
        tlp="clear", confidence=80, labels=["botnet", "PAP:GREEN"], indicator_types=["malicious-activity"],
        valid_until=moment(9 * DAY_US / 1e6),
    )  # fmt: skip
    await hub.tell("ro", said, observable("ipv4-addr", value="198.51.100.7"))
    await hub.tell("it", an_indicator(tlp="amber", confidence=90))
    found = await look(hub, "198.51.100.7")
    assert (found["asked"], found["kind"], found["canonical"]) == ("198.51.100.7", "ipv4-addr", "198.51.100.7")
    assert states(found) == [
        ("community", "indicator", "live"), ("community", "ipv4-addr", "live"), ("public", "indicator", "live")
    ]  # fmt: skip
    shown = next(one for one in found["found"] if one["collection"] == "public")
    assert {name: shown[name] for name in ("tlp", "pap", "labels", "indicator_types", "voices", "valid_until")} == {
        "tlp": "clear", "pap": "green", "labels": ["PAP:GREEN", "botnet"], "indicator_types": ["malicious-activity"],
        "voices": 1, "valid_until": moment(9 * DAY_US / 1e6),
    }  # fmt: skip
    assert [source["name"] for source in shown["sources"]] == ["ro"]
    (row,) = (await hub.get("/v1/collections/public/changes")).json()["changes"][-1:]
    assert (shown["id"], shown["confidence"], shown["changed"]) == (row["id"], row["confidence"], row["date_added"])
    assert states(await look(hub, "198.51.100.7", "ro"))[-1][0] == "public"
    assert ("network", "indicator", "live") in states(await look(hub, "198.51.100.7", "ro"))


async def test_a_value_is_live_then_expired_and_at_last_withdrawn(hub: Hub) -> None:
    said = an_indicator(valid_until=moment(2 * DAY_US / 1e6))
    await hub.tell("ro", said, an_indicator("203.0.113.5", "other"))
    assert states(await look(hub, "198.51.100.7")) == [("community", "indicator", "live")]
    hub.clock.us += 5 * DAY_US
    await hub.settle()
    found = await look(hub, "198.51.100.7")
    assert states(found) == [("community", "indicator", "expired")]
    await hub.withdraw("ro", said["id"])
    withdrawn = await look(hub, "198.51.100.7")
    assert states(withdrawn) == [("community", "indicator", "withdrawn")]
    assert withdrawn["found"][0]["id"] == found["found"][0]["id"]


async def test_an_observable_that_is_withdrawn_keeps_its_state_only(hub: Hub) -> None:
    address = observable("ipv4-addr", value="198.51.100.7")
    await hub.tell("ro", address)
    await hub.withdraw("ro", address["id"])
    (one,) = (await look(hub, "198.51.100.7"))["found"]
    assert one["state"] == "withdrawn"
    assert not {"tlp", "confidence", "valid_from"} & one.keys()


@pytest.mark.parametrize(
    ("spelled", "kind", "canonical"),
    [
        ("198.51.100[.]7", "ipv4-addr", "198.51.100.7"),
        ("hxxps[:]//Login[.]example/A", "url", "https://login.example/A"),
        (" C2.Example ", "domain-name", "c2.example"),
        (SHA256.upper(), "sha-256", SHA256),
        ("info[at]c2[dot]example", "email-addr", "info@c2.example"),
        ("2001:DB8::0001", "ipv6-addr", "2001:db8::1"),
        ("AS64500", "autonomous-system:number", "64500"),
    ],
)
async def test_a_value_is_found_in_any_spelling(hub: Hub, spelled: str, kind: str, canonical: str) -> None:
    path = {"sha-256": "file:hashes.'SHA-256'"}.get(kind, kind if ":" in kind else f"{kind}:value")
    constant = canonical if kind == "autonomous-system:number" else f"'{canonical}'"
    await hub.tell("ro", an_indicator(f"[{path} = {constant}]"))
    found = await look(hub, spelled)
    assert (found["kind"], found["canonical"]) == (kind, canonical)
    assert states(found) == [("community", "indicator", "live")]


async def test_a_pattern_that_asserts_a_value_among_others_is_found_and_one_that_only_names_it_is_not(hub: Hub) -> None:
    await hub.tell(
        "ro",
        an_indicator("[ipv4-addr:value IN ('198.51.100.7', '203.0.113.5')]", "in"),
        an_indicator("[ipv4-addr:value = '198.51.100.7' AND ipv4-addr:x_port = 1]", "and"),
        an_indicator("[ipv4-addr:value != '198.51.100.7']", "not"),
    )  # fmt: skip
    assert len((await look(hub, "198.51.100.7"))["found"]) == 1


async def test_an_unknown_value_has_empty_lists(hub: Hub) -> None:
    found = await look(hub, "203.0.113.9")
    assert found == {
        "asked": "203.0.113.9", "kind": "ipv4-addr", "canonical": "203.0.113.9", "found": [], "within": [],
        "related": [], "more": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    "text", ["", "hello world", "[ipv4-addr:value = '198.51.100.7']", an_indicator()["id"], "a\0b"]
)
async def test_what_is_no_value_is_refused_with_a_way_out(hub: Hub, text: str) -> None:
    answer = await hub.get("/v1/lookup", "soc", params={"value": text})
    assert (answer.status_code, answer.json()["code"]) == (400, "lookup.no-value")
    assert answer.json()["way_out"]


async def test_a_look_up_needs_credentials_and_a_value(hub: Hub) -> None:
    assert (await hub.get("/v1/lookup?value=198.51.100.7")).status_code == 401
    assert (await hub.post("/v1/lookup", content=b"198.51.100.7")).status_code == 401
    assert (await hub.get("/v1/lookup", "soc")).status_code == 400


# ---------------------------------------------------------------- what is around it


async def test_networks_names_and_urls_around_a_value_are_named_as_explain_names_them(hub: Hub) -> None:
    await hub.tell(
        "ro", an_indicator("198.51.0.0/16"), an_indicator("[ipv4-addr:value IN ('198.51.100.0/28', '192.0.2.0/28')]"),
        an_indicator("[ipv6-addr:value = '2001:db8::/32']"), observable("ipv4-addr", value="198.51.100.0/24"),
        an_indicator("[domain-name:value = 'c2.example']"), observable("url", value="http://198.51.100.7/z"),
        an_indicator("[url:value = 'http://a.c2.example/1' OR url:value = 'http://a.c2.example/2']", "or"),
    )  # fmt: skip
    for asked in ("198.51.100.7", "198.51.100.7/25", "2001:db8::7", "a.c2.example", "http://x.c2.example/other",
                  "http://198.51.100.9/", "c2.example"):  # fmt: skip
        found = await look(hub, asked)
        explained = await hub.get(f"/v1/explain/{asked.replace('/', '%2F')}", "soc")
        near = explained.json()["within"] if explained.status_code == 200 else []
        assert [(one["relation"], one["value"], one["id"]) for one in found["within"]] == [
            (one["relation"], one["value"], one["id"]) for one in near
        ], asked
        assert all(one["state"] == "live" and one["tlp"] == "green" for one in found["within"])
    assert [one["value"] for one in (await look(hub, "198.51.100.7"))["within"]] == [
        "198.51.100.0/28", "198.51.100.0/24", "198.51.0.0/16", "http://198.51.100.7/z"
    ]  # fmt: skip


async def test_what_has_ended_is_not_around_a_value(hub: Hub) -> None:
    gone = an_indicator("[url:value = 'http://198.51.100.7/a']", "url")
    await hub.tell("ro", an_indicator("198.51.0.0/16", valid_until=moment(2 * DAY_US / 1e6)), gone)
    assert len((await look(hub, "198.51.100.7"))["within"]) == 2
    await hub.withdraw("ro", gone["id"])
    hub.clock.us += 5 * DAY_US
    await hub.settle()
    assert (await look(hub, "198.51.100.7"))["within"] == []


async def test_of_very_many_some_are_named_and_that_there_are_more(hub: Hub) -> None:
    urls = [an_indicator(f"[url:value = 'http://c2.example/{no}']", f"{no}") for no in range(MOST_OF_EACH + 3)]
    sets = [
        an_indicator(f"[domain-name:value IN ('c2.example', 'd{no}.example')]", f"in {no}")
        for no in range(MOST_OF_EACH + 3)
    ]
    await hub.tell("ro", *urls, *sets)
    found = await look(hub, "c2.example")
    assert (len(found["found"]), len(found["within"])) == (MOST_OF_EACH, MOST_OF_EACH)
    assert found["more"] == ["found", "url"]
    assert await look(hub, "c2.example") == found


async def test_what_one_may_not_see_takes_no_place_among_the_first(hub: Hub) -> None:
    hidden = [
        an_indicator(f"[domain-name:value IN ('c2.example', 'd{no}.example')]", f"in {no}", tlp="amber")
        for no in range(MOST_OF_EACH + 30)
    ]
    urls = [an_indicator(f"[url:value = 'http://c2.example/{no}']", f"{no}", tlp="amber") for no in range(60)]
    seen = (
        an_indicator("[domain-name:value IN ('c2.example', 'e.example')]"),
        an_indicator("[url:value = 'http://c2.example/x']", "x"),
    )
    await hub.tell("ro", *seen)
    before = await look(hub, "c2.example")
    assert (len(before["found"]), len(before["within"]), before["more"]) == (1, 1, [])
    await hub.tell("it", *hidden, *urls)
    assert await look(hub, "c2.example") == before
    assert (await look(hub, "c2.example", "ro"))["more"] == ["found", "url"]


# ---------------------------------------------------------------- related digests


async def test_other_digests_of_a_file_are_named_by_its_observable(hub: Hub) -> None:
    await hub.tell("ro", a_file(MD5=MD5, SHA_256=SHA256))
    for asked, other in ((MD5, ("sha-256", SHA256)), (SHA256, ("md5", MD5))):
        found = await look(hub, asked)
        assert [(one["kind"], one["value"], one["type"]) for one in found["related"]] == [(*other, "file")], asked
        assert states(found) == [("community", "file", "live")]


async def test_other_digests_of_a_file_are_named_by_a_pattern_that_joins_them(hub: Hub) -> None:
    both = f"[file:hashes.MD5 = '{MD5}' AND file:hashes.'SHA-1' = '{SHA1}']"
    either = f"[file:hashes.MD5 = '{MD5}' OR file:hashes.'SHA-256' = '{SHA256}']"
    await hub.tell("ro", an_indicator(both, "both"), an_indicator(either, "either"))
    found = await look(hub, MD5)
    assert [(one["kind"], one["value"]) for one in found["related"]] == [("sha-1", SHA1)]
    assert states(found) == [("community", "indicator", "live")]
    assert [one["value"] for one in (await look(hub, SHA1))["related"]] == [MD5]
    assert (await look(hub, SHA256))["related"] == []


async def test_a_digest_that_a_file_gets_later_leads_to_it_too(hub: Hub) -> None:
    file = a_file(MD5=MD5)
    await hub.tell("ro", file)
    assert (await look(hub, SHA256))["found"] == []
    await hub.tell("ro", {**file, "hashes": {"MD5": MD5, "SHA-256": SHA256}})
    assert states(await look(hub, SHA256)) == [("community", "file", "live")]


async def test_a_digest_that_one_may_not_see_leads_nowhere(hub: Hub) -> None:
    await hub.tell("ro", a_file(MD5=MD5))
    before = [await look(hub, one) for one in (MD5, SHA256, SHA1)]
    both = f"[file:hashes.MD5 = '{MD5}' AND file:hashes.'SHA-1' = '{SHA1}']"
    await hub.tell("it", a_file("amber", MD5=MD5, SHA_256=SHA256), an_indicator(both, "both", tlp="amber"))
    assert [await look(hub, one) for one in (MD5, SHA256, SHA1)] == before
    assert SHA1 in [one["value"] for one in (await look(hub, MD5, "ro"))["related"]]
    for key in ("digest", "file", "width"):  # no text that somebody may ask for is such a key
        assert (await hub.get(f"/v1/explain/{key} 1 {SHA256}", "soc")).status_code == 404


# ---------------------------------------------------------------- many values


async def test_many_values_are_answered_in_their_order_as_each_alone(hub: Hub) -> None:
    await hub.tell("ro", an_indicator(), an_indicator("198.51.0.0/16"), a_file(MD5=MD5, SHA_1=SHA1))
    asked = ["198.51.100.7", MD5, "203.0.113.1", "198.51.100[.]7", "http://198.51.100.7/", "198.51.100.7"]
    alone = [await look(hub, one) for one in asked]
    assert await look_many(hub, "\n".join(asked).encode()) == alone
    assert await look_many(hub, asked) == alone
    assert await look_many(hub, ("\ufeff\r\n \n" + "\r\n\r\n".join(asked) + "\r\n").encode()) == alone
    packed = gzip.compress("\n".join(asked).encode())
    assert await look_many(hub, packed, **{"content-encoding": "gzip"}) == alone
    assert await look_many(hub, b"") == []


async def test_a_line_that_is_no_value_has_an_error_in_its_place(hub: Hub) -> None:
    await hub.tell("ro", an_indicator())
    lines = [b"198.51.100.7", b"hello world", b"\xff\xfe", b"x" * (1 << 20), b"198.51.100.7\0", b"198.51.100.7"]
    found = await look_many(hub, b"\n".join(lines))
    codes = [one.get("error", {}).get("code") for one in found]
    no_value = "lookup.no-value"
    assert codes == [None, no_value, "lookup.not-utf-8", no_value, no_value, None]
    assert (found[1]["asked"], len(found[3]["asked"]), found[4]["asked"]) == ("hello world", 1_000, "198.51.100.7\0")
    assert found[0] == found[5]
    assert [one["error"]["code"] if "error" in one else None for one in await look_many(hub, ["", "198.51.100.7"])] == [
        no_value, None,
    ]  # fmt: skip


async def test_no_more_values_than_the_limit_are_taken(hub: Hub) -> None:
    text = b"198.51.100.7\n" * MOST_VALUES
    assert len(await look_many(hub, text + b"\n\n")) == MOST_VALUES
    for more in ({"content": text + b"x", "headers": TEXT}, {"json": ["198.51.100.7"] * (MOST_VALUES + 1)}):
        answer = await hub.post("/v1/lookup", "soc", **more)
        assert (answer.status_code, answer.json()["code"]) == (413, "lookup.too-many")


@pytest.mark.parametrize(
    ("body", "media_type", "status", "code"),
    [
        (b'{"a": 1}', "application/json", 400, "lookup.body"),
        (b"[1]", "application/json", 400, "lookup.body"),
        (b'["\xff"]', "application/json", 400, "lookup.body"),
        (b'["\\ud800"]', "application/json", 400, "lookup.body"),
        (b"[", "application/json", 400, "lookup.body"),
        (b"<a/>", "application/xml", 415, "lookup.media-type"),
    ],
)
async def test_a_body_of_another_form_is_refused(
    hub: Hub, body: bytes, media_type: str, status: int, code: str
) -> None:
    answer = await hub.post("/v1/lookup", "soc", content=body, headers={"content-type": media_type})
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_hostile_values_are_answered(hub: Hub) -> None:
    """As many networks as are possible, and as many names: of wide ones and of deep ones."""
    nets = [an_indicator(f"10.0.0.0/{length}".replace("10.0", "11.0"), f"{length}") for length in range(9, 32)]
    await hub.tell("ro", *nets)
    wide = [f"{no % 223 + 1}.0.0.0/8" for no in range(2_000)]
    deep = [".".join(["a"] * 120) + f".{no}.example" for no in range(200)]
    inside = [f"11.0.0.{no}" for no in range(256)]
    found = await look_many(hub, [*wide, *deep, *inside])
    assert len(found) == 2_456
    assert not any(one.get("error") for one in found)
    assert len(found[-256]["within"]) == 23


async def test_one_part_of_the_answers_follows_the_other(hub: Hub, tmp_path: Path) -> None:
    await hub.tell("ro", *addresses(1_200))
    asked = [f"2001:db8::{no:x}" for no in range(1, 1_201)]
    found = await look_many(hub, asked)
    assert [one["canonical"] for one in found] == asked
    assert all(len(one["found"]) == 1 for one in found)


async def test_who_loses_access_meanwhile_gets_no_more(tmp_path: Path) -> None:
    async with a_hub(tmp_path, recheck_s=0) as hub:
        await hub.centre("ro")
        await hub.member("soc")
        asked = ["198.51.100.7"] * (BATCH + 1)
        assert len(await look_many(hub, asked)) == BATCH + 1
        recognise, calls = hub.doors.gate.recognise, 0

        async def twice(credentials: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == 3:  # after that for the request, and that for its first part
                await hub.registry.principals.suspend("soc", PrincipalKind.MEMBER)
            return await recognise(credentials)

        hub.doors.gate.recognise = twice  # type: ignore[method-assign] # to suspend the sender between two parts
        with capture_logs() as logs, pytest.raises(AssertionError):  # of the transport: the answer has no end
            await hub.post("/v1/lookup", "soc", json=asked)
        assert ("answer.broken_off", "auth.wrong") in [(one["event"], one.get("code")) for one in logs]
        assert hub.doors.answers.free_bytes == hub.doors.answers.total_bytes


async def test_a_token_with_networks_is_recognised_between_two_parts(tmp_path: Path) -> None:
    async with a_hub(tmp_path, recheck_s=0) as hub:
        await hub.centre("ro")
        await hub.member("soc")
        added = await hub.registry.tokens.add("soc", "siem", networks=["127.0.0.1"])
        hub.tokens["soc.siem"] = added.token
        assert len(await look_many(hub, ["198.51.100.7"] * (2 * BATCH + 1), "soc.siem")) == 2 * BATCH + 1
