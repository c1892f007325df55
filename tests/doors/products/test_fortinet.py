"""Fortinet: feeds are read by the rules of its administration guides; no device was tried."""

from __future__ import annotations

import pytest

from hub.doors.export.formats import FORMATS
from tests.doors.entries import an_entry
from tests.doors.formats.fortinet import READER
from tests.doors.products.lists import empty, written


@pytest.mark.parametrize("kind", sorted(FORMATS["fortinet"].kinds))
def test_the_device_reads_exactly_what_the_list_says(kind: str) -> None:
    some = written("fortinet", kind)
    assert READER.read(some.content) == [READER.says(entry) for entry in some.entries]
    assert empty("fortinet", kind) == b""


@pytest.mark.parametrize("url", ["http://c2.example/a*", "http://c2.example/#top"])
def test_urls_that_would_mean_something_else_are_left_out(url: str) -> None:
    assert written("fortinet", entries=(an_entry(url, type="url"),)).content == b""


def test_a_list_is_no_larger_than_the_file_that_a_device_takes() -> None:
    urls = tuple(an_entry(f"http://c2.example/{number}/{'a' * 4_000}", type="url") for number in range(2_600))
    some = written("fortinet", entries=urls)
    assert 10_000_000 - 4_096 < len(some.content) <= 10_000_000
    assert len(some.entries) < len(urls)
    assert FORMATS["fortinet"].limits.lines == 131_072
