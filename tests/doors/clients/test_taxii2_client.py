"""taxii2-client (v21), unmodified, over TLS under a private authority: everything that it can do."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest
from requests.exceptions import HTTPError, SSLError
from taxii2client import v20
from taxii2client.common import TokenAuth
from taxii2client.exceptions import AccessError
from taxii2client.v21 import ApiRoot, Collection, Server, as_pages

from tests.doors.clients.serving import fill, serving, shown, working
from tests.doors.hubs import addresses, ids
from tests.doors.streams import read_stream
from tests.servers.certificates import Authority
from tests.story import an_indicator, malware


async def test_it_reads_everything_that_a_subscriber_sees(tmp_path: Path) -> None:
    async with serving(tmp_path, page_objects=25) as at:
        await fill(at.hub)
        collection = await at.collection()

        def read() -> list[Any]:
            pages = as_pages(collection.get_objects, per_request=1_000, version="all")
            return [one for page in pages for one in page.get("objects", [])]

        streamed = await read_stream(at.hub, "community", "soc")
        taxii = await asyncio.to_thread(read)
        shown_ids = {one["id"] for one in taxii}
        objects = [e.data for e in streamed if e.name == "object" and e.data["id"] in shown_ids]
        assert [one for one in taxii if not one.get("revoked")] == objects
        revoked = [one["id"] for one in taxii if one.get("revoked")]
        gone = [e.data["id"] for e in streamed if e.name == "withdrawn" and e.data["id"] in shown_ids]
        assert revoked == gone
        assert len(gone) == 15


async def test_it_knows_the_server_with_a_token(tmp_path: Path) -> None:
    async with serving(tmp_path, page_objects=25) as at:
        await fill(at.hub)
        token, verify = at.hub.tokens["soc"], str(at.ca_file)

        def look() -> None:
            server = Server(at.discovery_url, auth=TokenAuth(token), verify=verify)
            assert server.title == "ctihub"
            assert [root.url for root in server.api_roots] == [at.root_url]
            root = ApiRoot(at.root_url.rstrip("/"), auth=TokenAuth(token), verify=verify)
            assert root.max_content_length == 64 << 20
            assert [one.title for one in root.collections] == ["community", "public", "intake"]
            assert [(one.can_read, one.can_write) for one in root.collections] == [
                (True, False), (True, False), (False, True),
            ]  # fmt: skip

        await asyncio.to_thread(look)


async def test_it_reads_manifests_single_objects_and_versions_and_filters(tmp_path: Path) -> None:
    async with serving(tmp_path, page_objects=25) as at:
        await fill(at.hub)
        collection = await at.collection()

        def look() -> None:
            manifest = [one for page in as_pages(collection.get_manifest, per_request=10) for one in page["objects"]]
            objects = [one for page in as_pages(collection.get_objects, per_request=10) for one in page["objects"]]
            assert ids(manifest) == ids(objects)
            one = next(one for one in objects if one["type"] == "indicator")
            assert collection.get_object(one["id"])["objects"] == [one]
            assert one["modified"] in collection.object_versions(one["id"])["versions"]
            only = collection.get_objects(type=["malware", "relationship"])["objects"]
            assert sorted(one["type"] for one in only) == ["malware", "relationship"]

        await asyncio.to_thread(look)


async def test_a_match_that_is_wrapped_twice_gets_everything(tmp_path: Path) -> None:
    async with serving(tmp_path) as at:
        await fill(at.hub)
        collection = await at.collection()

        def read() -> tuple[list[Any], list[Any]]:
            wrapped = {"match[type]": "malware"}  # as mcp-taxii says it; sent as match[match[type]]
            return collection.get_objects(**wrapped)["objects"], collection.get_objects()["objects"]

        doubled, everything = await asyncio.to_thread(read)
        assert doubled == everything


async def test_version_2_0_of_it_is_told_what_to_use_instead(tmp_path: Path) -> None:
    async with serving(tmp_path) as at:
        url = (await at.objects_url()).removesuffix("objects/")

        def read() -> None:
            v20.Collection(url, **at.login()).get_objects()

        with pytest.raises(HTTPError) as refused:
            await asyncio.to_thread(read)
        assert status_of(refused.value) == 406


async def test_no_warning_comes_of_a_page_as_large_as_its_users_ask_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(tmp_path) as at:
        await at.hub.tell("ro", *addresses(1_100))
        collection = await at.collection()
        with caplog.at_level(logging.WARNING, "taxii2client"):
            await asyncio.to_thread(lambda: list(as_pages(collection.get_objects, per_request=5_000)))
        assert [one for one in caplog.records if one.name.startswith("taxii2client")] == []


def status_of(error: HTTPError) -> int:
    """What the hub answered."""
    assert error.response is not None
    return error.response.status_code


# ---------------------------------------------------------------- writing


async def test_it_adds_objects_and_waits_until_they_are_visible(tmp_path: Path) -> None:
    async with serving(tmp_path) as at, working(at.hub):
        intake = await at.collection("intake", "ro")
        said = [*addresses(5), malware("m")]
        status = await asyncio.to_thread(intake.add_objects, {"objects": said})
        assert (status.status, status.total_count, status.success_count) == ("complete", 6, 6)
        assert sorted(one["id"] for one in status.successes) == sorted(ids(said))
        now = await shown(at.hub)
        assert now[said[-1]["id"]]["name"] == "m"  # type: ignore[index]
        again = await asyncio.to_thread(intake.add_objects, {"objects": said})
        assert (again.status, again.success_count) == ("complete", 6)  # what is there already is no failure


async def test_a_status_can_be_asked_for_later_and_by_nobody_else(tmp_path: Path) -> None:
    async with serving(tmp_path) as at:
        intake = await at.collection("intake", "ro")
        bad = {**an_indicator(), "pattern": "[nonsense"}
        sent = {"objects": [*addresses(2), bad]}
        status = await asyncio.to_thread(intake.add_objects, sent, wait_for_completion=False)
        assert (status.status, status.pending_count) == ("pending", 3)
        await at.hub.settle()

        def look() -> Any:
            return ApiRoot(at.root_url, **at.login("ro")).get_status(status.id)

        later = await asyncio.to_thread(look)
        assert (later.status, later.success_count, later.failure_count) == ("complete", 2, 1)
        [failure] = later.failures
        assert (failure["id"], failure["version"]) == (bad["id"], bad["modified"])
        assert failure["message"].startswith("pattern.syntax: ")
        with pytest.raises(HTTPError) as refused:
            await asyncio.to_thread(lambda: ApiRoot(at.root_url, **at.login("it")).get_status(status.id))
        assert status_of(refused.value) == 404


async def test_what_it_deletes_is_withdrawn(tmp_path: Path) -> None:
    async with serving(tmp_path) as at, working(at.hub):
        intake = await at.collection("intake", "ro")
        await asyncio.to_thread(intake.add_objects, {"objects": [malware("m"), an_indicator()]})
        await asyncio.to_thread(intake.delete_object, malware("m")["id"])
        await asyncio.to_thread(
            intake.add_objects, {"objects": addresses(1)}
        )  # in order: then the first is carried out
        assert (await shown(at.hub))[malware("m")["id"]] is None


async def test_it_refuses_by_itself_what_a_collection_does_not_allow(tmp_path: Path) -> None:
    async with serving(tmp_path) as at:
        intake, community = await at.collection("intake", "ro"), await at.collection("community", "ro")
        with pytest.raises(AccessError):
            await asyncio.to_thread(intake.get_objects)
        with pytest.raises(AccessError):
            await asyncio.to_thread(community.add_objects, {"objects": addresses(1)})


# ---------------------------------------------------------------- a private authority


async def test_requests_ca_bundle_wins_over_verify(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Authority.make(tmp_path / "other", "another authority")
    async with serving(tmp_path) as at:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(other.ca_file))
        with pytest.raises(SSLError):
            await at.collection()
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(at.ca_file))
        login = {**at.login(), "verify": True}
        url = (await at.objects_url()).removesuffix("objects/")
        assert await asyncio.to_thread(lambda: Collection(url, **login).title) == "community"
