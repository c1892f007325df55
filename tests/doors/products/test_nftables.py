"""nftables: lists are loaded by nft, into a network of their own, and read back from the kernel."""

from __future__ import annotations

import json
from collections.abc import Iterable
from ipaddress import collapse_addresses, ip_address, ip_network, summarize_address_range
from pathlib import Path
from typing import Any

import pytest

from tests.doors.entries import an_entry
from tests.doors.products.lists import empty, pasted, written
from tests.doors.products.programs import alone, program, ran

RULES = pasted("nftables", "nft")


@pytest.fixture(autouse=True)
def nft() -> str:
    return program("nft", "nftables")


def sets_after(folder: Path, *files: bytes) -> dict[str, list[Any]]:
    """The networks of the page's two sets, after these files have been loaded one by one."""
    paths = [folder / f"{number}.nft" for number in range(len(files))]
    for path, content in zip(paths, files, strict=True):
        path.write_bytes(content)
    script = "".join(f"nft -c -f {path}; nft -f {path}; " for path in paths)
    said = json.loads(ran(alone(f"{script} nft -j list sets")))["nftables"]
    found = [one["set"] for one in said if "set" in one]
    return {one["name"]: collapsed(map(_networks, one.get("elem", ()))) for one in found}


def _networks(element: Any) -> list[Any]:
    match element:
        case {"range": [first, last]}:
            return list(summarize_address_range(ip_address(first), ip_address(last)))
        case {"prefix": {"addr": address, "len": length}}:
            return [ip_network(f"{address}/{length}")]
        case _:
            return [ip_network(element)]


def collapsed(networks: Iterable[list[Any]]) -> list[Any]:
    return list(collapse_addresses(one for some in networks for one in some))


def blocked(values: Iterable[str]) -> list[Any]:
    return collapsed([ip_network(value)] for value in values)


def test_the_kernel_has_exactly_what_the_list_says(tmp_path: Path) -> None:
    v4, v6 = written("nftables", "ipv4-addr"), written("nftables", "ipv6-addr")
    both = written("nftables")
    expected = {"blocked_ipv4": blocked(v4.values), "blocked_ipv6": blocked(v6.values)}
    assert sets_after(tmp_path, both.content) == expected
    assert sets_after(tmp_path, v4.content, v6.content) == expected


def test_kinds_in_turn_end_in_the_same_sets(tmp_path: Path) -> None:
    some = [an_entry("198.51.100.7"), an_entry("2001:db8::7", type="ipv6-addr"), an_entry("198.51.100.9")]
    found = sets_after(tmp_path, written("nftables", entries=tuple(some)).content)
    assert found["blocked_ipv4"] == blocked(["198.51.100.7", "198.51.100.9"])
    assert found["blocked_ipv6"] == blocked(["2001:db8::7"])


def test_a_later_list_replaces_an_earlier_one_and_an_empty_one_empties_it(tmp_path: Path) -> None:
    before = written("nftables", "ipv4-addr").content
    after = written("nftables", "ipv4-addr", entries=(an_entry("192.0.2.1"),)).content
    assert sets_after(tmp_path, before, after)["blocked_ipv4"] == blocked(["192.0.2.1"])
    assert sets_after(tmp_path, before, empty("nftables", "ipv4-addr"))["blocked_ipv4"] == []
    assert sets_after(tmp_path, empty("nftables")) == {"blocked_ipv4": [], "blocked_ipv6": []}


def test_the_rules_of_the_page_work_before_and_after_a_list(tmp_path: Path) -> None:
    found = sets_after(tmp_path, RULES.encode(), written("nftables").content)
    assert found["blocked_ipv4"]
    assert found["blocked_ipv6"]
