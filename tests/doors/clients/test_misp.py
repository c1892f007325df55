"""MISP 2.5: browsing a TAXII server from its pages, the push of events, which uses taxii2-client, and feeds.

Source: MISP/MISP, app/Model/TaxiiServer.php, 00f09cef; app/files/scripts/taxii/taxii_push.py, 044c27ea;
app/Model/Feed.php, 56dc5ea3. What a MISP has after each pull of a feed is in ``tests/doors/test_export_misp.py``.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from requests.auth import HTTPBasicAuth
from taxii2client import ApiRoot, Collection
from taxii2client.v21 import Status

from tests.doors.clients.polling import assert_all_there, assert_nothing_twice
from tests.doors.clients.serving import TAXII, Serving, fill, serving, shown, working
from tests.doors.hubs import addresses, ids


class Misp:
    """A "TAXII server" of MISP: base URL, API root and key, as its form has them."""

    def __init__(self, at: Serving, who: str = "soc") -> None:
        self.at, self.baseurl = at, at.url
        self.key = base64.b64encode(f"{who}:{at.hub.tokens[who]}".encode()).decode()
        self.api_root = ""

    async def query(self, uri: str) -> Any:
        """``queryInstance``: CakePHP's client, Content-type on GET, and the scheme in lower case."""
        headers = {
            "User-Agent": "CakePHP", "Connection": "close", "Accept": TAXII, "Content-type": TAXII,
            "Authorization": f"basic {self.key}",
        }  # fmt: skip
        answer = await self.at.send("GET", self.baseurl + uri, headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def choose_root(self) -> None:
        """It keeps the last segment of the first address that discovery names, and asks for it under the base URL."""
        discovery = await self.query("/taxii2/")
        self.api_root = discovery["api_roots"][0].rstrip("/").split("/")[-1]

    async def objects(self, collection: str, following: str | None) -> Any:
        """``getObjects``: 50 at a time; a ``next`` that is null is not sent."""
        more = f"&next={following}" if following else ""
        return await self.query(f"/{self.api_root}/collections/{collection}/objects/?limit=50{more}")


async def test_the_collections_are_found_from_the_base_url_alone(tmp_path: Path) -> None:
    async with serving(tmp_path) as at:
        misp = Misp(at)
        await misp.choose_root()
        assert misp.api_root == "root"
        titles = [one["title"] for one in (await misp.query("/root/collections/"))["collections"]]
        assert titles == ["community", "public", "intake"]


async def test_a_collection_is_browsed_page_by_page_and_object_by_object(tmp_path: Path) -> None:
    async with serving(tmp_path) as at:
        await fill(at.hub)
        misp = Misp(at)
        await misp.choose_root()
        listed = (await misp.query("/root/collections/"))["collections"]
        [collection] = [one["id"] for one in listed if one["title"] == "community"]
        got: list[Any] = []
        following = None
        while True:
            page = await misp.objects(collection, following)
            got += page["objects"]
            if not page["more"]:
                break
            following = page["next"]
        assert len(got) == 66
        assert_nothing_twice(got)
        assert_all_there(got, await shown(at.hub))
        one = (await misp.query(f"/root/collections/{collection}/objects/{got[-1]['id']}/"))["objects"]
        assert one == [got[-1]]


async def test_a_next_that_is_sent_empty_is_none(tmp_path: Path) -> None:
    async with serving(tmp_path) as at:
        await fill(at.hub)
        url = (await at.hub.objects_url("community")).removeprefix("/taxii2/root")
        misp = Misp(at)
        assert len((await misp.query(f"/root{url}?limit=50&next="))["objects"]) == 50


# ---------------------------------------------------------------- feeds


async def feed_file(misp: Misp, url: str, etag: str = "") -> httpx.Response:
    """``feedGetUriRemote``: the headers of ``__createFeedRequest``, and the feed's own, split at their colon."""
    headers = {
        "Accept": "application/json, text/plain, text/*", "MISP-version": "2.5.0", "User-Agent": "MISP 2.5.0",
        "MISP-uuid": "00000000-0000-4000-8000-000000000001", "Authorization": f"Basic {misp.key}",
    }  # fmt: skip
    return await misp.at.send("GET", url, {**headers, "If-None-Match": etag} if etag else headers)


async def test_a_feed_is_pulled_and_its_manifest_asked_for_again_by_its_etag(tmp_path: Path) -> None:
    async with serving(tmp_path, misp_feed_rest=0) as at:  # otherwise the feed that is not settled is used for a while
        await fill(at.hub)
        misp, url = Misp(at), f"{at.url}/v1/collections/community/misp"
        manifest = await feed_file(misp, f"{url}/manifest.json")
        assert manifest.status_code == 200, manifest.text
        attributes: list[Any] = []
        for uuid in manifest.json():
            event = (await feed_file(misp, f"{url}/{uuid}.json")).json()["Event"]
            assert event["uuid"] == uuid
            attributes += event["Attribute"]
        live = [one["value"] for one in attributes if one["to_ids"] and not one["deleted"]]
        listed = (await at.hub.get("/v1/collections/community/export.txt", "soc")).text.split()
        assert sorted(live) == sorted(listed)
        at.hub.clock.us += 600_000_000
        settled = await feed_file(misp, f"{url}/manifest.json")
        again = await feed_file(misp, f"{url}/manifest.json", settled.headers["etag"])
        assert again.status_code == 304
        hashes = await feed_file(misp, f"{url}/hashes.csv")
        assert len(hashes.text.splitlines()) == len(live)


# ---------------------------------------------------------------- push


def envelopes(objects: Iterable[Any], most_bytes: int) -> Iterator[bytes]:
    """Envelopes of at most so many bytes; a single object that is larger is left out, with a line in its log."""
    head, tail = b'{"objects":[', b"]}"
    pending: list[bytes] = []
    for one in map(orjson.dumps, objects):
        if len(head) + sum(map(len, pending)) + len(pending) + len(one) + len(tail) > most_bytes:
            if pending:
                yield head + b",".join(pending) + tail
            pending = []
        pending.append(one)
    if pending:
        yield head + b",".join(pending) + tail


def push(misp: Misp, collection: str, objects: list[Any], most_bytes: int | None = None) -> list[Status]:
    """``push_content``: the API root without its slash, envelopes up to ``max_content_length``, no waiting."""
    auth = HTTPBasicAuth(*base64.b64decode(misp.key.encode()).split(b":"))
    root_url = misp.baseurl + "/" + "root"
    verify = str(misp.at.ca_file)
    with ApiRoot(root_url, auth=auth, verify=verify) as root:
        most = most_bytes or root.max_content_length
    with Collection(f"{root_url}/collections/{collection}", auth=auth, verify=verify) as writable:
        return [writable.add_objects(one, wait_for_completion=False) for one in envelopes(objects, most)]


@pytest.mark.parametrize("most_bytes", [None, 2_000])
async def test_events_are_pushed_in_envelopes_without_waiting(tmp_path: Path, most_bytes: int | None) -> None:
    async with serving(tmp_path) as at, working(at.hub):
        misp = Misp(at, "ro")
        listed = (await misp.query("/root/collections/"))["collections"]
        [intake] = [one for one in listed if one["can_write"]]  # its form lists no others for the push
        said = addresses(20)
        statuses = await asyncio.to_thread(push, misp, intake["id"], said, most_bytes)
        assert (len(statuses) > 1) is (most_bytes is not None)
        assert sum(status.total_count for status in statuses) == 20
        assert sum(status.failure_count for status in statuses) == 0
        for status in statuses:
            assert status.status in ("pending", "complete")
            await asyncio.to_thread(status.wait_until_final, 0.05)
            assert status.success_count == status.total_count
        now = await shown(at.hub, who="ro")
        assert len([name for name in now if name.startswith("indicator")]) == len(set(ids(said)))
