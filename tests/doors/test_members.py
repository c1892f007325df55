"""Members send sightings, opinions and notes through the doors of centres, and read what became of them."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio

from hub.core.merge.references import object_key
from hub.log.port import Record
from hub.model.principals import PrincipalKind
from hub.model.record_headers import headers_of
from hub.registry.centres import Terms
from tests.doors.hubs import Hub, a_hub
from tests.story import an_indicator, an_object, malware, moment

SEEN = malware("seen")


@pytest_asyncio.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with a_hub(tmp_path) as made:
        await made.centre("ro")
        await made.centre("it", country="IT")
        await made.member("soc")
        await made.member("bank")
        await made.tell("ro", SEEN)
        yield made


def a_sighting(name: str = "s", **more: Any) -> dict[str, Any]:
    return an_object("sighting", name, **{"sighting_of_ref": SEEN["id"], "first_seen": moment(-600), **more})


def an_opinion(name: str = "o", **more: Any) -> dict[str, Any]:
    said = {"opinion": "strongly-disagree", "object_refs": [SEEN["id"]], "labels": ["false-positive"]}
    return an_object("opinion", name, **{**said, **more})


def a_note(name: str = "n", **more: Any) -> dict[str, Any]:
    return an_object("note", name, **{"content": "Seen in our mail.", "object_refs": [SEEN["id"]], **more})


async def shown(hub: Hub, collection: str, kind: str) -> list[dict[str, Any]]:
    answer = await hub.get(await hub.objects_url(collection), "ro", params={"match[type]": kind})
    assert answer.status_code == 200, answer.text
    return list(answer.json().get("objects", []))


async def test_what_a_member_sends_is_shown_to_those_who_may_see_it(hub: Hub) -> None:
    receipt = await hub.tell("soc", a_sighting(), an_opinion(), a_note())
    assert (receipt["state"], receipt["accepted"], receipt["problems"]) == ("complete", 3, [])
    for kind in ("sighting", "opinion", "note"):
        assert len(await shown(hub, "community", kind)) == 1


async def test_what_a_member_leaves_unmarked_goes_where_that_of_its_centre_goes(hub: Hub) -> None:
    await hub.tell("soc", a_sighting(tlp=None))
    assert await shown(hub, "community", "sighting") == []
    assert len(await shown(hub, "network", "sighting")) == 1
    await hub.registry.groups.add("east")
    await hub.registry.centres.set("ro", Terms(amber_to=["east"]))
    await hub.settle()
    assert await shown(hub, "network", "sighting") == []


@pytest.mark.parametrize(
    "obj",
    [
        an_indicator(),
        malware("theirs"),
        an_indicator(revoked=True),
        malware("theirs", revoked=True),
        an_object("marking-definition", "m", definition_type="statement", definition={"statement": "Ask"}),
        an_object("x-report", "x"),
    ],
    ids=lambda obj: f"{obj['type']}{' revoked' if obj.get('revoked') else ''}",
)
async def test_a_member_sends_nothing_but_sightings_opinions_and_notes(hub: Hub, obj: dict[str, Any]) -> None:
    before = (await hub.get(await hub.objects_url("network"), "ro")).content
    receipt = await hub.tell("soc", obj)
    assert [(one["id"], one["state"], one["code"]) for one in receipt["problems"]] == [
        (obj["id"], "rejected", "type.not-yours")
    ]
    assert (await hub.get(await hub.objects_url("network"), "ro")).content == before


async def test_a_revoked_version_by_a_member_of_what_a_centre_claims_revokes_nothing(hub: Hub) -> None:
    await hub.tell("soc", SEEN | {"revoked": True, "modified": moment(60)})
    assert [one.get("revoked", False) for one in await shown(hub, "community", "malware")] == [False]


async def test_a_member_takes_back_its_own_and_only_that(hub: Hub) -> None:
    await hub.tell("ro", a_sighting("theirs"))
    await hub.tell("soc", a_sighting("mine"))
    assert len(await shown(hub, "community", "sighting")) == 2
    for name in ("theirs", "mine"):
        assert (await hub.withdraw("soc", a_sighting(name)["id"]))["received"] == 1
    assert [one["id"] for one in await shown(hub, "community", "sighting")] == [a_sighting("theirs")["id"]]


async def test_a_receipt_and_rejections_are_a_members_own(hub: Hub) -> None:
    taken = await hub.push("soc", an_indicator(), a_sighting())
    await hub.settle()
    for other in ("bank", "ro"):
        assert (await hub.get(f"/v1/receipts/{taken['receipt']}", other)).status_code == 404
        assert await rejections(hub, other) == []
    (mine,) = await rejections(hub, "soc")
    assert (mine["seq"], mine["centre"], mine["code"], mine["index"]) == (1, "soc", "type.not-yours", 0)
    assert taken["receipt"].startswith(mine["receipt"])


async def rejections(hub: Hub, who: str) -> list[dict[str, Any]]:
    answer = await hub.get("/v1/rejections", who)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["rejections"])


async def told(hub: Hub, who: str, receipt: str) -> list[Any]:
    """All that a member is told of a push, but for the receipt's text, which is random."""
    answers: list[httpx.Response] = [
        await hub.get(path, who) for path in (f"/v1/receipts/{receipt}", "/v1/rejections", "/v1/status")
    ]
    uid = receipt.partition("-")[0]
    bodies = [one.text.replace(receipt, "receipt").replace(uid, "uid") for one in answers]
    return [len(receipt), bodies[0], bodies[1], answers[2].json()["centres"]]


async def test_a_member_learns_nothing_of_what_other_members_send(tmp_path: Path) -> None:
    """The members share a topic: no position in it, no count of it, no number of rejections."""
    found = []
    for number in (0, 3):
        async with a_hub(tmp_path / str(number)) as hub:
            await hub.centre("ro")
            await hub.member("soc")
            await hub.member("bank")
            if number:
                await hub.push("bank", *(an_indicator(f"198.51.100.{i}") for i in range(number)))
            taken = await hub.push("soc", an_indicator(), a_sighting())
            waiting = await told(hub, "soc", taken["receipt"])
            await hub.settle()
            found.append([waiting, await told(hub, "soc", taken["receipt"])])
            inside = base64.urlsafe_b64decode(taken["receipt"].partition("-")[2] + "==")
            assert (number + 2).to_bytes(8) not in inside
    assert found[0] == found[1]


async def test_suspending_a_member_hides_what_it_sent_and_resuming_brings_it_back(hub: Hub) -> None:
    await hub.tell("soc", a_sighting())
    await hub.registry.principals.suspend("soc", PrincipalKind.MEMBER)
    await hub.settle()
    assert await shown(hub, "community", "sighting") == []
    body = {"content": b"{}", "headers": {"content-type": "application/json"}}
    assert (await hub.post("/v1/intake", "soc", **body)).status_code == 401
    await hub.registry.principals.resume("soc", PrincipalKind.MEMBER)
    await hub.settle()
    assert len(await shown(hub, "community", "sighting")) == 1


async def test_what_a_member_sent_before_it_was_suspended_is_taken_and_hidden(hub: Hub) -> None:
    await hub.push("soc", a_sighting())
    await hub.registry.principals.suspend("soc", PrincipalKind.MEMBER)
    await hub.settle()
    assert await shown(hub, "community", "sighting") == []
    await hub.registry.principals.resume("soc", PrincipalKind.MEMBER)
    await hub.settle()
    assert len(await shown(hub, "community", "sighting")) == 1


async def test_a_member_that_chose_so_is_shown_by_its_name_and_otherwise_like_a_centre_without_one(hub: Hub) -> None:
    await hub.centre("pl", country="PL", naming="anonymous")
    await hub.member("clinic", naming="named")
    principals = (await hub.registry.access.snapshot()).principals
    for who in ("pl", "soc", "clinic"):
        await hub.tell(who, a_sighting(who, created_by_ref=principals[who].identity))
    names = {one["id"]: one["name"] for one in await shown(hub, "community", "identity")}
    authors = [names[one["created_by_ref"]] for one in await shown(hub, "community", "sighting")]
    assert sorted(authors) == ["clinic", "ctihub", "ctihub"]
    of_hub = [one for one in await shown(hub, "community", "sighting") if names[one["created_by_ref"]] == "ctihub"]
    alike = [{k: v for k, v in one.items() if k not in {"id", "created", "modified"}} for one in of_hub]
    assert len(alike) == 2
    assert alike[0] == alike[1]
    everything = (await hub.get(await hub.objects_url("network"), "ro")).text
    for who in ("soc", "pl"):
        assert str(principals[who].identity) not in everything


async def test_a_member_becomes_named_and_anonymous_again_and_all_that_names_it_follows(hub: Hub) -> None:
    identity = str((await hub.registry.access.snapshot()).principals["soc"].identity)
    await hub.tell("soc", a_note(created_by_ref=identity))
    await hub.tell("ro", a_sighting("theirs", where_sighted_refs=[identity]))

    async def names_it() -> list[bool]:
        found = [one for kind in ("identity", "note", "sighting") for one in await shown(hub, "community", kind)]
        return [identity in str(one) for one in found if one["type"] != "identity" or one["id"] == identity]

    for naming, expected in (("named", [True, True, True]), ("anonymous", [False, False]), ("named", [True] * 3)):
        await hub.registry.members.set("soc", naming=naming)
        await hub.settle()
        assert await names_it() == expected


async def test_only_the_hub_says_whose_a_record_of_the_members_is(hub: Hub) -> None:
    """A centre writes its own topic by itself: a header with a name there changes nothing."""
    await hub.push("soc", a_sighting("first"))
    headers = (*headers_of("f" * 24, 0), ("source", b"soc"))
    await hub.log.append("intake.ro", [Record(None, orjson.dumps(a_note("of ro")), headers)])  # type: ignore[arg-type]
    for source in (None, b"ro", b"stranger", b"\xff"):
        more = () if source is None else (("source", source),)
        record = Record(None, orjson.dumps(a_sighting("nobody's")), (*headers_of("e" * 24, 0), *more))
        await hub.log.append("intake.members", [record])  # type: ignore[arg-type]
    await hub.settle()
    await hub.operator()
    found = await rejections(hub, "ops")
    assert [(one["code"], one["topic"], one["offset"]) for one in found] == [
        ("record.of-nobody", "intake.members", offset) for offset in (1, 2, 3, 4)
    ]
    assert [one["id"] for one in await shown(hub, "community", "note")] == [a_note("of ro")["id"]]
    claims = await hub.store.things.claims_about([object_key(a_note("of ro")["id"])])
    assert [claim.source for claim in claims] == [1]
    assert len(await shown(hub, "community", "sighting")) == 1


async def test_an_operator_sees_the_members_as_one_and_a_member_only_itself(hub: Hub) -> None:
    await hub.push("soc", a_sighting(), an_indicator())
    await hub.push("bank", a_note())
    await hub.operator()

    async def status(who: str) -> list[Any]:
        rows = (await hub.get("/v1/status", who)).json()["centres"]
        return [(one["centre"], one["flow"]["accepted"], one["flow"]["rejected"], one["lag"]) for one in rows]

    assert (await status("ops"))[1:] == [("ro", 1, 0, 0), ("members", 0, 0, 3)]
    await hub.settle()
    assert (await status("ops"))[2] == ("members", 2, 1, 0)
    assert await status("soc") == [("soc", 1, 1, None)]
    (own,) = (await hub.get("/v1/status", "soc")).json()["centres"]
    assert (own["last_code"], own["last_received"]) == ("type.not-yours", None)


async def test_a_log_of_a_members_rejections_begins_with_the_first_and_no_relay_reads_it(hub: Hub) -> None:
    assert await hub.store.logs.number("rejections.soc") is None
    await hub.tell("soc", an_indicator())
    assert await hub.store.logs.number("rejections.soc") is not None
    names = {end.name for end in (await hub.store.logs.ends()).values()}
    assert {"rejected.ro", "rejections"} <= names
    assert not [name for name in names if "soc" in name]
