"""Clients that nobody here wrote, unmodified, against a real server: taxii2-client, stix2's TAXIICollectionSource."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
import stix2
from stix2 import Filter, TAXIICollectionSource
from taxii2client.common import TokenAuth
from taxii2client.v21 import ApiRoot, Collection, Server, as_pages

from hub.doors.metrics import stream_readers
from tests.doors.hubs import NDJSON, Hub, a_hub, addresses, ids, lines
from tests.doors.sockets import served
from tests.doors.streams import read_stream
from tests.story import an_indicator, an_object
from tests.waiting import WITHIN_S, until

T = TypeVar("T")


@dataclass
class Serving:
    """A hub behind a real server on a free port of the loopback."""

    hub: Hub
    url: str

    @property
    def taxii_url(self) -> str:
        return f"{self.url}/taxii2/"

    async def collection(self, name: str = "community", who: str = "soc") -> Collection:
        """taxii2-client's view of a collection, found as its users find one."""
        token = self.hub.tokens[who]

        def find() -> Collection:
            server = Server(self.taxii_url, user=who, password=token)
            return next(one for one in server.default.collections if one.title == name)

        return await asyncio.to_thread(find)


@contextlib.asynccontextmanager
async def serving(folder: Path, **settings: Any) -> AsyncIterator[Serving]:
    """Serve until the end of the block."""
    async with a_hub(folder, **settings) as hub, served(hub.app) as port:
        yield Serving(hub, f"http://127.0.0.1:{port}")


async def fill(hub: Hub) -> None:
    """Two centres, overlap, versions, withdrawals, every kind of view."""
    await hub.centre("ro", country="RO")
    await hub.centre("it", country="IT")
    await hub.member("soc")
    malware = an_object("malware", "m", name="m", is_family=False)
    indicator = an_indicator(confidence=60)
    indicates = an_object(
        "relationship", "r", relationship_type="indicates", source_ref=indicator["id"], target_ref=malware["id"]
    )
    await hub.tell("ro", malware, indicator, indicates, *addresses(60))
    await hub.tell("it", *addresses(30, confidence=50), an_indicator(confidence=50))
    await hub.withdraw("ro", *ids(addresses(45)))


async def in_thread(work: Callable[[], T]) -> T:
    return await asyncio.to_thread(work)


@pytest.fixture(autouse=True)
def free_sockets(nothing_blocks_the_loop: None) -> None:
    """Clients run in threads; nothing of ours blocks."""


async def test_taxii2_client_reads_everything_that_a_subscriber_sees(tmp_path: Path) -> None:
    async with serving(tmp_path, page_objects=25) as at:
        await fill(at.hub)
        collection = await at.collection()

        def read() -> list[Any]:
            pages = as_pages(collection.get_objects, per_request=1_000, version="all")
            return [one for page in pages for one in page.get("objects", [])]

        streamed = await read_stream(at.hub, "community", "soc")
        taxii = await in_thread(read)
        shown = {one["id"] for one in taxii}
        objects = [e.data for e in streamed if e.name == "object" and e.data["id"] in shown]
        assert [one for one in taxii if not one.get("revoked")] == objects
        revoked = [one["id"] for one in taxii if one.get("revoked")]
        gone = [e.data["id"] for e in streamed if e.name == "withdrawn" and e.data["id"] in shown]
        assert revoked == gone
        assert len(gone) == 15


async def test_taxii2_client_knows_the_server(tmp_path: Path) -> None:
    async with serving(tmp_path, page_objects=25) as at:
        await fill(at.hub)
        token = at.hub.tokens["soc"]

        def look() -> None:
            server = Server(at.taxii_url, auth=TokenAuth(token))
            assert server.title == "ctihub"
            assert [root.url for root in server.api_roots] == [f"{at.url}/taxii2/root/"]
            root = ApiRoot(f"{at.url}/taxii2/root", user="soc", password=token)
            assert root.max_content_length == 64 << 20
            assert [one.title for one in root.collections] == ["community", "public", "intake"]
            collection = root.collections[0]
            assert (collection.can_read, collection.can_write) == (True, False)
            manifest = [one for page in as_pages(collection.get_manifest, per_request=10) for one in page["objects"]]
            objects = [one for page in as_pages(collection.get_objects, per_request=10) for one in page["objects"]]
            assert ids(manifest) == ids(objects)
            one = next(one for one in objects if one["type"] == "indicator")
            assert collection.get_object(one["id"])["objects"] == [one]
            assert one["modified"] in collection.object_versions(one["id"])["versions"]
            only = collection.get_objects(type=["malware", "relationship"])["objects"]
            assert sorted(one["type"] for one in only) == ["malware", "relationship"]

        await in_thread(look)


async def test_stix2s_collection_source_reads_a_collection(tmp_path: Path) -> None:
    async with serving(tmp_path, page_objects=25) as at:
        await fill(at.hub)
        collection = await at.collection()

        def read() -> None:
            source = TAXIICollectionSource(collection)
            everything = source.query([])
            assert len({one["id"] for one in everything}) == len(everything)
            assert {type(one) for one in everything} >= {stix2.v21.Indicator, stix2.v21.Malware, stix2.v21.Relationship}
            relationship = next(one for one in everything if one["type"] == "relationship")
            indicator = source.get(relationship["source_ref"])
            assert indicator["pattern"] == "[ipv4-addr:value = '198.51.100.7']"
            assert indicator["confidence"] == 80
            assert [one["confidence"] for one in source.all_versions(indicator["id"])] == [60, 80]
            assert len(source.query([Filter("type", "=", "indicator")])) == 61
            assert source.get("indicator--00000000-0000-4000-8000-000000000000") is None

        await in_thread(read)


async def test_a_client_follows_by_added_after(tmp_path: Path) -> None:
    async with serving(tmp_path, page_objects=25) as at:
        await fill(at.hub)
        auth = at.hub.auth("soc")
        url = at.url + await at.hub.objects_url("community")
        seen: list[str] = []
        async with httpx.AsyncClient(headers=auth) as client:
            last = ""
            for _ in range(20):
                answer = await client.get(url, params={"added_after": last, "limit": 20} if last else {"limit": 20})
                seen += ids(answer.json()["objects"])
                last = answer.headers["x-taxii-date-added-last"]
                if not answer.json()["more"]:
                    break
        assert len(seen) == len(set(seen)) == 61 + 2 + 3


async def test_a_stream_over_a_real_connection_starts_at_once_and_follows(tmp_path: Path) -> None:
    async with serving(tmp_path) as at:
        await at.hub.centre()
        url = f"{at.url}/v1/collections/community/stream"
        async with (
            httpx.AsyncClient(timeout=WITHIN_S) as client,
            client.stream("GET", url, headers=at.hub.auth("ro")) as answer,
        ):
            assert answer.status_code == 200  # the head comes before the first event
            lines = answer.aiter_lines()
            await at.hub.tell("ro", an_indicator())
            found = [await anext(lines) for _ in range(4 * 4)]
        assert found[:2] == ["id: 1", "event: object"]
        assert found[2].startswith("data: {")
        assert [line for line in found if line.startswith("id: ")] == ["id: 1", "id: 2", "id: 3", "id: 4"]


async def test_a_reader_that_goes_is_noticed(tmp_path: Path) -> None:
    async with serving(tmp_path) as at:
        await at.hub.centre()
        before = stream_readers()
        url = f"{at.url}/v1/collections/community/stream"
        async with httpx.AsyncClient(timeout=WITHIN_S) as client, client.stream("GET", url, headers=at.hub.auth("ro")):
            await until(lambda: stream_readers() == before + 1)
        await until(lambda: stream_readers() == before, what="the stream to be given up")


async def test_a_large_body_without_a_stated_length_is_taken_as_it_comes(tmp_path: Path) -> None:
    async with serving(tmp_path) as at:
        await at.hub.centre()
        body = lines(*addresses(5_000))

        async def parts() -> AsyncIterator[bytes]:
            for start in range(0, len(body), 100_000):
                yield body[start : start + 100_000]

        headers = {**at.hub.auth("ro"), "content-type": NDJSON}
        async with httpx.AsyncClient(timeout=WITHIN_S) as client:
            answer = await client.post(f"{at.url}/v1/intake", content=parts(), headers=headers)
        assert answer.json()["received"] == 5_000
