"""Microsoft Defender for Endpoint's import, by Microsoft Learn, "Manage indicators", and the portal's sample file."""

from __future__ import annotations

import pytest

from hub.doors.export.formats import FORMATS, defender
from tests.doors.entries import an_entry
from tests.doors.formats import defender as reader
from tests.doors.hubs import Hub
from tests.doors.list_readers import writer_of, written_by
from tests.story import an_indicator

PATH = "/v1/collections/public/export.defender"


def part(number: int, count: int) -> list[str]:
    some = [an_entry(f"{name}.example", type="domain-name") for name in range(count)]
    return [value for _, value, _ in reader.read(written_by(writer_of(FORMATS["defender"], part=str(number)), some))]


async def test_a_hub_writes_rows_for_what_defender_takes(hub: Hub) -> None:
    patterns = ("[ipv4-addr:value = '198.51.100.7']", "[ipv4-addr:value ISSUBSET '203.0.113.0/24']",
                "[url:value = 'http://c2.example/a,b']", f"[file:hashes.'SHA-256' = '{'ab' * 32}']")  # fmt: skip
    await hub.tell("ro", *(an_indicator(pattern, tlp="clear", confidence=75) for pattern in patterns))
    answer = await hub.get(f"{PATH}?action=Block", None)
    rows = answer.text.splitlines()[1:]
    assert {tuple(row.replace('"', "").rsplit(",", 10)[0].split(",", 1)) for row in rows} == {
        ("IpAddress", "198.51.100.7"), ("Url", "http://c2.example/a,b"), ("FileSha256", "ab" * 32),
    }  # fmt: skip
    assert all(",Block,High,ctihub public," in row for row in rows)
    assert answer.headers["x-ctihub-skipped"] == "1", "Defender has no networks"
    assert answer.headers["x-ctihub-lines"] == "3"


def test_a_list_comes_in_parts_of_what_one_import_takes() -> None:
    parts = [part(number, 1_100) for number in (1, 2, 3, 4)]
    assert [len(some) for some in parts] == [defender.ROWS, defender.ROWS, 100, 0]
    assert [value for some in parts for value in some] == [f"{name}.example" for name in range(1_100)]


@pytest.mark.parametrize("query", ["?part=0", "?part=31", "?action=Allowed", "?action=block"])
async def test_options_that_defender_does_not_have_are_refused(hub: Hub, query: str) -> None:
    assert (await hub.get(PATH + query, None)).json()["code"] == "export.option"
