"""Sumo Logic's TAXII 2 Client Source, as its documentation and its published configurations show it.

Its source is not public. It reads all collections of the roots that discovery or its configuration names, once an hour;
the published configurations switch ``limit`` off.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.doors.clients.polling import Poller, PollingContract, assert_all_there
from tests.doors.clients.serving import TAXII, Serving, fill, serving, shown
from tests.doors.hubs import addresses


class Sumo(Poller):
    """One run over every collection that can be read (``only``: over one of them), without ``limit``."""

    def __init__(self, at: Serving, objects_url: str, only: str = "") -> None:
        super().__init__(at, objects_url)
        self._only = only

    @property
    def headers(self) -> dict[str, str]:
        return {"Accept": TAXII, "Authorization": self.basic}

    async def poll(self) -> list[Any]:
        discovery = (await self.get(self.at.discovery_url)).json()
        got: list[Any] = []
        for root in discovery["api_roots"]:
            for one in (await self.get(root + "collections/")).json()["collections"]:
                if one["can_read"] and self._only in ("", one["title"]):
                    url = f"{root}collections/{one['id']}/objects/"
                    got += await self.pages(url, **({"added_after": self.last[url]} if url in self.last else {}))
        return got


class TestSumo(PollingContract):
    """One collection, where the member reads no other."""

    def product(self, at: Serving, objects_url: str) -> Poller:
        return Sumo(at, objects_url, "community")


async def test_all_collections_that_can_be_read_are_read(tmp_path: Path) -> None:
    async with serving(tmp_path, page_objects=10) as at:
        await fill(at.hub)
        await at.hub.tell("ro", *addresses(5, start=700, tlp="clear"))
        got = await Sumo(at, "").poll()
        assert_all_there(got, {**await shown(at.hub), **await shown(at.hub, "public")})
