"""What every product that polls is promised, whatever it keeps between two polls. Its module says what it sends."""

from __future__ import annotations

import base64
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx

from tests.doors.clients.serving import LAST, Serving, fill, serving, shown
from tests.doors.hubs import addresses, ids
from tests.story import an_indicator, malware

MOST_POLLS = 100


class Poller(ABC):
    """A product that polls the collection ``community`` as ``soc``: what it sends, and what it keeps."""

    def __init__(self, at: Serving, objects_url: str) -> None:
        self.at = at
        self.objects_url = objects_url
        self.last: dict[str, str] = {}
        """The newest date that a header has named, by address."""

    @property
    def basic(self) -> str:
        """The header's value for Basic."""
        return "Basic " + base64.b64encode(f"soc:{self.at.hub.tokens['soc']}".encode()).decode()

    @property
    @abstractmethod
    def headers(self) -> dict[str, str]:
        """What every request has, spelt as the product spells it."""

    @abstractmethod
    async def poll(self) -> list[Any]:
        """What one run gets: all pages, or one where the product takes one a run. Nothing: it is idle."""

    async def get(self, url: str, query: str = "", **headers: str) -> httpx.Response:
        """GET as the product does; ``query`` is encoded as the product encodes it."""
        answer = await self.at.send("GET", url + query, {**self.headers, **headers})
        assert answer.status_code == 200, answer.text
        return answer

    async def pages(self, url: str, **asked: str) -> list[Any]:
        """All pages of a run as the specification says: ``next`` with the same parameters, while ``more`` is true."""
        got: list[Any] = []
        while True:
            answer = await self.get(url, f"?{urlencode(asked)}" if asked else "")
            body = answer.json()
            got += body["objects"]
            self.last[url] = answer.headers[LAST]
            if not body["more"]:
                return got
            asked["next"] = body["next"]

    async def until_idle(self) -> list[Any]:
        """All that comes until a poll gets nothing."""
        got: list[Any] = []
        for _ in range(MOST_POLLS):
            found = await self.poll()
            if not found:
                return got
            got += found
        raise AssertionError(f"not idle after {MOST_POLLS} polls; the newest objects are {ids(got)[-5:]}")


class PollingContract(ABC):
    """The promises to a product; a subclass says which one."""

    settings: Mapping[str, Any] = {"page_objects": 10}
    """Small pages, so that there are several."""
    types: tuple[str, ...] = ()
    """What the product asks for; nothing: everything."""

    @abstractmethod
    def product(self, at: Serving, objects_url: str) -> Poller:
        """The product, as it is after it was configured."""

    async def begin(self, at: Serving) -> Poller:
        """The product, before its first poll."""
        return self.product(at, await at.objects_url())

    async def wanted(self, at: Serving) -> dict[str, Any]:
        """What the product must have in the end."""
        now = await shown(at.hub)
        return {name: said for name, said in now.items() if not self.types or name.partition("--")[0] in self.types}

    async def test_everything_comes_once_and_then_nothing_until_there_is_more(self, tmp_path: Path) -> None:
        async with serving(tmp_path, **self.settings) as at:
            await fill(at.hub)
            product = await self.begin(at)
            got = await product.until_idle()
            assert_nothing_twice(got)
            assert_all_there(got, await self.wanted(at))
            await at.hub.tell("it", *addresses(25, start=1_000))
            more = await product.until_idle()
            assert len(more) == 25
            assert_nothing_twice(got + more)
            assert_all_there(got + more, await self.wanted(at))
            assert await product.poll() == []

    async def test_nothing_is_missed_while_centres_write(self, tmp_path: Path) -> None:
        async with serving(tmp_path, **self.settings) as at:
            await fill(at.hub)
            product = await self.begin(at)
            got: list[Any] = []
            for number in range(12):
                got += await product.poll()
                await at.hub.tell("it", *addresses(7, start=2_000 + 100 * number), malware(f"m{number}"))
            got += await product.until_idle()
            assert_nothing_twice(got)
            assert_all_there(got, await self.wanted(at))

    async def test_a_withdrawn_indicator_comes_as_the_same_one_revoked(self, tmp_path: Path) -> None:
        async with serving(tmp_path, **self.settings) as at:
            product = await self.begin(at)
            await at.hub.tell("ro", an_indicator(confidence=60))
            [before] = indicators(await product.until_idle())
            await at.hub.withdraw("ro", an_indicator()["id"])
            [after] = await product.until_idle()
            assert after == {**before, "modified": after["modified"], "revoked": True}
            assert after["modified"] > before["modified"]


def indicators(objects: Iterable[Any]) -> list[Any]:
    """Those of them that are indicators, which is all that many products keep."""
    return [one for one in objects if one["type"] == "indicator"]


def assert_nothing_twice(objects: Iterable[Any]) -> None:
    """No version of an object is there twice."""
    versions = [(one["id"], one.get("modified")) for one in objects]
    assert len(versions) == len(set(versions))


def assert_all_there(objects: Iterable[Any], now: Mapping[str, Any]) -> None:
    """What came leaves a reader with just what is shown now; what is withdrawn is revoked for it, or never came."""
    newest = {one["id"]: one for one in objects}
    for name, content in now.items():
        if content is not None:
            assert newest.get(name) == content
        else:
            assert name not in newest or newest[name]["revoked"] is True
    assert set(newest) <= set(now)


__all__ = [
    "Poller", "PollingContract", "Serving", "assert_all_there", "assert_nothing_twice", "indicators", "serving",
]  # fmt: skip
