"""PAN-OS: lists are read by the rules of its pages on external dynamic lists; no firewall was tried."""

from __future__ import annotations

import pytest

from hub.doors.export.formats import FORMATS
from tests.doors.entries import an_entry
from tests.doors.formats.edl import LONGEST, READER
from tests.doors.products.lists import empty, written


@pytest.mark.parametrize("kind", sorted(FORMATS["edl"].kinds))
def test_the_firewall_reads_exactly_what_the_list_says(kind: str) -> None:
    some = written("edl", kind)
    assert READER.read(some.content) == [READER.says(entry) for entry in some.entries]
    assert empty("edl", kind) == b""


@pytest.mark.parametrize(
    "url",
    ["http://c2.example/a*b", "http://c2.example/^", "http://c2.example:8080/", "http://[2001:db8::7]/",
     "http://c2.example/#top", "ftp://c2.example/", f"http://c2.example/{'a' * 255}"],
)  # fmt: skip
def test_urls_that_would_mean_something_else_are_left_out(url: str) -> None:
    assert written("edl", entries=(an_entry(url, type="url"), an_entry("http://c2.example/", type="url"))).content == (
        b"c2.example/\n"
    )


def test_the_longest_entry_is_the_one_of_the_page() -> None:
    url = f"http://c2.example/{'a' * (LONGEST - len('c2.example/'))}"
    assert written("edl", entries=(an_entry(url, type="url"),)).values == [url]
    assert written("edl", entries=(an_entry(f"{url}a", type="url"),)).values == []
