"""Microsoft Sentinel's "Threat Intelligence - TAXII" connector, as its documentation and reported problems show it.

Its source is not public: that it follows ``next`` within a run, and keeps the header between runs, is what
Azure-Sentinel#12234 and #14172 let one conclude.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from hub.model.times import from_us
from tests.doors.clients.polling import Poller, PollingContract
from tests.doors.clients.serving import TAXII, Serving, serving
from tests.story import SECOND_US

MONTH_S = 30 * 86_400


class Sentinel(Poller):
    """One poll: all pages since the newest date that a header has named."""

    @property
    def headers(self) -> dict[str, str]:
        return {"Accept": TAXII, "Authorization": self.basic}

    async def poll(self) -> list[Any]:
        month_old = f"{from_us(self.at.hub.clock.us - MONTH_S * SECOND_US):%Y-%m-%dT%H:%M:%S.%fZ}"
        return await self.pages(self.objects_url, added_after=self.last.get(self.objects_url, month_old))


class TestSentinel(PollingContract):
    """From the API root and the collection's id."""

    def product(self, at: Serving, objects_url: str) -> Poller:
        return Sentinel(at, objects_url)


@pytest.mark.parametrize("root", ["/taxii2/root/", "/taxii2/root"])
async def test_what_is_pasted_leads_to_the_collection(tmp_path: Path, root: str) -> None:
    async with serving(tmp_path) as at:
        product = Sentinel(at, await at.objects_url())
        collection_id = product.objects_url.split("/")[-3]
        assert UUID(collection_id).version == 4  # it refuses others (Azure-Sentinel#11202)
        described = (await product.get(f"{at.url}{root.rstrip('/')}/collections/{collection_id}/")).json()
        assert (described["id"], described["can_read"]) == (collection_id, True)
        assert (await product.get(at.url + root)).json()["title"] == "ctihub"
