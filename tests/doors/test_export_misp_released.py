"""The MISP feed when warning lists and releases change, and no indicator does: MISP takes what it says at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest_asyncio

from hub.core.hold import WarningLists
from hub.doors.http import make_app
from hub.doors.settings import DoorSettings
from tests.doors.clients.misp_feeds import FeedOfMisp
from tests.doors.hubs import a_hub, addresses, doors_of
from tests.story import an_indicator

HOUR_US = 3_600_000_000
LISTS = WarningLists(own_rules=False, networks=[("2001:db8::/32", "a-list")], version="a-list=5")
RESTS = 1e9
"""A feed is used until something else than its collection changes."""


@pytest_asyncio.fixture
async def misp(tmp_path: Path) -> AsyncIterator[FeedOfMisp]:
    """A MISP that has pulled addresses from a hub, which has loaded a list with all of them since."""
    async with a_hub(tmp_path) as before:
        await before.centre("ro")
        await before.centre("it")
        await before.member("soc")
        await before.tell("ro", *addresses(100))
        before.clock.us += HOUR_US
        misp = FeedOfMisp(before)
        await misp.pull()
        assert len(misp.values(to_ids=True)) == 100
    async with a_hub(tmp_path, hold=LISTS.holds, warning_lists=lambda: LISTS, misp_feed_rest=RESTS) as hub:
        hub.tokens.update(before.tokens)
        hub.clock.us += 2 * HOUR_US
        misp.hub = hub
        yield misp


async def test_what_a_newer_list_has_is_not_for_detection_any_more(misp: FeedOfMisp) -> None:
    await misp.pull()
    assert misp.values(to_ids=True) == []


async def test_each_release_arrives_at_once(misp: FeedOfMisp) -> None:
    """Two in one event, one after the other."""
    await misp.pull()
    event, _ = Counter(one["event"] for one in misp.attributes.values()).most_common(1)[0]
    values = sorted(one["value"] for one in misp.attributes.values() if one["event"] == event)[:2]
    said = [an_indicator(f"[ipv6-addr:value = '{value}']", tlp="amber") for value in values]
    assert (await misp.hub.tell("it", *said))["held"] == 2
    head = await misp.hub.store.logs.head((await misp.hub.collection("community")).no)
    for number in (1, 2):
        await misp.hub.registry.held.release([number])
        await misp.hub.settle()
        await misp.pull()
        assert misp.fetched == [event]
        assert misp.values(to_ids=True) == values[:number]
    assert await misp.hub.store.logs.head((await misp.hub.collection("community")).no) == head, "no indicator changed"
    await misp.pull()
    assert misp.fetched == []


async def test_another_server_of_the_store_says_the_same(misp: FeedOfMisp) -> None:
    hub = misp.hub
    await misp.pull()
    await hub.tell("it", an_indicator(f"[ipv6-addr:value = '{misp.values()[0]}']", tlp="amber"))
    await hub.registry.held.release([1])
    await misp.pull()
    events = [(uuid, await misp.json(f"{uuid}.json")) for uuid in misp.events]
    doors = await doors_of(
        hub.store, hub.log, hub.registry, settings=DoorSettings(warning_lists=lambda: LISTS), now_us=hub.clock
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(make_app(doors)), base_url="http://h") as http:
        for uuid, event in events:
            path = f"/v1/collections/community/misp/{uuid}.json"
            assert (await http.get(path, headers=hub.auth("soc"))).json() == event


async def test_what_a_newer_list_does_not_have_is_for_detection_again_when_it_changes(
    misp: FeedOfMisp, tmp_path: Path
) -> None:
    await misp.pull()
    async with a_hub(tmp_path, misp_feed_rest=0) as hub:
        hub.tokens.update(misp.hub.tokens)
        hub.clock.us += 3 * HOUR_US
        misp.hub = hub
        await misp.pull()
        assert misp.values(to_ids=True) == []
        await hub.tell("it", addresses(1, confidence=90)[0])
        hub.clock.us += HOUR_US
        await misp.pull()
        assert misp.values(to_ids=True) == ["2001:db8::1"]
