"""Wazuh's CDB lists. Source: wazuh/wazuh, ``analysisd/lists_make.c`` and ``lists_list.c`` of version 4."""

from __future__ import annotations

from tests.doors.formats import wazuh
from tests.doors.hubs import Hub
from tests.story import an_indicator

PATH = "/v1/collections/public/export.wazuh"


def finds_address(keys: set[str], address: str) -> bool:
    """Whether ``address_match_key`` finds an address: itself, or what it begins with up to a dot."""
    return address in keys or any(address[: at + 1] in keys for at, char in enumerate(address) if char == ".")


async def test_a_list_has_values_and_their_confidence(hub: Hub) -> None:
    patterns = ("[url:value = 'http://c2.example/']", "[ipv6-addr:value = '2001:db8::7']",
                "[file:hashes.MD5 = 'd41d8cd98f00b204e9800998ecf8427e']")  # fmt: skip
    await hub.tell("ro", *(an_indicator(pattern, tlp="clear", confidence=70) for pattern in patterns))
    answer = await hub.get(PATH, None)
    assert sorted(wazuh.read(answer.content)) == [
        ("2001:db8::7", "70"), ("d41d8cd98f00b204e9800998ecf8427e", "70"), ("http://c2.example/", "70"),
    ]  # fmt: skip


async def test_networks_are_found_by_what_addresses_begin_with(hub: Hub) -> None:
    networks = ("198.51.100.0/24", "203.0.113.128/25")
    await hub.tell("ro", *(an_indicator(f"[ipv4-addr:value ISSUBSET '{one}']", tlp="clear") for one in networks))
    answer = await hub.get(f"{PATH}?type=ipv4-addr", None)
    keys = {key for key, _ in wazuh.read(answer.content)}
    assert finds_address(keys, "198.51.100.77")
    assert not finds_address(keys, "198.51.10.77")
    assert not finds_address(keys, "203.0.113.200")
    assert answer.headers["x-ctihub-skipped"] == "1", "Wazuh has no networks of other sizes"


async def test_a_file_that_is_called_like_a_network_neither_blocks_nor_replaces_one(hub: Hub) -> None:
    names = ("203.0.113.0/24", "198.51.100.7", "192.", "2001:db8::7")
    await hub.tell("it", *(an_indicator(f"[file:name = '{one}']", tlp="clear") for one in names))
    await hub.tell("ro", an_indicator("[ipv4-addr:value ISSUBSET '203.0.113.0/24']", tlp="clear", confidence=70))
    for query in ("", "?limit=10", "?collapse=1"):
        answer = await hub.get(PATH + query, None)
        assert [key for key, _ in wazuh.read(answer.content)] == ["203.0.113."], query
        assert answer.headers["x-ctihub-skipped"] == "4", query
