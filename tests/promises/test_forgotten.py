"""What an operator has had erased is nowhere any more, and does not come back."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from hub.core.step import StepSettings
from hub.forgetting import Eraser
from hub.model.claims import Change
from hub.model.forgettings import Forgetting, Request
from hub.model.principals import PrincipalKind
from hub.model.times import DAY_US, from_us
from hub.model.words import StixId
from hub.questions.verify import verified
from hub.rebuild import Repairs
from hub.store.erasing_port import ErasablePart, Search
from hub.store.port import Filter
from tests.doors.hubs import Hub, a_hub, an_indicator
from tests.servers.postgres import PostgresServer
from tests.stores import a_log, rows_of_log
from tests.story import Story, an_object, bytes_of, malware
from tests.traces import traces_in, traces_in_folder, traces_in_tables

MAIL = "alice.muster@mail.example"
QUOTED = MAIL.replace("@", "%40")
NAME = "Alice Muster-Example"
ADDRESS = "2001:db8:77::a11c"
TAXII = {"accept": "application/taxii+json;version=2.1"}
REQUEST = Request("dpo", "erasure was asked for", "case 7")


@pytest.fixture(params=["sqlite", "postgres"])
async def hub(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Hub]:
    """A hub on each store, with two centres and a member."""
    database = request.getfixturevalue("migrated_url") if request.param == "postgres" else None
    async with a_hub(tmp_path, database=database, hold=_hold) as found:
        for name in ("ro", "it"):
            await found.centre(name, default_tlp="green")
        await found.member()
        yield found


def _hold(obj: dict[str, Any], *_: object) -> Any:
    from hub.core.hold import Hit
    from hub.model.problems import Code, Problem

    if obj.get("name") != "hold me":
        return None
    return Hit(Problem(Code.LIST_HIT, "", f"{obj['pattern']} is on a list."), "list")


def eraser(hub: Hub) -> Eraser:
    return Eraser(hub.store, hub.log, StepSettings(), hub.clock)


async def forget(hub: Hub, value: str, **more: Any) -> Forgetting:
    its = eraser(hub)
    return await its.run(await its.remember(await its.look_up(value), REQUEST, **more))


async def traces(hub: Hub, folder: Path, value: str) -> list[str]:
    """What of a value is in the files, and in the tables where these are not files of the hub."""
    found = traces_in_folder(folder, value)
    if not (folder / "hub.db").exists():
        async with hub.store.reading() as conn:
            found += await traces_in_tables(conn, value)
    return found


def an_address(value: str, name: str = "", /, **more: Any) -> dict[str, Any]:
    return an_indicator(f"[email-addr:value = '{value}']", name or value, **more)


async def everything_about_a_person(hub: Hub) -> None:
    """A person's mail address and name wherever a hub keeps something."""
    mail = an_address(MAIL, description=f"Phishing by {NAME}")
    family = malware(description=f"Written by {NAME}, write to alice.muster[at]mail[.]example")
    observable = {"type": "email-addr", "spec_version": "2.1", "id": "email-addr--0d3c2f5e-1b1c-5d1e-9a51-4e8a0e4c9a11"}
    other = an_indicator("203.0.113.9", "other")
    link = an_object("relationship", "r", relationship_type="indicates", source_ref=mail["id"], target_ref=family["id"])
    await hub.tell("ro", mail, family, observable | {"value": MAIL.upper()}, other, link)
    await hub.tell("it", an_address(MAIL.upper(), "it 1"), an_indicator("198.51.100.3", "it 2", labels=[NAME]))
    await hub.tell("ro", mail | {"modified": "2026-01-01T00:00:09.000Z", "description": "newer"})
    await hub.tell(
        "ro",
        an_address(MAIL, "held", name="hold me"),
        b'{"type": "indicator", "description": "' + MAIL.encode() + b'"}',
    )
    await hub.tell(
        "ro", {"type": "indicator", "name": f"url of {MAIL}".replace("@", "%40"), "id": f"indicator--{MAIL}"}
    )
    await hub.push("soc", an_object("note", "n", content=f"ask {NAME}", object_refs=[family["id"]]))
    await hub.settle()
    note = an_object("note", "gone", content=f"{MAIL} was here", object_refs=[other["id"]])
    await hub.tell("ro", note)
    await hub.withdraw("ro", note["id"])


async def test_nothing_of_a_person_is_left_in_any_byte(hub: Hub, tmp_path: Path) -> None:
    await everything_about_a_person(hub)
    assert await traces(hub, tmp_path, MAIL)
    assert await traces(hub, tmp_path, NAME)
    found = [await forget(hub, MAIL), await forget(hub, NAME)]
    assert await traces(hub, tmp_path, MAIL) == []
    assert await traces(hub, tmp_path, NAME) == []
    for one in found:
        assert one.what is None
        assert one.done_us is not None
    assert found[0].counts.claims == 4  # two indicators, an observable, the malware
    assert found[1].counts.claims == 2  # an indicator with the label, the note
    assert min(found[0].counts.versions, found[0].counts.held, found[0].counts.rejections, found[0].counts.records) > 0
    assert await verified(hub.store) == []
    assert sorted(await _shown(hub, "community")) == ["[ipv4-addr:value = '203.0.113.9']"]


async def test_a_status_no_longer_names_what_was_erased(hub: Hub, tmp_path: Path) -> None:
    mail, other = an_address(MAIL), an_indicator("203.0.113.9", "other")
    wrong = {"type": "indicator", "id": "indicator--x", "description": f"to {MAIL}"}
    headers = {"content-type": "application/taxii+json"}
    collections = (await hub.get("/root/collections/", "ro")).json()["collections"]
    url = next(f"/root/collections/{one['id']}/objects/" for one in collections if one["can_write"])
    answer = await hub.post(url, "ro", json={"objects": [mail, other, wrong]}, headers=headers)
    await hub.settle()
    await forget(hub, MAIL)
    await hub.log.clean()
    assert await traces(hub, tmp_path, MAIL) == []
    told = (await hub.get(f"/root/status/{answer.json()['id']}/", "ro")).json()
    assert (told["status"], told["success_count"], told["failure_count"]) == ("complete", 2, 1)
    assert [one["id"] for one in told["successes"]] == ["objects/0", other["id"]]
    assert [one["id"] for one in told["failures"]] == ["objects/2"]


async def test_numbers_and_dates_stay_and_members_are_told_by_a_withdrawal(hub: Hub) -> None:
    await everything_about_a_person(hub)
    community = (await hub.collection("community")).no
    before = await rows_of_log(hub.store, community)
    withdrawn = {row.object_id for row in before if row.withdrawn}
    gone = {row.object_id for row in before if MAIL.encode() in row.body.lower()} - withdrawn
    await forget(hub, MAIL)
    after = await rows_of_log(hub.store, community)
    assert [(row.seq, row.date_added_us, row.object_id) for row in after[: len(before)]] == [
        (row.seq, row.date_added_us, row.object_id) for row in before
    ]
    told = [row.object_id for row in after[len(before) :] if row.withdrawn]
    assert gone <= set(told)
    assert all(row.withdrawn and not row.body for row in after if row.object_id in gone)
    assert all(not row.withdrawn for row in after if "203.0.113.9" in row.body.decode())


@pytest.mark.parametrize("again", [
    an_address("Alice.Muster@MAIL.example", "again"),
    an_address("x", "again", pattern=f"[ email-addr:value IN ('{MAIL}') ]"),
    malware("again", description="mail alice.muster(at)mail.example!"),
    an_indicator("203.0.113.7", "again", external_references=[{"source_name": "x", "url": f"mailto:{QUOTED}"}]),
])  # fmt: skip
async def test_what_was_erased_is_refused_in_every_spelling(hub: Hub, tmp_path: Path, again: dict[str, Any]) -> None:
    await hub.tell("ro", an_address(MAIL))
    await forget(hub, MAIL)
    receipt = await hub.tell("it", again)
    assert [(one["state"], one["code"], one["id"]) for one in receipt["problems"]] == [
        ("rejected", "value.forgotten", None)
    ]
    rejections = (await hub.get("/v1/rejections", "it")).json()
    assert not any(traces_in(json.dumps(said).encode(), MAIL) for said in (receipt, rejections))
    await eraser(hub).erase_unwanted()
    await hub.log.clean()
    assert await traces(hub, tmp_path, MAIL) == []
    assert await verified(hub.store) == []


async def test_other_values_are_not_refused(hub: Hub) -> None:
    await hub.tell("ro", an_address(MAIL), an_indicator("198.51.100.7"))
    await forget(hub, MAIL)
    await forget(hub, "198.51.100.7")
    others = [
        an_address(f"m{MAIL}", "1"), an_address(f"x.{MAIL}", "2"), an_address(f"{MAIL}.org", "3"),
        an_indicator("198.51.100.77", "4"), an_indicator("198.51.100.0/24", "5"), malware("6", description="mail"),
    ]  # fmt: skip
    assert (await hub.tell("ro", *others))["accepted"] == len(others)


async def test_a_value_with_many_spellings_is_erased_in_all_of_them(hub: Hub, tmp_path: Path) -> None:
    raw = "2001:0db8:0077:0000:0000:0000:0000:A11C"
    await hub.tell("ro", an_indicator(f"[ipv6-addr:value = '{raw}']", "raw"))
    await hub.tell("it", an_indicator(f"[ipv6-addr:value = '{ADDRESS}/128']", "plain"))
    await hub.tell("it", an_indicator(f"[ipv6-addr:value = '{raw}']", "held", name="hold me"))
    await forget(hub, ADDRESS)
    for value in (ADDRESS, raw):
        assert await traces(hub, tmp_path, value) == []
    with_another = f"[ipv6-addr:value = '{raw}'] AND [domain-name:value = 'c2.example']"
    for pattern in (f"[ipv6-addr:value = '{raw}']", with_another):
        receipt = await hub.tell("ro", an_indicator(pattern, "again"))
        assert [one["code"] for one in receipt["problems"]] == ["value.forgotten"]


async def test_of_a_pattern_with_several_values_the_pattern_is_erased_and_refused(hub: Hub) -> None:
    several = "[domain-name:value = 'c2.example'] AND [ipv4-addr:value = '203.0.113.9']"
    single = an_indicator("203.0.113.9", "single")
    told = an_indicator(several, "several")
    await hub.tell("ro", told, single)
    shown = (await _shown(hub, "community"))[several]["id"]
    assert (await forget(hub, shown)).counts.claims == 1
    again = "[ipv4-addr:value = '203.0.113.9/32'] AND [ domain-name:value='C2.example' ]"
    receipt = await hub.tell("it", an_indicator(again, "again"), single)
    assert [one["code"] for one in receipt["problems"]] == ["value.forgotten"]
    assert receipt["accepted"] == 1


async def test_a_value_that_was_cut_off_in_an_excerpt_is_erased_too(hub: Hub, tmp_path: Path) -> None:
    said = b'{"type": "indicator", "name": "%b"}' % (b"x" * 468 + b" " + MAIL.encode())
    await hub.tell("ro", said)
    (told,) = (await hub.get("/v1/rejections", "ro")).json()["rejections"]
    assert told["excerpt"].endswith(MAIL[:12])
    await forget(hub, MAIL)
    (told,) = (await hub.get("/v1/rejections", "ro")).json()["rejections"]
    assert (told["excerpt"], told["code"]) == ("", "stix.required")
    assert await traces(hub, tmp_path, MAIL[:12]) == []


async def test_neither_a_replay_of_the_log_nor_a_rebuild_brings_it_back(hub: Hub, tmp_path: Path) -> None:
    await everything_about_a_person(hub)
    await forget(hub, MAIL)
    rows = await rows_of_log(hub.store, (await hub.collection("network")).no)
    async with hub.store.begin() as conn:
        await conn.execute(text("delete from positions"))
    await hub.consumer.rewind()
    await hub.settle()
    await Repairs(hub.store, StepSettings(), hub.clock).repair(await verified(hub.store))
    assert await rows_of_log(hub.store, (await hub.collection("network")).no) == rows
    assert await traces(hub, tmp_path, MAIL) == []


async def test_what_is_under_an_id_is_erased_and_what_refers_to_it_stays(hub: Hub, tmp_path: Path) -> None:
    person = an_object(
        "identity", "p", name="Somebody Secret", identity_class="individual", contact_information="Lane 7"
    )
    report = an_object(
        "report", "r", name="r", published=person["created"], object_refs=[person["id"], malware()["id"]]
    )
    await hub.tell("ro", person, malware(), report)
    await hub.tell("it", malware("of", created_by_ref=person["id"]))
    found = await forget(hub, person["id"])
    assert found.counts.claims == 1
    assert await traces(hub, tmp_path, "Somebody Secret") == []
    assert await traces(hub, tmp_path, "Lane 7") == []
    assert await verified(hub.store) == []
    receipt = await hub.tell("ro", person | {"name": "Other Name", "modified": "2026-01-01T00:01:00.000Z"})
    assert [one["code"] for one in receipt["problems"]] == ["value.forgotten"]
    rows = await rows_of_log(hub.store, (await hub.collection("community")).no)
    assert json.loads(next(row.body for row in reversed(rows) if row.object_id == report["id"]))["object_refs"] == [
        malware()["id"]
    ]


async def test_an_object_that_only_mentions_it_may_come_again_without_it(hub: Hub) -> None:
    report = malware("m", description=f"By {NAME}")
    await hub.tell("ro", report)
    await forget(hub, NAME)
    again = {**report, "description": "By somebody", "modified": "2026-01-01T00:00:30.000Z"}
    assert (await hub.tell("ro", again))["accepted"] == 1
    rows = await rows_of_log(hub.store, (await hub.collection("community")).no)
    assert [(row.withdrawn, b"somebody" in row.body) for row in rows if row.object_id == report["id"]] == [
        (True, False), (True, False), (False, True),
    ]  # fmt: skip
    assert await verified(hub.store) == []


async def test_a_revocation_counts_even_if_it_mentions_it(hub: Hub, tmp_path: Path) -> None:
    stands = malware("m", description="By somebody")
    await hub.tell("ro", stands)
    await forget(hub, NAME)
    again = {**stands, "description": f"By {NAME}", "revoked": True, "modified": "2026-01-01T00:00:30.000Z"}
    receipt = await hub.tell("ro", again)
    assert (receipt["accepted"], [one["code"] for one in receipt["problems"]]) == (1, ["revocation.lenient"])
    rows = await rows_of_log(hub.store, (await hub.collection("community")).no)
    shown = [json.loads(row.body) for row in rows if row.object_id == stands["id"]]
    assert [(one.get("revoked"), one["description"]) for one in shown] == [
        (None, "By somebody"), (True, "By somebody"),
    ]  # fmt: skip
    await eraser(hub).resume()
    await hub.log.clean()
    assert await traces(hub, tmp_path, NAME) == []
    assert await verified(hub.store) == []


async def test_a_version_that_mentions_it_withdraws_the_older_one_and_its_wider_marking(
    hub: Hub, tmp_path: Path
) -> None:
    stands = malware("m", description="By somebody", tlp="clear", at=1)
    await hub.tell("ro", stands)
    await forget(hub, NAME)
    receipt = await hub.tell("ro", malware("m", description=f"By {NAME}", tlp="amber+strict", at=2))
    assert [(one["state"], one["code"], one["id"]) for one in receipt["problems"]] == [
        ("rejected", "value.forgotten", None)
    ]
    again = await hub.tell("ro", stands)
    assert [one["code"] for one in again["problems"]] == ["withdrawal.stands"]
    for name in ("public", "community", "network"):
        rows = await rows_of_log(hub.store, (await hub.collection(name)).no)
        assert [row.withdrawn for row in rows if row.object_id == stands["id"]] == [False, True]
    rejections = (await hub.get("/v1/rejections", "ro")).text
    assert stands["id"] not in rejections
    await eraser(hub).resume()
    await hub.log.clean()
    assert await traces(hub, tmp_path, NAME) == []
    assert await verified(hub.store) == []
    assert (await hub.tell("ro", stands | {"modified": "2026-01-01T00:00:30.000Z"}))["accepted"] == 1


async def test_an_older_version_is_erased_and_its_object_stays(hub: Hub) -> None:
    versions = [malware("m", description=text, at=at) for at, text in ((1, "one"), (2, f"By {NAME}"), (3, "three"))]
    for version in versions:
        await hub.tell("ro", version)
    found = await forget(hub, NAME)
    assert (found.counts.claims, found.counts.versions) == (0, 2)  # in community and in network
    rows = await rows_of_log(hub.store, (await hub.collection("community")).no, by=Filter(versions=("all",)))
    assert [json.loads(row.body)["description"] for row in rows if row.type == "malware"] == ["one", "three"]
    url = f"{await hub.objects_url('community')}{versions[0]['id']}/?match[version]=all"
    answer = await hub.get(url, "soc", headers=TAXII)
    assert [one["description"] for one in answer.json()["objects"]] == ["one", "three"]
    assert await verified(hub.store) == []
    await hub.withdraw("ro", versions[0]["id"])
    assert (await hub.get(url, "soc", headers=TAXII)).status_code == 404


async def test_a_version_that_is_shown_because_the_next_is_put_off_is_replaced_and_erased(
    hub: Hub, tmp_path: Path
) -> None:
    await hub.registry.settings.set("pace", "3600s")
    told = an_indicator("203.0.113.9", "o", description=f"By {NAME}")
    await hub.tell("ro", told)
    await hub.tell("ro", told | {"description": "By somebody", "modified": "2026-01-01T00:00:30.000Z"})
    assert NAME in (await _shown(hub, "community"))[told["pattern"]]["description"]
    await forget(hub, NAME)
    assert (await _shown(hub, "community"))[told["pattern"]]["description"] == "By somebody"
    assert await traces(hub, tmp_path, NAME) == []
    assert await verified(hub.store) == []


async def test_closing_versions_can_stay_for_taxii_clients_for_some_time(hub: Hub, tmp_path: Path) -> None:
    await hub.tell("ro", an_address(MAIL))
    found = await forget(hub, MAIL, notice_us=DAY_US)
    assert found.is_waiting
    answer = await hub.get(await hub.objects_url("community"), "soc", headers=TAXII)
    closing = [one for one in answer.json()["objects"] if one["type"] == "indicator"]
    assert [(one["revoked"], MAIL in one["pattern"]) for one in closing] == [(True, True)]
    assert await eraser(hub).resume() == []
    hub.clock.us += DAY_US
    (done,) = await eraser(hub).resume()
    assert done.done_us is not None
    assert await traces(hub, tmp_path, MAIL) == []


async def test_what_was_not_there_is_refused_all_the_same_until_that_is_lifted(hub: Hub) -> None:
    found = await forget(hub, MAIL)
    assert found.counts.total == 0
    assert (await hub.tell("ro", an_address(MAIL)))["rejected"] == 1
    await eraser(hub).lift(found.no)
    assert (await hub.tell("ro", an_address(MAIL)))["accepted"] == 1


async def test_what_comes_again_after_it_was_lifted_is_never_shown_under_an_id_of_before(
    hub: Hub, tmp_path: Path
) -> None:
    told, other, seen = an_address(MAIL), an_indicator("203.0.113.9", "other"), set[StixId]()
    await hub.tell("ro", told, other)
    for at in (10, 20):  # it goes and comes back: its last generation is the third
        await hub.withdraw("ro", told["id"], soft=True)
        await hub.tell("ro", told | {"modified": f"2026-01-01T00:00:{at}.000Z"})
    kept = await _shown_in_all(hub, other["pattern"])
    for _ in range(3):
        before = {row.object_id for row in await _rows_of_indicators(hub)} - kept
        shown = await _shown_in_all(hub, told["pattern"])
        assert len(shown) == len(_WIDE)
        assert shown <= before
        assert seen <= before - shown
        seen = before
        request = await forget(hub, MAIL)
        assert await traces(hub, tmp_path, MAIL) == []
        await eraser(hub).lift(request.no)
        assert (await hub.tell("it", told))["accepted"] == 1
        assert await verified(hub.store) == []
    assert await _shown_in_all(hub, other["pattern"]) == kept
    async with hub.store.begin() as conn:
        await conn.execute(text("delete from views where type = 'indicator'"))
    again = await _shown_in_all(hub, told["pattern"])
    await Repairs(hub.store, StepSettings(), hub.clock).repair(await verified(hub.store))
    assert await _shown_in_all(hub, told["pattern"]) == again
    assert await verified(hub.store) == []


async def test_what_was_lifted_is_not_searched_any_more(hub: Hub) -> None:
    await hub.tell("ro", an_address(MAIL))
    its = eraser(hub)
    what = await its.look_up(MAIL)
    no = await its.remember(what, REQUEST)
    await its.lift(no)
    async with hub.store.erasing.transaction() as tx:
        for part in ErasablePart:
            assert await tx.erase(part, Search(no, what, StepSettings().limits, hub.clock()), b"", 10) is None
    assert f"[email-addr:value = '{MAIL}']" in await _shown(hub, "community")
    assert (await its.requests())[0].counts.total == 0


@pytest.mark.parametrize("lifted", [0, 1])
async def test_one_lift_is_enough_however_often_a_value_was_named(hub: Hub, lifted: int) -> None:
    other = malware(description=f"by {NAME}")
    await hub.tell("ro", an_address(MAIL), other)
    waiting = await forget(hub, MAIL, notice_us=DAY_US)
    assert waiting.is_waiting
    numbers = [waiting.no, (await forget(hub, MAIL.upper())).no]
    name = await forget(hub, NAME)
    found = await eraser(hub).lift(numbers[lifted])
    assert [(one.no, one.what, one.lifted_us is not None) for one in found] == [(no, None, True) for no in numbers]
    assert (await hub.tell("ro", an_address(MAIL)))["accepted"] == 1
    assert (await hub.tell("ro", other))["rejected"] == 1  # another value is another request
    assert [one.no for one in await eraser(hub).lift(name.no)] == [name.no]
    assert (await hub.tell("ro", other))["accepted"] == 1


async def test_a_request_that_names_another_value_too_goes_on_refusing_that_one(hub: Hub) -> None:
    told = an_address(MAIL, "moves")
    await hub.tell("ro", told)
    await hub.tell("it", told | {"pattern": "[email-addr:value = 'second@mail.example']"})
    both = await forget(hub, told["id"])
    mail = await forget(hub, MAIL)
    assert [one.no for one in await eraser(hub).lift(mail.no)] == [mail.no]
    receipt = await hub.tell("ro", an_address(MAIL, "1"), an_address("second@mail.example", "2"))
    assert [(one["index"], one["code"]) for one in receipt["problems"]] == [(1, "value.forgotten")]
    assert [one.no for one in await eraser(hub).lift(both.no)] == [both.no]
    assert (await hub.tell("ro", an_address("second@mail.example", "2")))["accepted"] == 1


async def test_work_that_is_left_stays_whatever_words_say_it(hub: Hub) -> None:
    """The tasks of a hub are no content of anybody."""
    await hub.registry.principals.suspend("ro", PrincipalKind.CENTRE)
    left = "select no, task from tasks order by no"
    async with hub.store.reading() as conn:
        before = (await conn.execute(text(left))).all()
    assert len(before) > 1
    for word in ("kind", "suspended", "recompute", "setdate"):
        await forget(hub, word)
    async with hub.store.reading() as conn:
        assert (await conn.execute(text(left))).all() == before


async def test_what_earlier_requests_say_of_it_is_erased_too(hub: Hub, tmp_path: Path) -> None:
    its = eraser(hub)
    said = Request("dpo", f"{NAME} has asked", f"mail of {NAME}")
    await its.run(await its.remember(await its.look_up(MAIL), said))
    waiting = await forget(hub, NAME, notice_us=DAY_US)
    assert waiting.is_waiting
    await forget(hub, NAME)
    await its.resume()
    assert await traces(hub, tmp_path, NAME) == []
    requests = await its.requests()
    assert [(one.request.who, one.what) for one in requests] == [("dpo", None)] * 3
    assert requests[0].request.case is not None


async def test_what_is_allowed_again_while_closing_versions_stay_is_not_erased_later(hub: Hub) -> None:
    await hub.tell("ro", an_address(MAIL))
    waiting = await forget(hub, MAIL, notice_us=DAY_US)
    await eraser(hub).lift(waiting.no)
    assert (await hub.tell("it", an_address(MAIL, "again")))["accepted"] == 1
    hub.clock.us += DAY_US
    await eraser(hub).resume()
    assert f"[email-addr:value = '{MAIL}']" in await _shown(hub, "community")
    assert [one.done_us is not None for one in await eraser(hub).requests()] == [True]


async def test_a_value_that_a_message_cut_off_is_erased_when_its_record_is_gone(hub: Hub, tmp_path: Path) -> None:
    url = f"https://portal.example/a-long-way/to/the-list/of/{MAIL} "
    pushed = an_indicator("203.0.113.8", "cut", valid_from=url)
    cut_off = b'{"type": "indicator", "name": "%b"}' % (b"x" * 468 + b" " + MAIL.encode())
    unseen = an_indicator("203.0.113.8", "escaped", valid_from="J\u00f6rg\tM\u00fcller-Example")
    receipt = await hub.tell("ro", pushed, cut_off, unseen)
    assert f"/{MAIL[:8]}" in receipt["problems"][0]["message"]
    async with hub.store.begin() as conn:
        await conn.execute(text("delete from held"))
    await hub.log.trim(await hub.store.all_positions(), older_than=from_us(2**52))
    await hub.log.clean()
    await forget(hub, MAIL)
    await forget(hub, "J\u00f6rg M\u00fcller-Example")
    for value in (MAIL[:8], "ller-Example"):
        assert await traces(hub, tmp_path, value) == []


async def test_the_name_of_a_property_says_it_too(hub: Hub, tmp_path: Path) -> None:
    await hub.tell("ro", an_indicator("203.0.113.8", "p", **{MAIL: 1}))
    assert await traces(hub, tmp_path, MAIL)
    await forget(hub, MAIL)
    assert await traces(hub, tmp_path, MAIL) == []


async def test_under_an_id_the_thing_of_a_short_value_is_erased_by_its_key(hub: Hub) -> None:
    for said in ("[ipv6-addr:value = '::1']", "[ipv6-addr:value = '::2']"):
        await hub.tell("ro", an_indicator(said, said))
    shown = (await _shown(hub, "community"))["[ipv6-addr:value = '::1']"]["id"]
    assert (await forget(hub, shown)).counts.claims == 1
    again = [an_indicator(f"[ipv6-addr:value = '::{n}']", f"again {n}") for n in (1, 2)]
    receipt = await hub.tell("it", *again)
    assert [(one["index"], one["code"]) for one in receipt["problems"]] == [(0, "value.forgotten")]


async def test_the_history_tells_who_why_and_how_much(hub: Hub) -> None:
    await hub.tell("ro", an_address(MAIL))
    await forget(hub, MAIL)
    async with hub.store.reading() as conn:
        said = (await conn.execute(text("select body from policy_changes order by no desc limit 2"))).scalars().all()
    erased, asked = (json.loads(one)["value"] for one in said)
    assert asked == {"no": 1, "who": "dpo", "reason": "erasure was asked for", "case": "case 7"}
    assert erased["counts"]["claims"] == 1


async def test_a_member_sees_the_same_rows_as_after_any_withdrawal(tmp_path: Path) -> None:
    """Byte for byte, from the withdrawal on, as long as the closing versions are there."""
    logs = []
    for name in ("forgotten", "withdrawn"):
        story = await Story.begin(tmp_path / name)
        log = await a_log(tmp_path / name / "log.db")
        ro = await story.centre("ro")
        await story.batch((ro, an_address(MAIL)), (ro, malware()))
        begun = len(await story.log("community"))
        if name == "withdrawn":
            await story.batch((ro, an_address(MAIL)["id"]))
        else:
            story.now_us += 1_000_000
            its = Eraser(story.store, log, StepSettings(), lambda at=story.now_us: at)  # type: ignore[misc]
            await its.run(await its.remember(await its.look_up(MAIL), REQUEST, notice_us=DAY_US))
        await story.batch((ro, malware("later")))
        logs.append(bytes_of(await story.log("community"))[begun:])
        await story.close()
        await log.close()
    assert logs[0] == logs[1]


async def test_claims_that_a_member_does_not_see_change_nothing_of_what_it_sees(tmp_path: Path) -> None:
    logs = []
    for name in ("alone", "with others"):
        story = await Story.begin(tmp_path / name)
        log = await a_log(tmp_path / name / "log.db")
        ro, it = await story.centre("ro"), await story.centre("it")
        mine = [an_indicator(f"198.51.100.{n}", f"mine {n}", description=f"by {NAME}") for n in range(9)]
        hidden = [
            an_indicator(f"198.51.100.{n}", f"hidden {n}", description=f"by {NAME}", tlp="amber") for n in range(5, 60)
        ]
        first, second = (await story.policy()).sources[ro.no], it
        if name == "with others":
            await story.batch(*((second, one) for one in hidden[:30]), seconds=0)
        await story.batch(*((first, one) for one in mine))
        if name == "with others":
            await story.batch(*((second, one) for one in hidden[30:]), seconds=0)
        its = Eraser(story.store, log, StepSettings(), lambda at=story.now_us: at)  # type: ignore[misc]
        await its.run(await its.remember(await its.look_up(NAME), REQUEST))
        logs.append(bytes_of(await story.log("community")))
        await story.close()
        await log.close()
    assert logs[0] == logs[1]


async def test_what_two_centres_say_of_one_thing_ends_in_one_row(hub: Hub) -> None:
    await hub.tell("ro", an_address(MAIL, "ro"))
    await hub.tell("it", an_address(MAIL, "it"))
    community = (await hub.collection("community")).no
    before = await rows_of_log(hub.store, community)
    await forget(hub, MAIL)
    after = await rows_of_log(hub.store, community)
    assert [row.withdrawn for row in after[len(before) :] if row.type == "indicator"] == [True]


async def test_postgresql_has_no_byte_of_it_in_the_files_of_its_tables(
    tmp_path: Path, own_postgres: PostgresServer, own_postgres_url: str
) -> None:
    async with a_hub(tmp_path, database=own_postgres_url) as hub:
        await hub.centre("ro", default_tlp="green")
        await hub.tell("ro", *(an_address(MAIL, str(n), description=f"by {NAME} {n}") for n in range(50)))
        async with hub.store.begin() as conn:
            await conn.execute(text("analyze"))
            files = Path((await conn.execute(text("show data_directory"))).scalar_one()) / "base"
            files /= str((await conn.execute(text(_DATABASE))).scalar_one())
        assert await _after_checkpoint(hub, files, NAME)
        await forget(hub, NAME)
        assert await _after_checkpoint(hub, files, NAME) == []


_DATABASE = "select oid from pg_database where datname = current_database()"


async def _after_checkpoint(hub: Hub, files: Path, value: str) -> list[str]:
    """What of a value is in the files of the tables: a checkpoint writes them, and deletes those that were replaced."""
    async with hub.store.reading() as conn:
        await conn.execute(text("checkpoint"))
    return traces_in_folder(files, value)


_WIDE = ("community", "network")
"""The collections in which what is green is shown."""


async def _shown_in_all(hub: Hub, pattern: str) -> set[StixId]:
    """The ids under which collections show a pattern."""
    rows = {(row.log, row.object_id): row for row in await _rows_of_indicators(hub)}
    return {row.object_id for row in rows.values() if not row.withdrawn and pattern.encode() in row.body}


async def _rows_of_indicators(hub: Hub) -> list[Change]:
    logs = [(await hub.collection(name)).no for name in _WIDE]
    return [row for no in logs for row in await rows_of_log(hub.store, no) if row.type == "indicator"]


async def _shown(hub: Hub, name: str) -> dict[str, dict[str, Any]]:
    """The indicators that a member sees, by name."""
    answer = await hub.get(await hub.objects_url(name), "soc", headers=TAXII)
    found = [one for one in answer.json().get("objects", ()) if one["type"] == "indicator" and not one.get("revoked")]
    return {one["pattern"]: one for one in found}
