"""The memory of lists that keep something until their end: no more than what is reserved for them."""

from __future__ import annotations

import hashlib
import tempfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.doors.export import sorted_keys
from hub.doors.export.asked import Asked
from hub.doors.export.distinct import _RECENT, DistinctValues
from hub.doors.export.format import Writer
from hub.doors.export.formats import FORMATS
from hub.doors.export.routes import _room_bytes
from hub.doors.export.sorted_keys import SortedKeys
from tests.doors.entries import an_entry
from tests.doors.hubs import a_hub
from tests.doors.list_readers import writer_of
from tests.story import an_indicator

VALUES = 100_000


def peak_bytes(run: Callable[[], object]) -> int:
    """The greatest memory that ``run`` has at one moment."""
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def finish(writer: Writer) -> int:
    """Take what follows the lines, as a list does: part by part."""
    return sum(len(part) for part in writer.end())


def test_a_list_of_keys_takes_no_more_memory_than_is_reserved() -> None:
    format = FORMATS["hashset"]

    def run() -> None:
        writer = writer_of(format)
        for no in range(VALUES):
            writer.line(an_entry(f"c{no}.example", type="domain-name"))
        assert finish(writer) == VALUES * 65

    assert peak_bytes(run) < format.room_bytes(format.options())


def test_what_is_known_of_each_value_stays_small_while_it_grows() -> None:
    count = 4 * _RECENT  # at the last, half of them are merged with the other half

    def run() -> None:
        seen = DistinctValues()
        assert all(seen.first_time(str(no)) for no in range(count))

    assert peak_bytes(run) < 50 * count


async def test_what_is_reserved_depends_on_format_and_choice() -> None:
    bloom, hashset = FORMATS["bloom"], FORMATS["hashset"]
    options = bloom.options.model_validate({"capacity": "5000000", "false_positive_rate": "0.000001"})
    least = _room_bytes(Asked(FORMATS["txt"], frozenset()))
    assert _room_bytes(Asked(bloom, frozenset(), options=options)) == least + bloom.room_bytes(options)
    assert _room_bytes(Asked(hashset, frozenset())) == least + sorted_keys.ROOM_BYTES
    assert _room_bytes(Asked(FORMATS["txt"], frozenset(), limit=10_000)) == least + 10_000_000


def test_the_largest_filter_takes_no_more_memory_than_is_reserved() -> None:
    format = FORMATS["bloom"]
    options = {"capacity": "5000000", "false_positive_rate": "0.000001"}

    def run() -> None:
        assert finish(writer_of(format, **options)) > 17_000_000

    assert peak_bytes(run) < format.room_bytes(format.options.model_validate(options)) < 25_000_000


@given(numbers=st.lists(st.integers(0, 30), max_size=40))
def test_keys_come_sorted_and_once_from_any_number_of_runs(numbers: list[int]) -> None:
    said = [hashlib.sha256(bytes([no])).digest() for no in numbers]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sorted_keys, "_RUN_KEYS", 3)
        patch.setattr(sorted_keys, "_READ_BYTES", 2 * sorted_keys.KEY_BYTES)
        keys = SortedKeys(tempfile.TemporaryFile)
        for key in said:
            keys.add(key)
        assert list(keys) == sorted(set(said))


async def test_a_disk_that_is_full_while_keys_are_sorted_is_an_error_that_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sorted_keys, "_RUN_KEYS", 1)
    monkeypatch.setattr(sorted_keys.SortedKeys, "_write", full)
    async with a_hub(tmp_path) as hub:
        await hub.centre()
        await hub.tell("ro", an_indicator(tlp="clear"))
        answer = await hub.get("/v1/collections/public/export.hashset")
    assert (answer.status_code, answer.json()["code"]) == (500, "export.disk")


def full(_: object) -> None:
    raise OSError(28, "No space left on device")
