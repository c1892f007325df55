"""RouterOS: scripts are run by an interpreter of the few commands that they may have; no router was tried."""

from __future__ import annotations

from tests.doors.entries import an_entry
from tests.doors.formats.mikrotik import READER, Lists, run
from tests.doors.products.lists import empty, written

BEFORE: Lists = [("ip", "ctihub", "192.0.2.1"), ("ip", "others", "192.0.2.2"), ("ipv6", "ctihub", "2001:db8::1")]


def test_the_router_has_exactly_what_the_list_says() -> None:
    some = written("mikrotik")
    assert READER.read(some.content) == [READER.says(entry) for entry in some.entries]


def test_a_list_of_one_kind_leaves_the_other_and_the_lists_of_others_alone() -> None:
    some = written("mikrotik", "ipv4-addr", entries=(an_entry(),))
    assert sorted(run(some.content, BEFORE)) == sorted([*BEFORE[1:], ("ip", "ctihub", "198.51.100.7")])
    assert run(empty("mikrotik", "ipv4-addr"), BEFORE) == BEFORE[1:]


def test_a_script_may_run_again_and_one_that_ends_in_the_middle_changes_nothing() -> None:
    some = written("mikrotik").content
    once = run(some, BEFORE)
    assert run(some, once) == once
    half = some[: some.index(b"/ip firewall address-list remove [find list=ctihub]")]
    cut = run(half, BEFORE)
    assert [one for one in cut if one[1] == "ctihub"] == [one for one in BEFORE if one[1] == "ctihub"]
    assert sorted(run(some, cut)) == sorted(once)
