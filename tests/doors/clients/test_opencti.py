"""OpenCTI, three ways: the built-in TAXII feed, the connector ``external-import/taxii2``, and ``stream/taxii-post``.

Source: OpenCTI-Platform/opencti, ingestionManager.ts, 0023fb55; OpenCTI-Platform/connectors,
external-import/taxii2/src/connector/client_taxii.py, 251f21b2, and connector.py, 18f0a496;
stream/taxii-post/src/taxii_post_connector/connector.py, 08e25f68.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
import pytest
from requests.exceptions import HTTPError
from taxii2client.v21 import Collection, Server

from hub.model.times import from_us
from tests.doors.clients.polling import Poller, PollingContract, assert_all_there, assert_nothing_twice
from tests.doors.clients.serving import LAST, Serving, fill, serving, shown
from tests.doors.hubs import addresses, basic, ids
from tests.story import SECOND_US, an_indicator, uid


class Feed(Poller):
    """One tick of the built-in feed: one page, and the date in the header cut to milliseconds when it was the last."""

    def __init__(self, at: Serving, objects_url: str) -> None:
        super().__init__(at, objects_url)
        self._cursor: str | None = None
        self._added_after: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        return {
            "Accept": "application/taxii+json;version=2.1", "Authorization": self.basic,
            "User-Agent": "axios/1.7.9", "Accept-Encoding": "gzip, compress, deflate, br",
        }  # fmt: skip

    async def poll(self) -> list[Any]:
        asked = {"next": self._cursor, "added_after": self._added_after}
        # axios leaves colons as they are, and what is undefined out
        query = "&".join(f"{name}={quote(said, safe=':')}" for name, said in asked.items() if said)
        answer = await self.get(self.objects_url, f"?{query}" if query else "")
        body = answer.json()
        self._cursor = None
        if body.get("objects"):
            if body.get("more") and body.get("next"):
                self._cursor = body["next"]
            else:
                self._added_after = to_iso_string(answer.headers[LAST])
        return list(body["objects"])


def to_iso_string(time: str) -> str:
    """What ``Date.toISOString`` makes of a time: three digits, the others are cut."""
    return datetime.fromisoformat(time).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


class TestFeed(PollingContract):
    """A page for each tick."""

    def product(self, at: Serving, objects_url: str) -> Poller:
        return Feed(at, objects_url)


@pytest.mark.parametrize("size", range(1, 8))
async def test_the_feed_is_idle_whatever_the_size_of_the_last_batch(tmp_path: Path, size: int) -> None:
    async with serving(tmp_path, page_objects=50) as at:
        feed = Feed(at, await at.objects_url())
        await at.hub.tell("ro", *addresses(size))
        assert len(await feed.until_idle()) == size + 3
        assert await feed.poll() == []


# ---------------------------------------------------------------- external-import/taxii2


class Connector:
    """The connector: one dictionary of filters for all collections and runs, and its own clock as its state."""

    def __init__(self, at: Serving, titles: list[str]) -> None:
        self._at, self._titles = at, titles
        self._filters: dict[str, Any] = {"limit": 10}
        self._last_run: int | None = None
        self.errors: list[str] = []

    async def run(self) -> list[Any]:
        """All that one run sends on to OpenCTI."""
        return await asyncio.to_thread(self._run)

    def _run(self) -> list[Any]:
        now_s = self._at.hub.clock.us // SECOND_US
        since_us = (now_s - 24 * 3600 if self._last_run is None else self._last_run) * SECOND_US
        self._filters["added_after"] = f"{from_us(since_us):%Y-%m-%dT%H:%M:%S.%fZ}"
        got: list[Any] = []
        server = Server(self._at.discovery_url, **self._at.login())
        [root] = [root for root in server.api_roots if root.url.split("/")[-2] == "root"]
        for title in self._titles:
            [collection] = [one for one in root.collections if one.title == title]
            try:
                got += self._poll(collection)
            except HTTPError as error:
                answer = error.response
                self.errors.append(answer.json()["error_code"] if answer is not None else str(error))
        self._last_run = now_s
        return got

    def _poll(self, collection: Collection) -> list[Any]:
        got: list[Any] = []
        response = collection.get_objects(**self._filters)
        while response["objects"]:
            got += response["objects"]
            if response.get("more") is not True:
                break
            self._filters.pop("added_after", None)
            self._filters["next"] = response["next"]
            response = collection.get_objects(**self._filters)
        return got


async def test_the_connector_gets_all_of_one_collection_run_after_run(tmp_path: Path) -> None:
    async with serving(tmp_path, page_objects=25) as at:
        await fill(at.hub)
        connector = Connector(at, ["community"])
        first = await connector.run()
        assert_nothing_twice(first)
        assert_all_there(first, await shown(at.hub))
        at.hub.clock.us += SECOND_US  # it keeps its own clock, cut to a second
        await at.hub.tell("it", *addresses(30, start=1_000))
        second = await connector.run()  # its old next, and a new added_after: the last page may come again
        assert_all_there(first + second, await shown(at.hub))
        assert len(second) < 30 + 2 * 10
        assert connector.errors == []


async def test_the_connector_takes_the_cursor_of_one_collection_to_the_next_so_each_needs_its_own(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path, page_objects=25) as at:
        await at.hub.tell("ro", *addresses(30, tlp="clear"))
        both = Connector(at, ["community", "public"])
        await both.run()
        assert both.errors == ["taxii.foreign-next"]
        alone = Connector(at, ["public"])
        assert_all_there(await alone.run(), await shown(at.hub, "public"))
        assert alone.errors == []


# ---------------------------------------------------------------- stream/taxii-post


def posted(*objects: dict[str, Any]) -> bytes:
    """A bundle as the connector makes one: with a version of its own, as STIX 2.0 had it."""
    return orjson.dumps(
        {"type": "bundle", "spec_version": "2.1", "id": f"bundle--{uid('post', *ids(objects))}", "objects": objects}
    )


@pytest.mark.parametrize("scheme", ["bearer", "basic"])
@pytest.mark.parametrize("content_type", ["application/stix+json; version=2.1", "application/taxii+json; version=2.1"])
async def test_each_object_that_the_stream_posts_is_taken(tmp_path: Path, scheme: str, content_type: str) -> None:
    async with serving(tmp_path) as at:
        headers = {
            "User-Agent": "python-requests/2.32.3", "Accept-Encoding": "gzip, deflate", "Connection": "keep-alive",
            "Content-Type": content_type, "Accept": "application/taxii+json; version=2.1",
            **(at.hub.auth("ro") if scheme == "bearer" else basic("ro", at.hub.tokens["ro"])),
        }  # fmt: skip
        intake = (await at.collection("intake", "ro")).id
        url = f"{at.root_url}collections/{intake}/objects/"
        whole = an_indicator(confidence=60)
        bare = {name: said for name, said in an_indicator("198.51.100.8").items() if name != "object_marking_refs"}
        for one in (whole, bare):
            answer = await at.send("POST", url, headers, posted(one))
            assert answer.status_code == 202, answer.text
        await at.hub.settle()
        now = await shown(at.hub, who="ro")
        patterns = {one["pattern"] for one in now.values() if one and one["type"] == "indicator"}
        assert whole["pattern"] in patterns
