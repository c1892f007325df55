"""Following a collection: every change once, in order, whatever happens to the connection."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.sdk.errors import PublishRefused
from connectors.sdk.stream import Follower, SseEvent, SseParser
from tests.connectors.small_hub import SmallHub
from tests.waiting import WITHIN_S, until

STREAM = (
    b": comment\n\nid: 1\nevent: object\ndata: {\"a\":1}\n\n"
    b"id:2\r\nevent:withdrawn\r\ndata:{\"id\":\"x\"}\r\n\r\n"
    b"data: first\ndata: second\rretry: 10\rid: 3\r\rdata\n\nevent: empty\n\nid: 4\ndata: last\n\n"
)  # fmt: skip
EVENTS = [
    SseEvent("1", "object", b'{"a":1}'),
    SseEvent("2", "withdrawn", b'{"id":"x"}'),
    SseEvent("3", "message", b"first\nsecond"),
    SseEvent("3", "message", b""),
    SseEvent("4", "message", b"last"),
]


@given(at=st.lists(st.integers(0, len(STREAM)), max_size=8))
def test_events_are_the_same_however_the_bytes_are_cut(at: list[int]) -> None:
    edges = [0, *sorted(at), len(STREAM)]
    parser = SseParser()
    found = [event for start, end in pairwise(edges) for event in parser.feed(STREAM[start:end])]
    assert found == EVENTS


LINES = st.sampled_from([b"data", b"data:x", b"id: 1", b"id: \0", b"event: object", b": comment", b""]) | st.binary(
    max_size=9
)
ENDS = st.sampled_from([b"\n", b"\r", b"\r\n"])


@given(lines=st.lists(st.tuples(LINES, ENDS).map(b"".join), max_size=12), at=st.sets(st.integers(0, 100), max_size=50))
def test_any_bytes_give_the_same_events_however_they_are_cut(lines: list[bytes], at: set[int]) -> None:
    stream = b"".join(lines)
    cut, whole = SseParser(), SseParser()
    edges = [0, *sorted(place for place in at if place < len(stream)), len(stream)]
    found = [event for start, end in pairwise(edges) for event in cut.feed(stream[start:end])]
    assert found == whole.feed(stream)


@pytest.mark.parametrize("line", [b"data: " + b"x" * 50, b"x" * 50])
def test_an_event_without_end_is_refused_before_it_fills_the_memory(line: bytes) -> None:
    parser = SseParser(limit_bytes=1_000)
    end = b"\n" if line.startswith(b"data") else b""
    with pytest.raises(PublishRefused, match="event of over 1000 bytes"):
        [parser.feed(line + end) for _ in range(100)]
    assert parser._size + len(parser._rest) < 1_100


def changes(count: int) -> list[tuple[int, str, bytes]]:
    made: list[tuple[int, str, bytes]] = []
    for seq in range(1, count + 1):
        body = json.dumps({"id": f"indicator--{seq}"}).encode()
        made.append((seq, "withdrawn" if seq % 5 == 0 else "object", body))
    return made


async def followed(follower: Follower, until: int, *, within_s: float = WITHIN_S) -> list[int]:
    seqs: list[int] = []
    async with asyncio.timeout(within_s), aclosing(follower.changes()) as found:
        async for change in found:
            assert (change.object is None) == (change.withdrawn is not None) == (change.seq % 5 == 0)
            seqs.append(change.seq)
            if change.seq == until:
                break
    return seqs


async def test_every_change_comes_once_over_connections_that_break(hub: SmallHub) -> None:
    hub.changes = changes(40)
    hub.stream_plan.extend([7, 0, 1, 12, 3])
    hub.plan.extend(["503", "429"])
    follower = Follower(hub.url, "community", "token")
    assert await followed(follower, 40) == list(range(1, 41))
    asked = [connection.get("last-event-id") for connection in hub.connections]
    assert asked == ["0", "0", "0", "7", "7", "8", "20", "23"]
    assert hub.connections[0]["authorization"] == "Bearer token"


async def test_a_hub_that_was_away_is_found_again(hub: SmallHub) -> None:
    hub.changes = changes(3)
    said: list[str] = []
    follower = Follower(hub.url, "community", notify=said.append)
    assert await followed(follower, 3) == [1, 2, 3]
    await asyncio.to_thread(hub.stop)
    async with asyncio.timeout(WITHIN_S), asyncio.TaskGroup() as tasks:
        rest = tasks.create_task(followed(follower, 6))
        await until(lambda: follower.trouble)
        hub.changes = changes(6)
        await asyncio.to_thread(hub.server.start)
    assert rest.result() == [4, 5, 6]
    assert "Going on after change 3" in said[0]


async def test_a_silent_connection_is_given_up_and_made_anew(hub: SmallHub) -> None:
    follower = Follower(hub.url, "community", silence_s=0.2)
    async with asyncio.timeout(WITHIN_S), asyncio.TaskGroup() as tasks:
        found = tasks.create_task(followed(follower, 1))
        await until(lambda: len(hub.connections) == 3)
        hub.changes = changes(1)
    assert found.result() == [1]


async def test_from_now_begins_with_what_is_new(hub: SmallHub) -> None:
    hub.changes = changes(4)
    follower = Follower(hub.url, "community", after="now")
    async with asyncio.timeout(WITHIN_S), asyncio.TaskGroup() as tasks:
        found = tasks.create_task(followed(follower, 6))
        await until(lambda: hub.connections)
        hub.changes = changes(6)
    assert found.result() in ([5, 6], [6])
    assert hub.connections[0]["from"] == "now"


async def test_a_collection_that_may_not_be_read_ends_it_at_once(hub: SmallHub) -> None:
    with pytest.raises(PublishRefused, match="There is no such collection"):
        await followed(Follower(hub.url, "secret"), 1)


@pytest.mark.parametrize("data", [(1, "withdrawn", b"{}"), (1, "withdrawn", b"no JSON"), (1, "withdrawn", b"[1]")])
async def test_an_event_that_is_not_a_hubs_ends_it(hub: SmallHub, data: tuple[int, str, bytes]) -> None:
    hub.changes = [data]
    with pytest.raises(PublishRefused, match="not a hub's"):
        await followed(Follower(hub.url, "community"), 1)
