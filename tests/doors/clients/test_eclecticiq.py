"""EclecticIQ Intelligence Center's incoming feed "TAXII 2.1 poll", as its documentation shows it.

Its source is not public: 100 objects a request, from 1970 where no date is set; "advancing" goes on after the last run,
"fixed" begins anew each time. That it reads the date headers strictly is known from opencti#6973.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx

from tests.doors.clients.polling import Poller, PollingContract, assert_all_there
from tests.doors.clients.serving import LAST, TAXII, Serving, fill, serving, shown

RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


class EclecticIQ(Poller):
    """One run: pages of 100, from the date that was kept or configured."""

    def __init__(self, at: Serving, objects_url: str, *, advancing: bool = True) -> None:
        super().__init__(at, objects_url)
        self._advancing = advancing

    @property
    def headers(self) -> dict[str, str]:
        return {"Accept": TAXII, "Authorization": self.basic}

    async def get(self, url: str, query: str = "", **headers: str) -> httpx.Response:
        answer = await super().get(url, query, **headers)
        for name in (LAST, LAST.replace("last", "first")):
            said = answer.headers.get(name, "1970-01-01T00:00:00Z")
            assert RFC3339.fullmatch(said), "it fails on other dates, on empty answers too"
        return answer

    async def poll(self) -> list[Any]:
        since = self.last.get(self.objects_url) if self._advancing else None
        return await self.pages(self.objects_url, added_after=since or "1970-01-01T00:00:00Z", limit="100")


class TestEclecticIQ(PollingContract):
    """With the time frame "advancing"."""

    def product(self, at: Serving, objects_url: str) -> Poller:
        return EclecticIQ(at, objects_url)


async def test_auto_discovery_finds_the_root_and_the_collections_id(tmp_path: Path) -> None:
    async with serving(tmp_path) as at:
        product = EclecticIQ(at, await at.objects_url())
        discovery = (await product.get(at.discovery_url)).json()
        listed = (await product.get(discovery["default"] + "collections/")).json()["collections"]
        assert product.objects_url in [f"{discovery['default']}collections/{one['id']}/objects/" for one in listed]


async def test_a_fixed_time_frame_gets_what_is_shown_now_each_time(tmp_path: Path) -> None:
    async with serving(tmp_path, page_objects=10) as at:
        await fill(at.hub)
        product = EclecticIQ(at, await at.objects_url(), advancing=False)
        first, second = await product.poll(), await product.poll()
        assert first == second
        assert_all_there(first, await shown(at.hub))
