"""Alert lanes: what is shown of them, who is woken first, and how long a delivery took."""

from __future__ import annotations

import asyncio
import contextlib

from prometheus_client import REGISTRY

from hub.doors.stream import READS, Pages
from hub.model.words import Seq
from hub.model.writes import Writes
from hub.store.port import LogEnd
from tests.contracts.store_values import a_change, head_after
from tests.doors.hubs import GREEN, Hub, addresses
from tests.doors.streams import open_stream
from tests.waiting import WITHIN_S, until

TAXII = {"accept": "application/taxii+json;version=2.1"}


async def an_alert_lane(hub: Hub) -> int:
    made = await hub.registry.collections.add("warnings", tlp="green", group="community", alert=True)
    await hub.settle()
    await until(lambda: made.no in hub.doors.log_watch.alerts, what="the alert lane to be known")
    return made.no


async def test_an_alert_lane_is_shown_as_one(hub: Hub) -> None:
    await an_alert_lane(hub)
    listed = (await hub.get("/v1/collections", "soc")).json()["collections"]
    assert {one["name"]: one["alert"] for one in listed} == {"community": False, "public": False, "warnings": True}
    found = (await hub.get("/taxii2/root/collections/", "soc", headers=TAXII)).json()["collections"]
    assert [one["title"] for one in found if one.get("description", "").startswith("Alerts. ")] == ["warnings"]


async def test_a_collection_becomes_an_alert_lane_and_none_again_without_a_change_of_what_it_shows(hub: Hub) -> None:
    await hub.tell("ro", *addresses(2, object_marking_refs=GREEN))
    before = await hub.store.logs.head((await hub.collection("community")).no)
    for alert in (True, True, False):
        assert (await hub.registry.collections.set_alert("community", alert)).alert is alert
        await hub.settle()
        assert (await hub.collection("community")).alert is alert
    assert await hub.store.logs.head((await hub.collection("community")).no) == before


async def test_readers_of_alert_lanes_are_woken_first(hub: Hub) -> None:
    alert, watch = await an_alert_lane(hub), hub.doors.log_watch
    usual = (await hub.collection("public")).no
    woken: list[int] = []

    async def wait(log: int) -> None:
        assert await watch.beyond(log, watch.seq(log), within_s=WITHIN_S)
        woken.append(log)

    async with asyncio.TaskGroup() as tasks:
        for log in (usual, alert, usual, alert):
            tasks.create_task(wait(log))
        await asyncio.sleep(0)
        async with hub.store.transaction() as tx:
            await tx.policy()
            heads = await tx.heads([usual, alert])
            rows = [a_change(heads[log].seq + 1, log=log) for log in (usual, alert)]
            await tx.write(Writes(changes=rows, heads=head_after(rows)))
    assert woken == [alert, alert, usual, usual]


async def test_a_page_of_an_alert_lane_does_not_wait_for_the_reads_of_histories(hub: Hub) -> None:
    alert = await an_alert_lane(hub)
    usual = (await hub.collection("community")).no
    await hub.tell("ro", *addresses(2, object_marking_refs=GREEN))
    pages = Pages(hub.doors)
    async with asyncio.TaskGroup() as tasks, contextlib.AsyncExitStack() as histories:
        for _ in range(READS):
            await histories.enter_async_context(pages.room)
        waiting = tasks.create_task(pages.after(usual, Seq(0), edits=0))
        assert (await pages.after(alert, Seq(0), edits=0)).body
        assert not waiting.done()
        await histories.aclose()
    assert waiting.result().body


async def test_a_row_knows_when_what_caused_it_was_received(hub: Hub) -> None:
    (sent,) = addresses(1, object_marking_refs=GREEN)
    await hub.tell("ro", sent)
    no = (await hub.collection("community")).no
    page = await hub.store.logs.page(no, Seq(0), limit=100, limit_bytes=1 << 20)
    causes = await hub.store.logs.causes(no, Seq(0), page.rows[-1].seq)
    known = {row.type for row in page.rows if causes[row.seq].received_us is not None}
    assert known == {"indicator"}
    await hub.withdraw("ro", sent["id"])
    last = (await hub.store.logs.head(no)).seq
    first_us, last_us = (
        cause.received_us for cause in (await hub.store.logs.causes(no, Seq(0), last)).values() if cause.received_us
    )
    assert first_us is not None
    assert last_us is not None
    assert first_us < last_us


async def test_what_fills_a_new_collection_was_not_received_just_now(hub: Hub) -> None:
    await hub.tell("ro", *addresses(2, object_marking_refs=GREEN))
    no = await an_alert_lane(hub)
    end = (await hub.store.logs.head(no)).seq
    assert end
    assert {one.received_us for one in (await hub.store.logs.causes(no, Seq(0), end)).values()} == {None}


def counted(door: str, alert: str) -> float:
    return REGISTRY.get_sample_value("ctihub_delivery_seconds_count", {"door": door, "alert": alert}) or 0.0


async def test_the_time_to_a_reader_of_a_stream_is_counted_for_what_came_while_it_read(hub: Hub) -> None:
    await an_alert_lane(hub)
    await hub.tell("ro", *addresses(3, object_marking_refs=GREEN))
    before = counted("stream", "true")
    async with open_stream(hub, "warnings", "soc") as stream:
        await until(lambda: len(stream.events) > 3, what="the history")
        assert counted("stream", "true") == before
        await hub.tell("ro", *addresses(2, start=3, object_marking_refs=GREEN))
        await until(lambda: counted("stream", "true") == before + 2, what="both changes to be counted")


def test_the_end_of_a_log_is_of_no_alert_lane_unless_it_is_said() -> None:
    assert not LogEnd("collection.x", Seq(1)).alert
