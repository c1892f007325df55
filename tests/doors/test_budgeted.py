"""Memory stays bounded however slowly answers are read: they share a budget; readers that take nothing are let go."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.pool import QueuePool
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from hub.doors.budgeted import PART_BYTES, BudgetedResponse
from hub.intake.allowed_time import AllowedTime
from hub.intake.budget import Budget
from hub.model.principals import PrincipalKind
from tests.doors.hubs import Hub, a_hub, addresses
from tests.doors.sockets import Peer, served
from tests.doors.streams import Reader, open_stream
from tests.story import an_indicator
from tests.waiting import WITHIN_S, until


async def ask(
    hub: Hub, reader: Reader, path: str, who: str | None, query: str = "", address: str = "192.0.2.1"
) -> None:
    """One request through ASGI, read by ``reader``."""
    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1", "method": "GET",
        "scheme": "http", "path": path, "raw_path": b"", "root_path": "", "query_string": query.encode(),
        "headers": [(k.lower().encode(), v.encode()) for k, v in hub.auth(who).items()],
        "server": ("hub.example", 80), "client": (address, 1),
    }  # fmt: skip
    await hub.app(scope, reader.receive, reader.send)


def a_reader() -> Reader:
    reader = Reader()
    reader.status = -1  # no events in it
    return reader


async def test_an_answer_is_sent_in_parts(tmp_path: Path) -> None:
    async with a_hub(tmp_path) as hub:
        await hub.centre()
        await hub.tell("ro", *addresses(900))
        whole = (await hub.get(await hub.objects_url("community"), "ro")).content
        assert len(whole) > PART_BYTES
        reader = a_reader()
        reader._block = lambda block: None  # type: ignore[method-assign]
        await ask(hub, reader, await hub.objects_url("community"), "ro")
        assert reader.body == whole
        assert reader.sends == 1 + -(-len(whole) // PART_BYTES)
        assert reader.ended


@pytest.mark.parametrize("path", ["OBJECTS", "/v1/rejections", "/v1/collections/community/export.csv"])
async def test_when_answers_fill_the_room_others_wait_and_are_asked_to_come_again(tmp_path: Path, path: str) -> None:
    async with a_hub(tmp_path, answers_wait_s=0.05) as hub:
        await hub.centre()
        await hub.tell("ro", an_indicator())
        url = await hub.objects_url("community") if path == "OBJECTS" else path
        budget = hub.doors.answers
        async with budget.share(None) as everything:
            await everything.grow_to(budget.total_bytes)
            answer = await hub.get(url, "ro")
            assert answer.status_code == 503
            assert answer.headers["retry-after"].isdigit()
            assert "answers.overloaded" in answer.text
        assert (await hub.get(url, "ro")).status_code == 200
        assert budget.free_bytes == budget.total_bytes


async def test_room_is_given_back_after_errors_too(hub: Hub) -> None:
    budget = hub.doors.answers
    for path in ("indicator--00000000-0000-4000-8000-000000000000/", "?match[type]=x", "?limit=0"):
        await hub.get(await hub.objects_url("community") + path, "soc")
    assert budget.free_bytes == budget.total_bytes


async def test_a_reader_that_takes_no_page_is_let_go_and_holds_only_its_size_meanwhile(tmp_path: Path) -> None:
    async with a_hub(tmp_path, stall_s=0.2) as hub:
        await hub.centre()
        await hub.tell("ro", *addresses(500))
        budget = hub.doors.answers
        size = len((await hub.get(await hub.objects_url("community"), "ro")).content)
        reader = a_reader()
        reader._block = lambda block: None  # type: ignore[method-assign]
        sending = reader.send

        async def stops(message: object) -> None:
            if reader.sends == 1:
                reader.taking.clear()
            await sending(message)  # type: ignore[arg-type]

        reader.send = stops  # type: ignore[method-assign]
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(ask(hub, reader, await hub.objects_url("community"), "ro"))
            await until(lambda: budget.total_bytes - budget.free_bytes == size, what="the page to wait for its reader")
        assert budget.free_bytes == budget.total_bytes
        assert not reader.ended


class Stopping(Reader):
    """Takes so many messages, and nothing more until it is told to."""

    def __init__(self, takes: int) -> None:
        super().__init__()
        self._left = takes
        self.goes_on = asyncio.Event()
        self.is_waited_for = False

    async def send(self, message: Message) -> None:
        if not self._left:
            self.is_waited_for = True
            await self.goes_on.wait()
        self._left = max(0, self._left - 1)
        await super().send(message)

    def _block(self, block: bytes) -> None:
        """What comes need not be events."""


async def test_a_reader_that_takes_nothing_holds_no_transaction_and_keeps_no_writer_waiting(hub: Hub) -> None:
    hub.doors.settings = replace(hub.doors.settings, list_part_bytes=100)
    await hub.tell("ro", *addresses(20))
    objects = await hub.objects_url("community")
    exported, streamed = (f"/v1/collections/community/{name}" for name in ("export.csv", "stream"))
    readers = {
        (path, takes): Stopping(takes)
        for path in (objects, objects.replace("objects", "manifest"), exported, streamed)
        for takes in (0, 1, *((2, 3) if path == exported else ()))
    }
    async with asyncio.TaskGroup() as tasks:
        for (path, _), reader in readers.items():
            tasks.create_task(ask(hub, reader, path, "soc"))
        for at, reader in readers.items():
            await until(lambda reader=reader: reader.is_waited_for, what=f"{at} to be sent to")  # type: ignore[misc]
        pool = hub.store.engine.pool
        assert isinstance(pool, QueuePool)
        await until(lambda: pool.checkedout() == 0, what="no reader to hold a connection of the store")
        async with asyncio.timeout(WITHIN_S):
            await hub.tell("ro", *addresses(5, start=100))
        for reader in readers.values():
            reader.goes_on.set()
        for (path, _), reader in readers.items():
            if path != streamed:
                await until(lambda reader=reader: reader.ended)  # type: ignore[misc]
            reader.gone.set()
    assert hub.doors.answers.free_bytes == hub.doors.answers.total_bytes


@pytest.mark.parametrize(("greedy", "other"), [("soc", "ro"), ("soc", None), (None, "soc"), (None, None)])
async def test_one_caller_with_many_slow_readers_keeps_no_answer_from_another(
    tmp_path: Path, greedy: str | None, other: str | None
) -> None:
    async with a_hub(tmp_path, answers_bytes=32 << 20, page_bytes=4 << 20, list_part_bytes=1 << 20) as hub:
        await hub.centre()
        await hub.member()
        await hub.tell("ro", *addresses(4_000, tlp="clear"))
        budget, export = hub.doors.answers, "/v1/collections/public/export.jsonl"
        asked = export if other is None else await hub.objects_url("community")
        readers = [Stopping(0) for _ in range(20)]
        async with asyncio.TaskGroup() as tasks:
            for reader in readers:
                tasks.create_task(ask(hub, reader, export, greedy))
            await until(lambda: sum(one.is_waited_for for one in readers) + waiting(budget) == len(readers))
            quick = Stopping(1_000)
            await ask(hub, quick, asked, other, address="198.51.100.1")
            assert (quick.status, quick.ended) == (200, True)
            assert waiting(budget) > 0
            for reader in readers:
                reader.goes_on.set()
        assert all(reader.ended for reader in readers)
        assert budget.free_bytes == budget.total_bytes


def waiting(budget: Budget) -> int:
    return sum(len(caller.waiting) for caller in budget._turns)


# ---------------------------------------------------------------- slow readers


class Clock:
    """Moves the event loop's time forward, and with it all its time limits."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.s = 0.0
        loop = asyncio.get_running_loop()
        real = loop.time
        monkeypatch.setattr(loop, "time", lambda: real() + self.s)
        monkeypatch.setattr(loop, "slow_callback_duration", float("inf"))


@pytest.mark.parametrize(("rate", "is_whole"), [(9_000, False), (11_000, True)])
async def test_whoever_is_slower_than_the_slowest_rate_is_given_up_though_it_never_stops(
    monkeypatch: pytest.MonkeyPatch, rate: int, is_whole: bool
) -> None:
    clock, taken = Clock(monkeypatch), 0
    time = AllowedTime(60_000, slowest_bytes_per_s=10_000)
    with contextlib.suppress(TimeoutError):
        for _ in range(200):
            async with time.wait():
                clock.s += 50_000_000 / rate
                for _ in range(3):
                    await asyncio.sleep(0)
            time.moved(50_000_000)
            taken += 1
    assert (taken == 200) is is_whole


async def test_whoever_was_quick_and_then_stops_is_given_up_as_soon_as_others(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    time = AllowedTime(60_000, slowest_bytes_per_s=10_000)
    time.moved(10_000_000_000)

    async def stop() -> None:
        async with time.wait():
            clock.s += 61_000
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await stop()


class Slow(Peer):
    """Reads 2,000 bytes per second of the clock."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._clock.s += len(data) / 2_000


async def test_a_reader_that_is_too_slow_for_the_whole_answer_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """The buffers of the connection take megabytes at once: ``stall_s`` is so long that no part alone exceeds it."""
    budget, size = Budget(64 << 20, wait_s=1, code="x.full", says="Full."), 64 << 20

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            share = budget.share("slow")
            await share.grow_to(size)
            await BudgetedResponse(Response(bytes(size)), share, stall_s=5_000)(scope, receive, send)

    clock = Clock(monkeypatch)
    async with served(app, head_s=1e6, idle_s=1e6, flush_s=1e6) as port:
        loop = asyncio.get_running_loop()
        _, peer = await loop.create_connection(lambda: Slow(clock), "127.0.0.1", port)
        await peer.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await peer.closed()
        assert len(peer.received) < size
        assert budget.free_bytes == budget.total_bytes
        await peer.close()


async def test_an_export_breaks_off_when_its_reader_may_read_no_more(tmp_path: Path) -> None:
    async with a_hub(tmp_path, recheck_s=0, list_part_bytes=100) as hub:
        await hub.centre()
        await hub.member()
        await hub.tell("ro", *addresses(10))
        reader = a_reader()
        reader._block = lambda block: None  # type: ignore[method-assign]
        reader.taking.clear()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(ask(hub, reader, "/v1/collections/community/export.csv", "soc"))
            await until(lambda: hub.doors.answers.free_bytes < hub.doors.answers.total_bytes)
            await hub.registry.principals.suspend("soc", PrincipalKind.MEMBER)
            reader.taking.set()
        assert not reader.ended, "no last part: the reader sees that it is not whole"
        assert len(reader.body) <= 100, "nothing after the part that it was waiting for"


async def test_streams_are_counted_for_each_and_for_all(tmp_path: Path) -> None:
    async with a_hub(tmp_path, streams=3, streams_each=2) as hub:
        await hub.centre()
        await hub.member()
        async with contextlib.AsyncExitStack() as stack:
            for who, collection in (("ro", "community"), ("ro", "community"), (None, "public")):
                reader = await stack.enter_async_context(open_stream(hub, collection, who))
                await until(lambda reader=reader: reader.status == 200)  # type: ignore[misc]
            for who, collection in (("ro", "community"), ("soc", "community"), (None, "public")):
                answer = await hub.get(f"/v1/collections/{collection}/stream", who)
                assert answer.status_code == 503
                assert (answer.json()["code"], answer.headers["retry-after"]) == ("stream.too-many", "5")
        async with open_stream(hub, "community", "ro") as reader:
            await until(lambda: reader.status == 200)
