"""Elastic's Custom Threat Intelligence integration (``ti_custom``): its CEL program, request by request.

Source: elastic/integrations, packages/ti_custom/data_stream/indicator/agent/stream/cel.yml.hbs, 0b97ab02 and a2494edb.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from hub.model.times import from_us
from tests.doors.clients.polling import Poller, PollingContract, assert_all_there, indicators
from tests.doors.clients.serving import LAST, TAXII, Serving, fill, serving, shown
from tests.doors.hubs import addresses
from tests.story import SECOND_US

DAY_S = 86_400


class Elastic(Poller):
    """One run of the input: a first request, and more of them while there is a ``next``, whatever ``more`` says."""

    keeps_the_header = True
    """Since pull request 12084; before, each run asks for the same length of time back from now."""
    repeats_added_after = True
    """Since 1.8.2; before, a request with ``next`` has no other filter."""

    def __init__(self, at: Serving, objects_url: str, *, limit: int | None = None) -> None:
        super().__init__(at, objects_url)
        self._limit = {} if limit is None else {"limit": str(limit)}
        self._last = ""

    @property
    def headers(self) -> dict[str, str]:
        return {
            "Accept": TAXII, "Content-Type": TAXII, "Authorization": f"Bearer {self.at.hub.tokens['soc']}",
            "User-Agent": "Elastic-Filebeat/9.1.0 (linux; amd64)", "Accept-Encoding": "gzip",
        }  # fmt: skip

    async def poll(self) -> list[Any]:
        added_after = self._last or f"{from_us(self.at.hub.clock.us - DAY_S * SECOND_US):%Y-%m-%dT%H:%M:%SZ}"
        got: list[Any] = []
        first = {"added_after": added_after, **self._limit}
        onward: dict[str, str] = {}
        while True:
            # Go's url.Values.Encode sorts the names
            asked = {**(first if not onward or self.repeats_added_after else self._limit), **onward}
            answer = await self.get(self.objects_url.rstrip("/") + "/", "?" + urlencode(sorted(asked.items())))
            body = answer.json()
            got += [dict(one) for one in body["objects"]]  # fails where there are no objects, as the program did
            if self.keeps_the_header:
                self._last = answer.headers[LAST]
            if not body.get("next"):
                return got
            onward = {"next": body["next"]}


class ElasticBefore182(Elastic):
    """Drops ``added_after`` on later pages."""

    repeats_added_after = False


class ElasticBefore12084(Elastic):
    """Keeps nothing between two runs."""

    keeps_the_header = repeats_added_after = False


class TestElastic(PollingContract):
    """As it is now."""

    def product(self, at: Serving, objects_url: str) -> Poller:
        return Elastic(at, objects_url)


class TestElasticBefore182(PollingContract):
    """With a limit, and later pages without ``added_after``."""

    def product(self, at: Serving, objects_url: str) -> Poller:
        return ElasticBefore182(at, objects_url, limit=7)


async def test_the_oldest_one_gets_the_whole_interval_at_each_run_and_misses_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path, page_objects=10) as at:
        await fill(at.hub)
        product = ElasticBefore12084(at, await at.objects_url())
        first = await product.poll()
        assert_all_there(first, await shown(at.hub))
        await at.hub.tell("ro", *addresses(5, start=500))
        second = await product.poll()
        assert len(second) == len(first) + 5
        assert_all_there(second, await shown(at.hub))


async def test_without_an_initial_interval_the_address_alone_is_asked(tmp_path: Path) -> None:
    async with serving(tmp_path, page_objects=10) as at:
        await fill(at.hub)
        product = Elastic(at, await at.objects_url())
        answer = await product.get(product.objects_url)
        assert len(answer.json()["objects"]) == 10


async def test_the_accept_header_of_its_defaults_is_served(tmp_path: Path) -> None:
    async with serving(tmp_path) as at:
        product = Elastic(at, await at.objects_url())
        for accept in ("application/taxii+json;version=2.1", "application/taxii+json; version=2.1", "*/*"):
            assert (await product.get(product.objects_url, Accept=accept)).json()["objects"] == []


@pytest.mark.parametrize("limit", [None, 3])
async def test_a_clock_that_was_ahead_costs_nothing_for_good(tmp_path: Path, limit: int | None) -> None:
    async with serving(tmp_path, page_objects=10) as at:
        product = Elastic(at, await at.objects_url(), limit=limit)
        await fill(at.hub)
        product._last = "2099-01-01T00:00:00Z"
        assert await product.poll() == []
        await at.hub.tell("ro", *addresses(5, start=500))
        assert len(indicators(await product.poll())) == 5
