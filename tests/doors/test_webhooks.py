"""Webhooks from end to end: a real hub, a real receiver, and what happens when one of them fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from standardwebhooks import Webhook as Verifier

from hub.doors.webhooks.deliverer import WebhookDelivery
from hub.doors.webhooks.places import PlaceLimits, Places
from hub.doors.webhooks.process import entering
from hub.model.principals import PrincipalKind
from tests.doors.hubs import GREEN, Hub, a_hub, addresses
from tests.doors.receivers import Answer, Arrived, Receiver, a_receiver
from tests.doors.webhook_delivery import (
    HOUR_US,
    RULES,
    a_webhook_hub,
    add,
    delivering,
    failing,
    has_failed,
    is_up_to_date,
    the_webhook,
)
from tests.waiting import until


@pytest_asyncio.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with a_webhook_hub(tmp_path) as made:
        yield made


# ---------------------------------------------------------------- managing


async def test_a_webhook_is_added_listed_and_removed(hub: Hub) -> None:
    async with a_receiver() as receiver:
        added = await add(hub, receiver, types=["indicator"], min_confidence=50)
        assert added["secret"].startswith("whsec_")
        assert added["webhook"] == await the_webhook(hub)
        assert added["webhook"]["state"] == "active"
        removed = await hub.http.delete(f"/v1/webhooks/{added['webhook']['id']}", headers=hub.auth("soc"))
        assert removed.status_code == 200
        assert (await hub.get("/v1/webhooks", "soc")).json() == {"webhooks": []}


async def test_a_principal_sees_its_own_and_an_operator_all_but_nobody_a_secret_again(hub: Hub) -> None:
    await hub.operator("ops")
    async with a_receiver() as receiver:
        added = await add(hub, receiver)
        await add(hub, receiver, "ro")
        assert len((await hub.get("/v1/webhooks", "soc")).json()["webhooks"]) == 1
        listed = await hub.get("/v1/webhooks", "ops")
        assert {one["principal"] for one in listed.json()["webhooks"]} == {"soc", "ro"}
        assert "whsec_" not in listed.text
        path = f"/v1/webhooks/{added['webhook']['id']}"
        for method, suffix in (("DELETE", ""), ("POST", "/test"), ("POST", "/resume")):
            answer = await hub.http.request(method, path + suffix, headers=hub.auth("ro"))
            assert (answer.status_code, answer.json()["code"]) == (404, "webhook.unknown")
        assert (await hub.http.delete(path, headers=hub.auth("ops"))).status_code == 200
    assert (await hub.get("/v1/webhooks")).status_code == 401


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"collection": "network", "url": "https://soc.example/"}, 404, "collection.unknown"),
        ({"collection": "nothing", "url": "https://soc.example/"}, 404, "collection.unknown"),
        ({"collection": "community", "url": "https://10.0.0.1/"}, 400, "webhook.url"),
        ({"collection": "community", "url": "https://me:pw@soc.example/"}, 400, "webhook.url"),
        ({"collection": "community"}, 400, "webhook.invalid"),
        ({"collection": "community", "url": "https://soc.example/", "colour": "red"}, 400, "webhook.invalid"),
        ({"collection": "community", "url": "https://soc.example/", "types": ["indicatr"]}, 400, "type.syntax"),
        ({"collection": "community", "url": "https://soc.example/", "kinds": ["ipv4"]}, 400, "kind.syntax"),
        ({"collection": "community", "url": "https://soc.example/", "min_confidence": 101}, 400, "webhook.invalid"),
    ],
)
async def test_a_webhook_that_cannot_be_is_refused(hub: Hub, body: dict[str, Any], status: int, code: str) -> None:
    answer = await hub.post("/v1/webhooks", "soc", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert (await hub.get("/v1/webhooks", "soc")).json() == {"webhooks": []}


async def test_the_number_of_webhooks_is_limited(tmp_path: Path) -> None:
    async with a_hub(tmp_path, targets=RULES, webhooks_each=2) as hub, a_receiver() as receiver:
        await hub.centre("ro")
        await hub.member("soc")
        for who in ("soc", "soc", "ro"):
            await add(hub, receiver, who)
        answer = await hub.post("/v1/webhooks", "soc", json={"collection": "community", "url": receiver.url})
        assert (answer.status_code, answer.json()["code"]) == (400, "webhook.too-many")


async def test_a_test_posts_one_signed_message_and_says_what_came_of_it(hub: Hub) -> None:
    async with a_receiver() as receiver:
        added = await add(hub, receiver)
        path = f"/v1/webhooks/{added['webhook']['id']}/test"
        answer = (await hub.post(path, "soc")).json()
        assert answer == {"taken": True, "status": 204, "detail": "The receiver took the message."}
        (arrived,) = receiver.arrived
        message = Verifier(added["secret"]).verify(arrived.body, arrived.headers)
        assert (message["type"], message["data"]) == ("webhook.test", {"collection": "community"})
        receiver.answer = failing(1, 302)
        assert (await hub.post(path, "soc")).json()["taken"] is False


# ---------------------------------------------------------------- delivering


async def test_changes_arrive_in_order_once_each_and_signed(hub: Hub) -> None:
    async with a_receiver() as receiver, delivering(hub):
        await hub.tell("ro", *addresses(3, object_marking_refs=GREEN))
        added = await add(hub, receiver)
        for start in range(3, 30, 3):
            await hub.tell("ro", *addresses(3, start=start, object_marking_refs=GREEN))
        end = (await hub.store.logs.head((await hub.collection("community")).no)).seq
        await until(lambda: receiver.seqs()[-1:] == [end], what="all changes to arrive")
        await until(lambda: is_up_to_date(hub), what="the position to be stored")
        assert receiver.seqs() == list(range(added["webhook"]["position"] + 1, end + 1))
        assert receiver.most_open == 1
        last = added["webhook"]["position"]
        for arrived in receiver.arrived:
            message = Verifier(added["secret"]).verify(arrived.body, arrived.headers)
            assert message["type"] == "collection.changes"
            assert message["data"]["from"] == last + 1
            last = message["data"]["to"]
    assert (await the_webhook(hub))["behind"] == 0


async def test_a_message_has_the_objects_as_the_collection_shows_them(hub: Hub) -> None:
    async with a_receiver() as receiver, delivering(hub):
        await add(hub, receiver, types=["indicator"], **{"from": "start"})
        (sent,) = addresses(1, object_marking_refs=GREEN, confidence=80)
        await hub.tell("ro", sent)
        await until(lambda: receiver.arrived, what="the first message")
        await hub.withdraw("ro", sent["id"])
        await until(lambda: len(receiver.seqs()) == 2, what="the withdrawal")
    new, gone = (change for one in receiver.arrived for change in one.message["data"]["changes"])
    shown = [one for one in await _objects(hub) if one["type"] == "indicator"]
    assert new["object"] | {"modified": 0, "revoked": True} == shown[-1] | {"modified": 0}
    assert (new["change"], new["value"], new["confidence"]) == ("new", "2001:db8::1", 80)
    assert (gone["change"], gone["id"], gone.get("value")) == ("withdrawn", new["id"], "2001:db8::1")
    assert "object" not in gone


async def _objects(hub: Hub) -> list[dict[str, Any]]:
    headers = {"accept": "application/taxii+json;version=2.1"}
    answer = await hub.get(await hub.objects_url("community"), "soc", headers=headers)
    return list(answer.json()["objects"])


async def test_an_object_that_a_filter_leaves_out_from_now_on_is_told_as_withdrawn(hub: Hub) -> None:
    async with a_receiver() as receiver, delivering(hub):
        await add(hub, receiver, types=["indicator"], min_confidence=60)
        (sure,) = addresses(1, object_marking_refs=GREEN, confidence=80)
        (unsure,) = addresses(1, start=1, object_marking_refs=GREEN, confidence=10)
        await hub.tell("ro", sure, unsure)
        doubted = {**sure, "confidence": 20, "modified": "2026-01-01T00:00:09.000Z"}
        await hub.tell("ro", doubted)
        await until(lambda: len(receiver.seqs()) == 2, what="both changes")
        await until(lambda: is_up_to_date(hub), what="the webhook to be up to date")
    told_of = [change for one in receiver.arrived for change in one.message["data"]["changes"]]
    assert [(one["change"], one["value"]) for one in told_of] == [("new", "2001:db8::1"), ("withdrawn", "2001:db8::1")]


async def test_a_failed_batch_comes_again_under_the_same_id_before_anything_else(hub: Hub) -> None:
    async with a_receiver() as receiver, delivering(hub):
        receiver.answer = failing(3)
        await add(hub, receiver)
        await hub.tell("ro", *addresses(2, object_marking_refs=GREEN))
        await until(lambda: receiver.arrived, what="the first attempt")
        await hub.tell("ro", *addresses(2, start=2, object_marking_refs=GREEN))
        for attempts in (1, 2, 3):
            await until(partial(has_failed, hub, attempts), what=f"attempt {attempts}")
            assert len(receiver.arrived) == attempts
            hub.clock.us += HOUR_US
        end = (await hub.store.logs.head((await hub.collection("community")).no)).seq
        await until(lambda: receiver.seqs()[-1] == end, what="the rest")
    first = receiver.arrived[0]
    for again in receiver.arrived[1:4]:
        assert again.body == first.body
        assert again.headers["webhook-id"] == first.headers["webhook-id"]
    assert receiver.arrived[4].seqs[0] == first.seqs[-1] + 1
    assert len({one.headers["webhook-id"] for one in receiver.arrived[3:]}) == len(receiver.arrived[3:])


async def test_after_three_days_a_webhook_is_paused_and_resume_continues_where_it_stopped(hub: Hub) -> None:
    async with a_receiver() as receiver, delivering(hub):
        receiver.answer = failing(1_000)
        added = await add(hub, receiver)
        await hub.tell("ro", *addresses(1, object_marking_refs=GREEN))
        began_us, attempts = hub.clock.us, 0
        while (shown := await the_webhook(hub))["state"] != "paused":
            if shown["attempts"] > attempts:
                attempts = shown["attempts"]
                hub.clock.us += 4 * HOUR_US
        assert hub.clock.us - began_us >= 72 * HOUR_US
        assert (shown["reason"], shown["last_failure"]) == ("unreachable", "The receiver answered 500.")
        assert shown["behind"] > 0
        arrived = len(receiver.arrived)
        receiver.answer = None
        hub.clock.us += HOUR_US
        assert (await hub.post(f"/v1/webhooks/{added['webhook']['id']}/resume", "soc")).json()["state"] == "active"
        await until(lambda: is_up_to_date(hub), what="the rest")
    assert receiver.arrived[arrived].body == receiver.arrived[0].body


async def test_a_receiver_that_is_gone_pauses_its_webhook_at_once(hub: Hub) -> None:
    async with a_receiver() as receiver, delivering(hub):
        receiver.answer = failing(1_000, 410)
        await add(hub, receiver)
        await hub.tell("ro", *addresses(1, object_marking_refs=GREEN))
        await until(lambda: _is_paused(hub), what="the pause")
        assert (await the_webhook(hub))["reason"] == "gone"
    assert len(receiver.arrived) == 1


async def _is_paused(hub: Hub, who: str = "soc") -> bool:
    return bool((await the_webhook(hub, who))["state"] == "paused")


async def test_rights_are_checked_before_each_batch(hub: Hub) -> None:
    await hub.operator("ops")
    async with a_receiver() as receiver:
        await add(hub, receiver)
        await hub.tell("ro", *addresses(1, object_marking_refs=GREEN))
        await hub.registry.principals.suspend("soc", PrincipalKind.MEMBER)
        async with delivering(hub):
            await until(lambda: _is_paused(hub, "ops"), what="the pause")
        assert (await the_webhook(hub, "ops"))["reason"] == "suspended"
    assert receiver.connections == 0


async def test_a_webhook_of_a_collection_that_was_removed_or_left_is_paused(hub: Hub) -> None:
    await hub.registry.groups.add("ours")
    await hub.registry.groups.join("ours", ["soc"])
    for name in ("ours", "theirs"):
        await hub.registry.collections.add(name, tlp="green", group="ours")
    async with a_receiver() as receiver:
        for name in ("ours", "theirs"):
            await add(hub, receiver, collection=name)
        await hub.tell("ro", *addresses(1, object_marking_refs=GREEN))
        await hub.registry.collections.remove("theirs")
        await hub.registry.groups.leave("ours", ["soc"])
        async with delivering(hub):
            await until(lambda: _reason(hub, "ours"), what="the pause of the one that was left")
        assert await _reason(hub, "ours") == "no-access"
    assert receiver.connections == 0


async def _reason(hub: Hub, collection: str) -> str | None:
    found = (await hub.get("/v1/webhooks", "soc")).json()["webhooks"]
    reason: str | None = next(one["reason"] for one in found if one["collection"] == collection)
    return reason


async def test_a_bad_receiver_does_not_delay_the_others(hub: Hub) -> None:
    forever = asyncio.Event()

    async def hang(_: Arrived) -> Answer:
        await forever.wait()
        return 200

    async with a_receiver() as good, a_receiver(answer=hang) as bad, delivering(hub):
        await add(hub, bad)
        await add(hub, good, "ro")
        for start in range(3):
            await hub.tell("ro", *addresses(1, start=start, object_marking_refs=GREEN))
        end = (await hub.store.logs.head((await hub.collection("community")).no)).seq
        await until(lambda: good.seqs()[-1:] == [end], what="the good receiver to have all")
        assert len(bad.arrived) == 1
        forever.set()


async def test_two_processes_deliver_each_batch_once(hub: Hub) -> None:
    async with a_receiver() as receiver:
        await add(hub, receiver)
        async with delivering(hub), delivering(hub):
            for start in range(5):
                await hub.tell("ro", *addresses(2, start=2 * start, object_marking_refs=GREEN))
            end = (await hub.store.logs.head((await hub.collection("community")).no)).seq
            await until(lambda: receiver.seqs()[-1:] == [end], what="all changes")
        assert receiver.seqs() == sorted(set(receiver.seqs()))


async def test_what_no_webhook_wants_is_passed_over(hub: Hub) -> None:
    async with a_receiver() as receiver, delivering(hub):
        await add(hub, receiver, types=["malware"])
        await hub.tell("ro", *addresses(3, object_marking_refs=GREEN))
        await until(lambda: is_up_to_date(hub), what="the webhook to pass")
    assert receiver.connections == 0


async def test_neither_logs_nor_the_store_have_a_secret(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    async with a_receiver() as receiver, delivering(hub):
        receiver.answer = failing(1)
        added = await add(hub, receiver)
        await hub.tell("ro", *addresses(1, object_marking_refs=GREEN))
        await until(lambda: has_failed(hub, 1), what="a failure")
        hub.clock.us += HOUR_US
        await until(lambda: is_up_to_date(hub), what="a success")
    written = "".join(capsys.readouterr())
    assert "webhook.failed" in written
    assert "webhook.sent" in written
    secret = added["secret"].removeprefix("whsec_")
    assert secret not in written
    for path in Path(hub.store._path).parent.iterdir():  # type: ignore[attr-defined]
        assert secret.encode() not in path.read_bytes() if path.is_file() else True


async def test_every_finished_attempt_is_told_in_one_place(hub: Hub) -> None:
    found: list[WebhookDelivery] = []
    async with a_receiver() as receiver, delivering(hub, finished=found.append):
        receiver.answer = failing(1)
        await add(hub, receiver)
        await hub.tell("ro", *addresses(1, object_marking_refs=GREEN))
        await until(lambda: found, what="a failure")
        hub.clock.us += HOUR_US
        await until(lambda: len(found) == 2, what="a success")
    assert [one.attempt.is_success for one in found] == [False, True]
    assert found[0].batch.body == found[1].batch.body == receiver.arrived[0].body


# ---------------------------------------------------------------- alert lanes


async def test_an_alert_is_delivered_before_backlogs_that_wait_for_longer(hub: Hub) -> None:
    """With one place for all: by order, not by time. Without alert lanes, who has had no place yet would be next."""
    await hub.registry.collections.add("alerts", tlp="green", group="community", types=["malware"], alert=True)
    no = (await hub.collection("alerts")).no
    async with a_receiver() as receiver:
        base = receiver.url

        async def add_at(path: str, **more: Any) -> None:
            receiver.url = f"{base}/{path}"
            await add(hub, receiver, **more)

        async def answer(arrived: Arrived) -> Answer:
            if arrived.path == "/hook/first" and receiver.paths.count("/hook/first") == 1:
                await add_at("second", types=["indicator"], **{"from": "start"})
                await hub.tell("ro", {**A_MALWARE, "modified": "2026-01-01T00:00:09.000Z", "name": "Wiper 2"})
                end = (await hub.store.logs.head(no)).seq
                await until(lambda: hub.doors.log_watch.seq(no) == end, what="the alert to be seen")
            return 200

        receiver.answer = answer
        await hub.tell("ro", *addresses(1_200, object_marking_refs=GREEN))
        async with delivering(hub, places=Places(PlaceLimits(all=1))):
            await add_at("alert", collection="alerts")
            await hub.tell("ro", A_MALWARE)
            await until(lambda: receiver.paths, what="an alert before the backlogs")
            await add_at("first", types=["indicator"], **{"from": "start"})
            for path in ("/hook/first", "/hook/second"):
                await until(lambda path=path: len(receiver.seqs(path)) == 1_200, what=path)
    assert receiver.paths[:3] == ["/hook/alert", "/hook/first", "/hook/alert"]
    assert receiver.paths.count("/hook/first") > 2


A_MALWARE = {
    "type": "malware",
    "spec_version": "2.1",
    "id": "malware--6ba7b810-9dad-41d1-80b4-00c04fd430c8",
    "created": "2026-01-01T00:00:00.000Z",
    "modified": "2026-01-01T00:00:00.000Z",
    "name": "Wiper",
    "is_family": True,
    "object_marking_refs": GREEN,
}


# ---------------------------------------------------------------- the journal of reads


async def test_what_was_posted_is_in_the_journal_and_counts_as_fetched(hub: Hub) -> None:
    journal = hub.doors.journal

    async def told() -> dict[str, Any]:
        await journal.write()
        return dict((await hub.get("/v1/deliveries", "soc")).json())

    async with a_receiver(answer=failing(1, 999)) as receiver:
        added = (await add(hub, receiver, **{"from": "start"}))["webhook"]
        await hub.tell("ro", *addresses(2))
        async with delivering(hub, finished=entering(journal, hub.clock.s)):
            await until(partial(has_failed, hub, 1), what="the attempt that fails")
            (failed,) = (await told())["deliveries"]
            assert (failed["door"], failed["status"], failed["reached"]) == ("webhook", None, None)
            hub.clock.us += HOUR_US
            await until(lambda: len(receiver.arrived) == 2, what="it was repeated")
            await until(lambda: is_up_to_date(hub), what="the position to be stored")
        found = await told()
    (entry,) = found["deliveries"]
    position = (await the_webhook(hub))["position"]
    assert (entry["door"], entry["status"], entry["collection"]) == ("webhook", 200, "community")
    assert (entry["asked"], entry["client"]) == (f"webhooks/{added['id']}", receiver.url.split("/")[2])
    assert (entry["after"], entry["reached"], entry["bytes"]) == (0, position, len(receiver.arrived[1].body))
    (lag,) = (one for one in found["behind"] if one["collection"] == "community")
    assert (lag["behind"], [one["door"] for one in lag["doors"]]) == (0, ["webhook"])


async def test_a_webhook_has_fetched_what_its_filter_leaves_out(hub: Hub) -> None:
    async with a_receiver() as receiver:
        await add(hub, receiver, types=["note"], **{"from": "start"})
        await hub.tell("ro", *addresses(2))
        async with delivering(hub):
            await until(lambda: is_up_to_date(hub), what="the position to be stored")
        assert receiver.arrived == []
    (lag,) = (
        one for one in (await hub.get("/v1/deliveries", "soc")).json()["behind"] if one["collection"] == "community"
    )
    assert (lag["behind"], lag["reached"] > 0) == (0, True)


@pytest.mark.parametrize("status", [410, 500, 200])
async def test_what_comes_of_an_attempt_does_not_undo_a_resumption_meanwhile(
    hub: Hub, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered, statuses = asyncio.Event(), iter([500, status])
    store, rounds, is_lost = hub.store.webhooks, [0], [False]
    real_save, real_all, real_changes = store.save, store.all, store.changes

    async def changes() -> int:
        rounds[0] += 1
        return await real_changes()

    async def save(*said: Any) -> bool:
        is_saved = await real_save(*said)
        is_lost[0] = not is_saved
        return is_saved

    async def all_(*said: Any) -> Any:
        was_lost, is_lost[0], before = is_lost[0], False, rounds[0]
        if was_lost and status == 200:  # this is how a success is stored all the same
            await until(lambda: rounds[0] > before + 2, what="the process to have gone on meanwhile")
        return await real_all(*said)

    for name, instead in (("changes", changes), ("save", save), ("all", all_)):
        monkeypatch.setattr(store, name, instead)

    async def answer(arrived: Arrived) -> Answer:
        found = next(statuses, 200)
        if len(receiver.arrived) == 2:
            await answered.wait()
        return found

    async with a_receiver() as receiver, delivering(hub):
        receiver.answer = answer
        added = await add(hub, receiver)
        await hub.tell("ro", *addresses(1, object_marking_refs=GREEN))
        await until(partial(has_failed, hub, 1), what="a failure")
        hub.clock.us += 73 * HOUR_US  # the next failure would pause it
        await until(lambda: len(receiver.arrived) == 2, what="the second attempt")
        assert (await hub.post(f"/v1/webhooks/{added['webhook']['id']}/resume", "soc")).status_code == 200
        answered.set()
        await until(lambda: is_up_to_date(hub), what="the delivery")
        assert (await the_webhook(hub))["state"] == "active"
    assert len(receiver.arrived) == (2 if status == 200 else 3)
    assert len({one.headers["webhook-id"] for one in receiver.arrived}) == 1


async def _has_arrived(receiver: Receiver, count: int) -> bool:
    return len(receiver.arrived) >= count


async def test_webhooks_are_read_only_when_others_have_changed_them(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    real, reads = hub.store.webhooks.all, [0]

    async def counted(principal: int | None = None) -> Any:
        reads[0] += 1
        return await real(principal)

    async with a_receiver() as receiver, delivering(hub):
        await add(hub, receiver)
        await hub.tell("ro", *addresses(1, object_marking_refs=GREEN))
        await until(lambda: is_up_to_date(hub), what="a delivery")
        monkeypatch.setattr(hub.store.webhooks, "all", counted)
        for no in range(1, 4):
            before = len(receiver.arrived)
            await hub.tell("ro", *addresses(1, start=no, object_marking_refs=GREEN))
            await until(partial(_has_arrived, receiver, before + 1), what="the next")
        assert reads == [0]
        monkeypatch.undo()
        async with a_receiver() as other:
            await add(hub, other)
            await hub.tell("ro", *addresses(1, start=9, object_marking_refs=GREEN))
            await until(lambda: other.arrived, what="a delivery to the one that was added")
