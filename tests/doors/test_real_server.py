"""Streams and pushes over real connections, as a client of HTTP sees them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx

from hub.doors.metrics import stream_readers
from tests.doors.hubs import NDJSON, Hub, a_hub, addresses, lines
from tests.doors.sockets import served
from tests.story import an_indicator
from tests.waiting import WITHIN_S, until


@contextlib.asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[tuple[Hub, str]]:
    """A hub with the centre ``ro`` behind a real server, and its address."""
    async with a_hub(folder) as hub, served(hub.app) as port:
        await hub.centre()
        yield hub, f"http://127.0.0.1:{port}"


async def test_a_stream_over_a_real_connection_starts_at_once_and_follows(tmp_path: Path) -> None:
    async with serving(tmp_path) as (hub, url):
        async with (
            httpx.AsyncClient(timeout=WITHIN_S) as client,
            client.stream("GET", f"{url}/v1/collections/community/stream", headers=hub.auth("ro")) as answer,
        ):
            assert answer.status_code == 200  # the head comes before the first event
            lines = answer.aiter_lines()
            await hub.tell("ro", an_indicator())
            found = [await anext(lines) for _ in range(4 * 4)]
        assert found[:2] == ["id: 1", "event: object"]
        assert found[2].startswith("data: {")
        assert [line for line in found if line.startswith("id: ")] == ["id: 1", "id: 2", "id: 3", "id: 4"]


async def test_a_reader_that_goes_is_noticed(tmp_path: Path) -> None:
    async with serving(tmp_path) as (hub, url):
        before = stream_readers()
        stream_url = f"{url}/v1/collections/community/stream"
        async with (
            httpx.AsyncClient(timeout=WITHIN_S) as client,
            client.stream("GET", stream_url, headers=hub.auth("ro")),
        ):
            await until(lambda: stream_readers() == before + 1)
        await until(lambda: stream_readers() == before, what="the stream to be given up")


async def test_a_large_body_without_a_stated_length_is_taken_as_it_comes(tmp_path: Path) -> None:
    async with serving(tmp_path) as (hub, url):
        body = lines(*addresses(5_000))

        async def parts() -> AsyncIterator[bytes]:
            for start in range(0, len(body), 100_000):
                yield body[start : start + 100_000]

        headers = {**hub.auth("ro"), "content-type": NDJSON}
        async with httpx.AsyncClient(timeout=WITHIN_S) as client:
            answer = await client.post(f"{url}/v1/intake", content=parts(), headers=headers)
        assert answer.json()["received"] == 5_000
