"""ipset: lists are restored by ipset, into a network of their own, and read back from the kernel."""

from __future__ import annotations

from collections import defaultdict
from ipaddress import ip_network
from pathlib import Path

import pytest

from tests.doors.entries import an_entry
from tests.doors.products.lists import empty, written
from tests.doors.products.programs import alone, program, ran


@pytest.fixture(autouse=True)
def ipset() -> str:
    return program("ipset", "ipset")


def sets_after(folder: Path, *files: bytes, then: str = "") -> dict[str, set[object]]:
    """The networks of each set, after these files have been restored one by one."""
    paths = [folder / f"{number}.ipset" for number in range(len(files))]
    for path, content in zip(paths, files, strict=True):
        path.write_bytes(content)
    script = "".join(f"ipset restore -file {path}; " for path in paths)
    found: dict[str, set[object]] = defaultdict(set)
    for line in ran(alone(f"{script} {then} ipset save")).splitlines():
        command, name, value, *_ = line.split()
        found[name] |= {ip_network(value)} if command == "add" else set()
    return dict(found)


def test_the_kernel_has_exactly_what_the_list_says(tmp_path: Path) -> None:
    both = written("ipset")
    networks = [ip_network(value) for value in both.values]
    found = sets_after(tmp_path, both.content)
    assert found == {
        "ctihub-ipv4": {one for one in networks if one.version == 4},
        "ctihub-ipv6": {one for one in networks if one.version == 6},
    }


def test_a_later_list_replaces_an_earlier_one_and_an_empty_one_empties_it(tmp_path: Path) -> None:
    before = written("ipset", "ipv4-addr").content
    after = written("ipset", "ipv4-addr", entries=(an_entry("192.0.2.1"),)).content
    assert sets_after(tmp_path, before, after) == {"ctihub-ipv4": {ip_network("192.0.2.1")}}
    assert sets_after(tmp_path, before, empty("ipset", "ipv4-addr")) == {"ctihub-ipv4": set()}


def test_a_list_that_ends_in_the_middle_changes_nothing_and_is_no_obstacle_to_the_next(tmp_path: Path) -> None:
    before = written("ipset", "ipv4-addr", entries=(an_entry("192.0.2.1"),)).content
    whole = written("ipset", "ipv4-addr")
    half = whole.content[: whole.content.index(b"swap")]
    found = sets_after(tmp_path, before, half)
    assert found["ctihub-ipv4"] == {ip_network("192.0.2.1")}
    after = written("ipset", "ipv4-addr", entries=(an_entry("192.0.2.3"),)).content
    assert sets_after(tmp_path, before, half, after) == {"ctihub-ipv4": {ip_network("192.0.2.3")}}


def test_the_name_of_the_sets_may_be_chosen(tmp_path: Path) -> None:
    content = written("ipset", "ipv6-addr", set="abcdefghijklmnopqrst").content
    assert list(sets_after(tmp_path, content)) == ["abcdefghijklmnopqrst-ipv6"]
