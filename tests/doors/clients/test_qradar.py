"""IBM QRadar's Threat Intelligence app, as its documentation shows it: discovery, a collection from the list, a poll.

Its source is not public; it sends Basic or a token as Bearer, and posts to a collection by its name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.doors.clients.polling import Poller, PollingContract
from tests.doors.clients.serving import TAXII, Serving, serving
from tests.story import an_indicator


class QRadar(Poller):
    """One poll: from the newest date that a header has named; a first one without it."""

    def __init__(self, at: Serving, objects_url: str, *, token: bool) -> None:
        super().__init__(at, objects_url)
        self._token = token

    @property
    def headers(self) -> dict[str, str]:
        credentials = f"Bearer {self.at.hub.tokens['soc']}" if self._token else self.basic
        return {"Accept": TAXII, "Authorization": credentials}

    async def titles(self) -> dict[str, str]:
        """What "Discover" fills its list with: titles and addresses."""
        discovery = (await self.get(self.at.discovery_url)).json()
        found: dict[str, str] = {}
        for root in discovery["api_roots"]:
            assert (await self.get(root)).json()["versions"] == [TAXII]
            for one in (await self.get(root + "collections/")).json()["collections"]:
                found[one["title"]] = f"{root}collections/{one['id']}/objects/"
        return found

    async def poll(self) -> list[Any]:
        url = self.objects_url
        return await self.pages(url, **({"added_after": self.last[url]} if url in self.last else {}))


class TestQRadarWithBasic(PollingContract):
    """With name and token."""

    def product(self, at: Serving, objects_url: str) -> Poller:
        return QRadar(at, objects_url, token=False)


class TestQRadarWithToken(PollingContract):
    """With the token as "JSON Web Token"."""

    def product(self, at: Serving, objects_url: str) -> Poller:
        return QRadar(at, objects_url, token=True)


async def test_discovery_fills_its_list_of_collections(tmp_path: Path) -> None:
    async with serving(tmp_path) as at:
        product = QRadar(at, await at.objects_url(), token=False)
        titles = await product.titles()
        assert titles["community"] == product.objects_url
        assert set(titles) >= {"community", "public"}


@pytest.mark.parametrize("content_type", [TAXII, "application/json"])
async def test_a_rule_action_posts_an_indicator_to_the_collection_that_it_is_told(
    tmp_path: Path, content_type: str
) -> None:
    async with serving(tmp_path) as at:
        headers = {"Accept": TAXII, "Content-Type": content_type, **at.hub.auth("ro")}
        collections = (await at.send("GET", f"{at.root_url}collections/", headers)).json()["collections"]
        [intake] = [one for one in collections if one["title"] == "intake"]
        url = f"{at.root_url}collections/{intake['id']}/objects/"
        answer = await at.send("POST", url, headers, orjson.dumps({"objects": [an_indicator()]}))
        assert answer.status_code == 202, answer.text
