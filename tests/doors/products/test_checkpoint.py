"""Check Point: feeds are read by the rules of sk132193 and its guide; no gateway was tried."""

from __future__ import annotations

import csv

from tests.doors.entries import an_entry
from tests.doors.formats.checkpoint import READER
from tests.doors.products.lists import empty, written


def rows(content: bytes) -> list[list[str]]:
    return [row for row in csv.reader(content.decode("ascii").splitlines()) if not row[0].startswith("#")]


def test_the_gateway_reads_exactly_what_the_list_says() -> None:
    some = written("checkpoint")
    assert READER.read(some.content) == [READER.says(entry) for entry in some.entries]
    assert rows(empty("checkpoint")) == []


def test_a_network_is_a_range() -> None:
    [row] = rows(written("checkpoint", entries=(an_entry("198.51.100.0/24"),)).content)
    assert row[1:3] == ["198.51.100.0-198.51.100.255", "IP Range"]


def test_a_name_stays_the_same_while_its_value_does() -> None:
    first, second = (an_entry(), an_entry(id="indicator--2", confidence=None))
    [one], [other] = (rows(written("checkpoint", entries=(entry,)).content) for entry in (first, second))
    assert one[0] == other[0]


def test_confidence_is_in_the_words_of_the_product() -> None:
    said = {confidence: rows(written("checkpoint", entries=(an_entry(confidence=confidence),)).content)[0][3]
            for confidence in (None, 0, 29, 30, 69, 70, 100)}  # fmt: skip
    assert said == {None: "medium", 0: "low", 29: "low", 30: "medium", 69: "medium", 70: "high", 100: "high"}


def test_an_id_that_is_none_is_not_written() -> None:
    for hostile in ('a,b\n"', "=cmd|' /C calc'!A0", "#x"):
        [row] = rows(written("checkpoint", entries=(an_entry(id=hostile),)).content)
        assert row[-1] == ""
