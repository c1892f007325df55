"""FortiSOAR's connector ``taxii2-threat-intel-feed`` 2.0.0, request by request.

Source: fortinet-fortisoar/connector-taxii2-threat-intel-feed, operations.py, aad0ab95.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from hub.model.times import from_us
from tests.doors.clients.polling import assert_all_there, indicators
from tests.doors.clients.serving import Serving, fill, serving, shown
from tests.doors.hubs import addresses, basic
from tests.story import SECOND_US

STATED = {"Content-Type": "taxii+json;version=2.1", "Accept": "application/taxii+json;version=2.1"}
HEALTH = {"Content-Type": "application/json", "Accept": "application/vnd.oasis.taxii+json;version=2.0"}


class FortiSoar:
    """The connector with Basic; ``root`` is what its users paste."""

    def __init__(self, at: Serving, root: str = "/taxii2/root/") -> None:
        self.at, self.root = at, at.url + root
        self._sent = {
            "User-Agent": "python-requests/2.32.3", "Accept-Encoding": "gzip, deflate", "Connection": "keep-alive",
            **{name.title(): said for name, said in basic("soc", at.hub.tokens["soc"]).items()},
        }  # fmt: skip

    async def get(self, path: str, headers: dict[str, str], **asked: str) -> Any:
        """A request; ``next`` is in the path already when the other parameters are added."""
        joined = ("&" if "?" in path else "?") + urlencode(asked) if asked else ""
        answer = await self.at.send("GET", self.root + path + joined, {**self._sent, **headers})
        assert answer.status_code in (200, 206), answer.text  # it would try again, and give up
        return answer

    async def indicators(self, collection_id: str, **asked: str) -> list[Any]:
        """ "Fetch Indicators" with all records; an equal pattern is taken once."""
        described = await self.get("", STATED)
        headers = {"Accept": described.headers["content-type"]}
        path = f"collections/{collection_id}/objects/"
        result = (await self.get(path, headers, **asked)).json()
        following = result.get("next")
        while following:
            page = (await self.get(f"{path}?next={following}", headers, **asked)).json()
            result["objects"].extend(page.get("objects"))
            following = page.get("next")
        return list({one["pattern"]: one for one in reversed(indicators(result["objects"]))}.values())


async def collection_id(at: Serving) -> str:
    """What its users look up with "Get Collections"."""
    return (await at.objects_url()).split("/")[-3]


@pytest.mark.parametrize("root", ["/taxii2/root/", "/root/"])
async def test_the_health_check_asks_for_taxii_2_0_and_is_answered(tmp_path: Path, root: str) -> None:
    async with serving(tmp_path) as at:
        assert (await FortiSoar(at, root).get("", HEALTH)).json()["title"] == "ctihub"


async def test_all_indicators_come_whatever_the_number_of_pages(tmp_path: Path) -> None:
    async with serving(tmp_path, page_objects=10) as at:
        await fill(at.hub)
        got = await FortiSoar(at).indicators(await collection_id(at))
        now = {name: one for name, one in (await shown(at.hub)).items() if name.startswith("indicator")}
        assert_all_there(got, now)
        assert len(got) == 61


async def test_a_run_asks_for_what_was_added_since_its_own_clock_at_the_run_before(tmp_path: Path) -> None:
    async with serving(tmp_path, page_objects=10) as at:
        await fill(at.hub)
        connector, collection = FortiSoar(at), await collection_id(at)
        await connector.indicators(collection)
        last_pull = f"{from_us(at.hub.clock.us):%Y-%m-%dT%H:%M:%S.%fZ}"
        assert await connector.indicators(collection, added_after=last_pull) == []
        at.hub.clock.us += SECOND_US
        await at.hub.tell("it", *addresses(25, start=1_000))
        assert len(await connector.indicators(collection, added_after=last_pull)) == 25


async def test_a_withdrawn_indicator_comes_as_revoked_at_the_next_run(tmp_path: Path) -> None:
    async with serving(tmp_path) as at:
        await at.hub.tell("ro", *addresses(1))
        connector, collection = FortiSoar(at), await collection_id(at)
        [before] = await connector.indicators(collection)
        await at.hub.withdraw("ro", addresses(1)[0]["id"])
        [after] = await connector.indicators(collection)
        assert (after["id"], after["revoked"]) == (before["id"], True)


async def test_the_scheduled_download_reads_each_collection_of_the_list_so_one_that_it_may_not_read_ends_it(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path) as at:
        listed = (await FortiSoar(at).get("collections/", STATED)).json()["collections"]
        unreadable = [one for one in listed if not one["can_read"]]
        headers = {**basic("soc", at.hub.tokens["soc"]), **STATED}
        for one in unreadable:
            answer = await at.send("GET", f"{at.root_url}collections/{one['id']}/objects", headers)
            assert answer.status_code == 403
        assert [one["title"] for one in unreadable] == ["intake"]
