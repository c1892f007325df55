"""The serial number of a policy zone: it rises when changes, lists and releases change the content."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import httpx

from hub.core.hold import WarningLists
from hub.doors.http import make_app
from hub.doors.settings import DoorSettings
from tests.doors.hubs import Hub, a_hub, doors_of
from tests.story import an_indicator

PATH = "/v1/collections/community/export.rpz"
PATTERN = "[domain-name:value = 'c2.example']"
LISTS = WarningLists(own_rules=False, values={("domain-name", "c2.example"): "a-list"}, version="a-list=5", revision=5)


async def zone(hub: Hub, http: httpx.AsyncClient | None = None) -> tuple[int, list[str]]:
    """Serial and names of the zone."""
    answer = await (http or hub.http).get(PATH, headers=hub.auth("soc"))
    lines = answer.text.splitlines()
    return int(lines[2].split()[4]), [line.split()[0] for line in lines[4:] if not line.startswith("*")]


async def test_the_serial_rises_with_newer_warning_lists_and_with_releases_alone(tmp_path: Path) -> None:
    async with a_hub(tmp_path) as hub:
        await hub.centre("ro")
        await hub.centre("it")
        await hub.member()
        tokens = hub.tokens
        await hub.tell("ro", an_indicator(PATTERN))
        first, names = await zone(hub)
        assert names == ["c2.example"]
    async with a_hub(tmp_path, hold=LISTS.holds, warning_lists=lambda: LISTS) as hub:
        hub.tokens.update(tokens)
        head = await hub.store.logs.head((await hub.collection("community")).no)
        second, names = await zone(hub)
        assert second > first
        assert names == []
        assert (await hub.tell("it", an_indicator(PATTERN, tlp="amber")))["held"] == 1
        assert await zone(hub) == (second, [])
        await hub.registry.held.release([1])
        await hub.settle()
        assert await hub.store.logs.head((await hub.collection("community")).no) == head, "the collection is the same"
        third, names = await zone(hub)
        assert third > second
        assert names == ["c2.example"]
        doors = await doors_of(
            hub.store, hub.log, hub.registry, settings=DoorSettings(warning_lists=lambda: LISTS), now_us=hub.clock
        )
        async with httpx.AsyncClient(transport=httpx.ASGITransport(make_app(doors)), base_url="http://h") as other:
            assert await zone(hub, other) == (third, names), "another server of this store says the same"
    newer = replace(LISTS, version="a-list=6", revision=6)
    for lists, least in ((LISTS, third), (newer, third + 1)):
        async with a_hub(tmp_path, warning_lists=lambda lists=lists: lists) as hub:
            hub.tokens.update(tokens)
            assert await zone(hub) == (least, ["c2.example"])
