"""Cisco: feeds are read by the rules of its page on custom lists and feeds; no management center was tried."""

from __future__ import annotations

import pytest

from hub.doors.export.formats import FORMATS
from tests.doors.entries import an_entry
from tests.doors.formats.cisco import READER
from tests.doors.products.lists import empty, written


@pytest.mark.parametrize("kind", sorted(FORMATS["cisco"].kinds))
def test_the_management_center_reads_exactly_what_the_list_says(kind: str) -> None:
    some = written("cisco", kind)
    assert READER.read(some.content) == [READER.says(entry) for entry in some.entries]
    assert empty("cisco", kind) == b""


@pytest.mark.parametrize("value", ["0.0.0.0/0", "#198.51.100.7", "198.51.100.7 #"])
def test_what_is_no_address_is_left_out(value: str) -> None:
    assert written("cisco", entries=(an_entry(value),)).content == b""
