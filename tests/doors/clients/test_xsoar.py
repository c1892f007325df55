"""Cortex XSOAR's TAXII 2 Feed: taxii2-client, driven as its module drives it.

Source: demisto/content, Packs/ApiModules/Scripts/TAXII2ApiModule/TAXII2ApiModule.py, 00169003, and
Packs/FeedTAXII/Integrations/FeedTAXII2/FeedTAXII2.py, 0124ebb4.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from taxii2client import v21
from taxii2client.common import TokenAuth, _HTTPConnection

from tests.doors.clients.polling import Poller, PollingContract
from tests.doors.clients.serving import Serving, serving
from tests.doors.hubs import addresses
from tests.story import malware

TYPES = ("indicator", "malware", "identity", "relationship")
KEPT = {"indicator", "malware", "identity"}
"""What it makes its own objects of; relationships it keeps, but does not look at their dates."""


class Xsoar(Poller):
    """One fetch: pages of a hundred from the largest ``modified`` that it has seen."""

    def __init__(self, at: Serving, objects_url: str, types: list[str] | None = None) -> None:
        super().__init__(at, objects_url)
        self._types = types
        self._modified: str | None = None
        self._before: dict[str, str] = {}

    @property
    def headers(self) -> dict[str, str]:
        raise NotImplementedError  # taxii2-client has its own

    def _collection(self) -> v21.Collection:
        conn = _HTTPConnection(
            verify=str(self.at.ca_file), version="2.1", auth=TokenAuth(key=self.at.hub.tokens["soc"])
        )
        server = v21.Server(f"{self.at.url}/taxii2", conn=conn)  # its own urljoin cuts the slash
        named = {str(root.url).split("/")[-2]: root for root in server.api_roots}
        assert list(named) == ["root"]  # what users write as the default API root
        root = server.default
        root._conn = conn
        [found] = [one for one in root.collections if one.title == "community"]
        return found

    def _fetch(self) -> list[Any]:
        asked: dict[str, Any] = {"added_after": self._modified} if self._modified else {}
        if self._types:
            asked["type"] = self._types
        got: list[Any] = []
        for envelope in v21.as_pages(self._collection().get_objects, per_request=100, **asked):
            if not envelope.get("objects"):
                break
            got += envelope["objects"]
        times = [one["modified"] for one in got if one["type"] in KEPT and "modified" in one]
        self._modified = max([*times, self._modified or ""]) or None
        return got

    async def poll(self) -> list[Any]:
        """What it makes of a fetch: versions that the fetch before had already are left out."""
        got = await asyncio.to_thread(self._fetch)
        new = [one for one in got if "modified" not in one or self._before.get(one["id"]) != one["modified"]]
        self._before = {one["id"]: one["modified"] for one in got if "modified" in one} or self._before
        return new


class TestXsoar(PollingContract):
    """Without a choice of types."""

    def product(self, at: Serving, objects_url: str) -> Poller:
        return Xsoar(at, objects_url)


class TestXsoarWithTypes(PollingContract):
    """With a choice of types, which is sent as ``match[type]``."""

    types = TYPES

    def product(self, at: Serving, objects_url: str) -> Poller:
        return Xsoar(at, objects_url, list(TYPES))


async def test_owners_objects_that_came_last_come_again_and_it_leaves_them_out(tmp_path: Path) -> None:
    async with serving(tmp_path) as at:
        product = Xsoar(at, await at.objects_url())
        await at.hub.tell("ro", *addresses(5))
        await at.hub.tell("ro", malware("a"), malware("b"))
        assert len(await product.poll()) == 5 + 2 + 3
        again = await asyncio.to_thread(product._fetch)
        assert sorted(one["name"] for one in again) == ["a", "b"]  # their own dates are older than when they came
        assert await product.poll() == []
