"""Snort's reputation inspector. Sources: Snort, README.reputation; Suricata user guide, "IP Reputation Format"."""

from __future__ import annotations

from tests.doors.formats import snort_reputation
from tests.doors.hubs import Hub
from tests.story import an_indicator

PATH = "/v1/collections/public/export.snort-reputation"
PATTERNS = (
    "[ipv4-addr:value = '198.51.100.7']",
    "[ipv6-addr:value ISSUBSET '2001:db8::/48']",
    "[domain-name:value = 'c2.example']",
)


async def test_a_list_has_addresses_and_networks_and_nothing_else(hub: Hub) -> None:
    await hub.tell("ro", *(an_indicator(pattern, tlp="clear") for pattern in PATTERNS))
    answer = await hub.get(PATH, None)
    assert set(snort_reputation.read(answer.content)) == {"198.51.100.7", "2001:db8::/48"}


async def test_with_a_category_lines_are_those_of_suricata(hub: Hub) -> None:
    for confidence, pattern in zip((0, 80, 90), PATTERNS, strict=True):
        await hub.tell("ro", an_indicator(pattern, tlp="clear", confidence=confidence))
    answer = await hub.get(f"{PATH}?category=7", None)
    assert set(answer.text.splitlines()) == {"198.51.100.7,7,1", "2001:db8::/48,7,80"}


async def test_suricata_has_sixty_categories(hub: Hub) -> None:
    answer = await hub.get(f"{PATH}?category=61", None)
    assert answer.json()["code"] == "export.option"
