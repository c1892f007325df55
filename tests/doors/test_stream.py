"""The live stream: from any place, exactly on, bounded, and closed to whoever may not read any more."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest

from hub.model.principals import PrincipalKind
from hub.model.times import DAY_US
from hub.store.logs import SqlLogs
from hub.store.port import LogPage
from tests.doors.hubs import Hub, a_hub, addresses
from tests.doors.streams import open_stream, read_stream
from tests.story import an_indicator, an_object
from tests.waiting import until


async def test_a_stream_gives_every_change_with_its_number(hub: Hub) -> None:
    await hub.tell("ro", *addresses(3))
    async with open_stream(hub, "community", "soc") as reader:
        await until(lambda: len(reader.events) == 6)
        assert reader.status == 200
        assert reader.headers["content-type"].startswith("text/event-stream")
        assert [event.seq for event in reader.events] == [1, 2, 3, 4, 5, 6]
        assert {event.name for event in reader.events} == {"object"}
        await hub.tell("it", *addresses(2, start=50))
        await until(lambda: len(reader.events) == 8)
    assert reader.events[-1].data["type"] == "indicator"


async def test_a_withdrawal_is_an_event_with_the_id(hub: Hub) -> None:
    owned = an_object("malware", "m", name="m", is_family=False)
    await hub.tell("ro", owned, an_indicator())
    shown = [
        event.data["id"] for event in await read_stream(hub, "community", "soc") if event.data["type"] == "indicator"
    ]
    await hub.withdraw("ro", owned["id"], an_indicator()["id"])
    gone = [event for event in await read_stream(hub, "community", "soc") if event.name == "withdrawn"]
    assert {event.data["id"] for event in gone} >= {owned["id"], *shown}
    assert all(set(event.data) == {"id"} for event in gone)


async def test_a_stream_resumes_after_the_last_change_that_was_seen(hub: Hub) -> None:
    await hub.tell("ro", *addresses(5))
    every = await read_stream(hub, "community", "soc")
    assert await read_stream(hub, "community", "soc", "from=3") == every[3:]
    async with open_stream(hub, "community", "soc", "from=start", {"Last-Event-ID": "6"}) as reader:
        await until(lambda: reader.events and reader.events[-1].seq == 8)
    assert reader.events == every[6:]


async def test_a_stream_resumes_among_versions_that_are_deleted(hub: Hub) -> None:
    await hub.registry.settings.set("retention.per-object", "1")
    for no in range(4):
        await hub.tell("ro", an_indicator(confidence=10 + no, at=-3600 + no))
    last = (await hub.store.logs.head((await hub.collection("community")).no)).seq
    hub.clock.us += DAY_US
    await hub.settle()
    left = await read_stream(hub, "community", "soc")
    assert len(left) == len({event.data["id"] for event in left}) == last - 3
    for seen in range(last):
        async with open_stream(hub, "community", "soc", headers={"Last-Event-ID": str(seen)}) as reader:
            await until(lambda reader=reader: reader.events and reader.events[-1].seq == last)  # type: ignore[misc]
        assert reader.events == [event for event in left if event.seq > seen]


async def test_a_stream_from_now_gives_only_what_is_new(hub: Hub) -> None:
    await hub.tell("ro", *addresses(5))
    async with open_stream(hub, "community", "soc", "from=now") as reader:
        await until(lambda: reader.status == 200)
        await hub.tell("ro", *addresses(1, start=50))
        await until(lambda: reader.events)
    assert [event.seq for event in reader.events] == [9]


@pytest.mark.parametrize("start", ["yesterday", "-1", "1.5", "", "9" * 30])
async def test_a_place_that_is_none_is_refused(hub: Hub, start: str) -> None:
    answer = await hub.get(f"/v1/collections/community/stream?from={start}", "soc")
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "stream.from"


async def test_a_place_beyond_the_end_is_refused_rather_than_waited_for(hub: Hub) -> None:
    await hub.tell("ro", an_indicator())
    answer = await hub.get("/v1/collections/community/stream?from=99", "soc")
    assert answer.json()["code"] == "stream.beyond"
    answer = await hub.get("/v1/collections/community/stream", "soc", headers={"last-event-id": "99"})
    assert answer.status_code == 400


async def test_a_silent_stream_says_a_comment_now_and_then(tmp_path: Path) -> None:
    async with a_hub(tmp_path, heartbeat_s=0.05) as hub:
        await hub.centre()
        async with open_stream(hub, "community", "ro") as reader:
            await until(lambda: len(reader.comments) >= 3)
        assert reader.events == []


async def test_the_public_collection_is_open_to_anyone_and_no_other(hub: Hub) -> None:
    await hub.tell("ro", an_indicator(tlp="clear"))
    assert len(await read_stream(hub, "public", None)) == 4
    for name in ("community", "nowhere"):
        answer = await hub.get(f"/v1/collections/{name}/stream")
        assert answer.status_code == 401
        assert answer.json()["code"] == "auth.missing"
    assert (await hub.get("/v1/collections/network/stream", "soc")).status_code == 404
    assert (await hub.get("/v1/collections/nowhere/stream", "soc")).status_code == 404


async def test_wrong_credentials_are_refused_even_where_none_are_needed(hub: Hub) -> None:
    answer = await hub.get("/v1/collections/public/stream", headers={"authorization": "Bearer ctihub_wrong"})
    assert answer.status_code == 401
    assert "Bearer" in answer.headers["www-authenticate"]


@pytest.mark.parametrize("how", ["suspend", "rotate"])
async def test_who_may_not_read_any_more_is_cut_off(tmp_path: Path, how: str) -> None:
    async with a_hub(tmp_path, recheck_s=0.05) as hub:
        await hub.centre()
        await hub.member()
        async with open_stream(hub, "community", "soc") as reader:
            await until(lambda: reader.status == 200)
            await getattr(hub.registry.principals, how)("soc", PrincipalKind.MEMBER)
            await until(lambda: reader.ended, what="the stream to end")
            await hub.tell("ro", an_indicator())
            assert reader.events == []


async def test_who_leaves_the_group_is_cut_off(tmp_path: Path) -> None:
    async with a_hub(tmp_path, recheck_s=0.05) as hub:
        await hub.centre()
        await hub.registry.groups.add("banks")
        await hub.member(groups=["banks"])
        await hub.registry.collections.add("banking", tlp="green", group="banks")
        async with open_stream(hub, "banking", "soc") as reader:
            await until(lambda: reader.status == 200)
            await hub.registry.groups.leave("banks", ["soc"])
            await until(lambda: reader.ended, what="the stream to end")


async def test_a_reader_that_takes_nothing_holds_one_page_and_is_let_go(tmp_path: Path) -> None:
    async with a_hub(tmp_path, stall_s=0.2) as hub:
        await hub.centre()
        await hub.tell("ro", *addresses(900))
        async with open_stream(hub, "community", "ro") as reader:
            await until(lambda: reader.events)
            reader.taking.clear()
            sent = reader.sends
            await until(lambda: reader.left, what="the stream to be given up")
            assert reader.sends == sent, "nothing is produced for who takes nothing"
        assert len(reader.events) < 900


async def test_a_slow_reader_keeps_nobody_waiting(hub: Hub) -> None:
    async with open_stream(hub, "community", "soc") as slow, open_stream(hub, "community", "it") as quick:
        await until(lambda: slow.status == quick.status == 200)
        slow.taking.clear()
        await hub.tell("ro", *addresses(20))
        await until(lambda: len(quick.events) == 23)
        assert slow.events == []
        slow.taking.set()
        await until(lambda: slow.events == quick.events)


async def test_going_down_ends_the_streams(hub: Hub) -> None:
    async with open_stream(hub, "community", "soc") as reader:
        await until(lambda: reader.status == 200)
        hub.doors.stop_streams()
        await until(lambda: reader.ended)
    assert (await hub.get("/readyz")).status_code == 503


async def test_many_readers_at_the_tip_cost_one_read_per_commit(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = 0
    read = SqlLogs.page

    async def counting(*args: Any, **more: Any) -> LogPage:
        nonlocal reads
        reads += 1
        return await read(*args, **more)

    monkeypatch.setattr(SqlLogs, "page", counting)
    async with contextlib.AsyncExitStack() as stack:
        readers = [await stack.enter_async_context(open_stream(hub, "community", "soc", "from=now")) for _ in range(20)]
        await until(lambda: reads == 20, what="every reader to have looked once")
        reads = 0
        await hub.tell("ro", *addresses(1))
        await until(lambda: all(len(reader.events) == 4 for reader in readers))
    assert reads <= 2
