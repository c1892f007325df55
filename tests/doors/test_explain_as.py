"""``explain`` as somebody else: what a reader may see, and the first rule that keeps out what it may not see."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, get_args
from urllib.parse import quote

import pytest

from hub.core.hold import WarningLists
from hub.model.kept_out import KeptOut
from hub.model.principals import PrincipalKind
from hub.model.times import DAY_US
from hub.registry.centres import Terms
from schemas.explanation import RuleLabel
from tests.doors.hubs import Hub, a_hub
from tests.story import START_US, TLP, an_indicator, an_object, malware, moment

ADDRESS = "198.51.100.7"
SEMANTICS = Path(__file__).parents[2] / "docs" / "semantics.md"


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    """A hub with warning lists."""
    async with a_hub(tmp_path, hold=WarningLists().holds) as made:
        await made.centre("ro", country="RO")
        await made.centre("it", country="IT")
        await made.member("soc")
        yield made


async def as_seen(hub: Hub, asked: str, reader: str) -> Any:
    if "ops" not in hub.tokens:
        await hub.operator()
    answer = await hub.get(f"/v1/explain/{quote(asked, safe='')}", "ops", params={"as": reader})
    assert answer.status_code == 200, answer.text
    assert answer.json()["reader"] == reader
    return answer.json()


async def rules(hub: Hub, asked: str, reader: str = "ro") -> dict[str, str]:
    """The rule of each collection that does not show the only thing asked for."""
    (thing,) = (await as_seen(hub, asked, reader))["things"]
    return {one["collection"]: one["rule"] for one in thing["kept_out"]}


def test_the_rules_of_the_interface_are_those_of_the_core() -> None:
    assert [rule.label for rule in KeptOut] == list(get_args(RuleLabel))
    assert all(rule.says for rule in KeptOut)


def test_the_documentation_has_them_in_the_order_in_which_they_are_applied() -> None:
    section = SEMANTICS.read_text().partition("## 11. ")[2]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    named = [label for row in rows for label in re.findall(r"`([^`]+)`", row)]
    assert sorted(named, key=[rule.label for rule in KeptOut].index) == named
    assert len(named) == len(KeptOut)


async def test_a_reader_sees_what_it_would_see_itself(hub: Hub) -> None:
    await hub.tell("ro", an_indicator(confidence=60))
    await hub.tell("it", an_indicator(confidence=80, tlp="amber"))
    for reader in ("soc", "ro"):
        own = (await hub.get(f"/v1/explain/{ADDRESS}", reader)).json()["things"]
        (thing,) = (await as_seen(hub, ADDRESS, reader))["things"]
        del thing["kept_out"]
        del own[0]["kept_out"]
        assert [thing] == own


async def test_level_and_group_keep_a_claim_out(hub: Hub) -> None:
    await hub.tell("ro", an_indicator(tlp="amber"))
    assert await rules(hub, ADDRESS) == {"public": "level", "community": "level"}
    assert await rules(hub, ADDRESS, "soc") == {"public": "level", "community": "level", "network": "access"}
    await hub.tell("ro", an_indicator("198.51.100.8", tlp="green"))
    assert await rules(hub, "198.51.100.8") == {"public": "level"}
    await hub.registry.collections.add("open", tlp="amber", group="public")
    await hub.settle()
    assert (await rules(hub, "198.51.100.8"))["open"] == "group"


async def test_whoever_has_no_credentials_reads_what_is_public(hub: Hub) -> None:
    await hub.tell("ro", an_indicator(tlp="green"))
    for nobody in ("public", "anonymous"):
        assert await rules(hub, ADDRESS, nobody) == {"public": "level", "community": "access", "network": "access"}
    (thing,) = (await as_seen(hub, ADDRESS, "public"))["things"]
    assert (thing["views"], thing["text"]) == ([], "[ipv4-addr:value = '198.51.100.7']")


async def test_each_claim_has_its_own_rule_and_the_one_that_came_furthest_counts(hub: Hub) -> None:
    await hub.tell("ro", an_indicator(tlp="amber"))
    await hub.tell("it", an_indicator(tlp="green"))
    await hub.withdraw("it", an_indicator()["id"])
    (thing,) = (await as_seen(hub, ADDRESS, "ro"))["things"]
    (community,) = [one for one in thing["kept_out"] if one["collection"] == "community"]
    assert community["rule"] == "level"
    assert [(one["centre"], one["rule"]) for one in community["claims"]] == [("ro", "level"), ("it", "withdrawn")]
    assert community["message"] == "community does not show it: its level is above the collection's."


async def test_what_waits_for_an_operator_is_held_and_then_refused(hub: Hub) -> None:
    wide = an_indicator("198.0.0.0/6")
    assert (await hub.tell("ro", wide))["held"] == 1
    for asked in (wide["id"], "198.0.0.0/6"):
        (thing,) = (await as_seen(hub, asked, "soc"))["things"]
        (community,) = [one for one in thing["kept_out"] if one["collection"] == "community"]
        assert community["rule"] == "held"
        (claim,) = community["claims"]
        assert (claim["centre"], claim["id"], claim["code"]) == ("ro", wide["id"], "poison.network")
    await hub.registry.held.refuse([1])
    assert set((await rules(hub, wide["id"])).values()) == {"refused"}


async def test_withdrawn_suspended_revoked_and_expired_are_told_apart(hub: Hub) -> None:
    said = an_indicator(valid_until=moment(DAY_US / 1e6))
    await hub.tell("ro", said)
    await hub.registry.principals.suspend("ro", PrincipalKind.CENTRE)
    await hub.settle()
    assert (await rules(hub, ADDRESS, "it"))["community"] == "suspended"
    await hub.registry.principals.resume("ro", PrincipalKind.CENTRE)
    await hub.settle()
    hub.clock.us = START_US + 40 * DAY_US
    await hub.settle()
    assert (await rules(hub, ADDRESS))["community"] == "expired"
    await hub.tell("ro", {**said, "modified": moment(5), "revoked": True})
    assert (await rules(hub, ADDRESS))["community"] == "revoked"
    await hub.withdraw("ro", said["id"])
    assert (await rules(hub, ADDRESS))["community"] == "withdrawn"


async def test_a_missing_definition_and_a_lowered_ceiling_have_their_pages(hub: Hub) -> None:
    unknown = an_object("marking-definition", "m")["id"]
    await hub.tell("ro", an_indicator(object_marking_refs=[*an_indicator()["object_marking_refs"], unknown]))
    (thing,) = (await as_seen(hub, ADDRESS, "ro"))["things"]
    assert {one["rule"] for one in thing["kept_out"]} == {"marking"}
    assert {claim["code"] for one in thing["kept_out"] for claim in one["claims"]} == {"marking.unknown"}
    await hub.tell("it", an_indicator("198.51.100.8", tlp="amber"))
    await hub.registry.centres.set("it", Terms(tlp_max="green"))
    await hub.settle()
    (thing,) = (await as_seen(hub, "198.51.100.8", "ro"))["things"]
    assert {claim["code"] for one in thing["kept_out"] for claim in one["claims"]} == {"marking.above-ceiling"}


async def test_a_relationship_waits_for_its_end_and_is_found_by_its_own_id(hub: Hub) -> None:
    ends = {"source_ref": an_indicator()["id"], "target_ref": malware()["id"]}
    link = an_object("relationship", "r", relationship_type="indicates", **ends)
    await hub.tell("ro", an_indicator(), link)
    (thing,) = (await as_seen(hub, link["id"], "soc"))["things"]
    assert thing["type"] == "relationship"
    assert {one["collection"]: one["rule"] for one in thing["kept_out"]} == {
        "public": "level", "community": "waiting reference", "network": "access",
    }  # fmt: skip
    await hub.tell("ro", malware(tlp="amber"))
    assert (await rules(hub, link["id"], "soc"))["community"] == "waiting reference"
    await hub.tell("ro", malware(at=60))
    assert "community" not in await rules(hub, link["id"], "soc")


async def test_a_report_waits_and_a_filter_leaves_out(hub: Hub) -> None:
    report = an_object("report", "p", name="p", published=moment(), object_refs=[malware()["id"]])
    await hub.tell("ro", report)
    assert (await rules(hub, report["id"]))["community"] == "waiting reference"
    await hub.registry.collections.add("iocs", tlp="green", group="community", types=["indicator"], min_confidence=50)
    await hub.tell("ro", an_indicator(confidence=40), malware())
    assert (await rules(hub, ADDRESS))["iocs"] == "filter"
    assert (await rules(hub, malware()["id"]))["iocs"] == "filter"


async def test_of_a_contested_id_the_rule_and_the_pin_that_decide_are_told(hub: Hub) -> None:
    await hub.tell("ro", malware(name="of ro", tlp="green"))
    await hub.tell("it", malware(name="of it", tlp="green"))
    await hub.registry.collections.add("maps", tlp="green", group="community", types=["indicator"])
    await hub.settle()
    (thing,) = (await as_seen(hub, malware()["id"], "soc"))["things"]
    (maps,) = [one for one in thing["kept_out"] if one["collection"] == "maps"]
    assert (maps["rule"], [one["rule"] for one in maps["claims"]]) == ("filter", ["owner"])
    (loser,) = [one["centre"] for one in maps["claims"]]
    await hub.registry.pins.add(malware()["id"], loser)
    await hub.settle()
    (thing,) = (await as_seen(hub, malware()["id"], "soc"))["things"]
    (maps,) = [one for one in thing["kept_out"] if one["collection"] == "maps"]
    assert [one["rule"] for one in maps["claims"]] == ["pin"]
    assert [one["centre"] for one in maps["claims"]] != [loser]


async def test_what_goes_along_is_unused(hub: Hub) -> None:
    definition = an_object(
        "marking-definition", "d", modified=None, tlp=None, definition_type="statement", definition={"statement": "x"}
    )
    await hub.tell("ro", definition)
    assert set((await rules(hub, definition["id"])).values()) == {"unused"}


async def test_only_operators_ask_as_somebody_and_unknown_names_are_told(hub: Hub) -> None:
    await hub.operator()
    await hub.tell("ro", an_indicator())
    for who, reader, status, code in (
        ("ro", "soc", 403, "auth.operator-only"),
        ("soc", "soc", 403, "auth.operator-only"),
        (None, "soc", 401, "auth.missing"),
        ("ops", "nobody-here", 404, "principal.unknown"),
    ):
        answer = await hub.get(f"/v1/explain/{ADDRESS}", who, params={"as": reader})
        assert (answer.status_code, answer.json()["code"]) == (status, code)
    both = await hub.get(f"/v1/explain/{ADDRESS}", "ops", params={"as": "soc", "at": 1, "collection": "community"})
    assert (both.status_code, both.json()["code"]) == (400, "explain.both")
    nothing = await hub.get("/v1/explain/198.51.100.99", "ops", params={"as": "soc"})
    assert (nothing.status_code, nothing.json()["code"]) == (404, "explain.unknown")


async def test_a_suspended_reader_reads_what_anybody_reads(hub: Hub) -> None:
    await hub.tell("ro", an_indicator())
    await hub.registry.principals.suspend("soc", PrincipalKind.MEMBER)
    assert (await rules(hub, ADDRESS, "soc"))["community"] == "access"


async def test_of_two_relationships_under_one_id_each_is_told_its_own_rule(hub: Hub) -> None:
    """That of the first is found later, since its marking must be read before."""
    ends = {"source_ref": an_indicator()["id"], "target_ref": malware()["id"]}
    marking = an_object("marking-definition", "m", definition_type="statement", definition={"statement": "x"})
    marked = {"object_marking_refs": [TLP["green"], marking["id"]]}
    link = an_object("relationship", "r", relationship_type="indicates", **ends)
    await hub.tell("ro", marking, {**link, **marked})
    await hub.tell("it", link | {"object_marking_refs": [TLP["amber"]]})
    found = (await as_seen(hub, link["id"], "soc"))["things"]
    said = [
        (claim["centre"], one["rule"], claim["rule"])
        for thing in found
        for one in thing["kept_out"]
        if one["collection"] == "community"
        for claim in one["claims"]
    ]
    assert said == [("ro", "waiting reference", "waiting reference"), ("it", "level", "level")]
