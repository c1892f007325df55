"""Lists from kept lines are those that would be made from all rows, whatever has happened between two lists."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
from array import array
from pathlib import Path
from random import Random
from typing import Any

import pytest

from hub.core.step import StepSettings
from hub.doors.export import by_parts, listing, parts
from hub.doors.export.kept_lines import KeptLines
from hub.doors.export.parts import ListPart
from hub.forgetting import Eraser
from hub.model.errors import Broken
from hub.model.forgettings import Request
from hub.store.port import LogPage
from tests.doors.hubs import Hub, a_hub
from tests.story import an_indicator, an_object
from tests.waiting import until

FORMATS = ("txt", "csv", "jsonl", "stix.jsonl")
PATTERNS = (
    "[ipv4-addr:value = '198.51.100.{0}']",
    "[ipv4-addr:value IN ('198.51.100.{0}', '198.51.100.{1}')]",
    "[domain-name:value = 'c{0}.example'] OR [ipv4-addr:value = '198.51.100.{1}']",
    "[file:hashes.'SHA-1' = '{0:040x}' OR file:hashes.'RIPEMD-160' = '{0:040x}']",
    "[file:hashes.'RIPEMD-160' = '{1:040x}']",
)


async def lists(hub: Hub, path: str = "/v1/collections/community") -> dict[str, tuple[bytes, str, str]]:
    found = {}
    for format in FORMATS:
        answer = await hub.get(f"{path}/export.{format}", "soc")
        assert answer.status_code == 200
        found[format] = (answer.content, answer.headers["x-ctihub-lines"], answer.headers["x-ctihub-skipped"])
    return found


@pytest.mark.parametrize("seed", range(3))
async def test_a_list_from_kept_lines_is_that_of_all_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(by_parts, "PART_ROWS", 4)
    random = Random(seed)
    async with a_hub(tmp_path) as hub:
        await hub.centre()
        await hub.member()
        sent: dict[str, dict[str, Any]] = {}
        for step in range(8):
            some = []
            for _ in range(random.randrange(1, 7)):
                pattern = random.choice(PATTERNS).format(random.randrange(6), random.randrange(6))
                labels = ["PAP:RED"] if random.random() < 0.1 else [f"step {step}"]
                some.append(an_indicator(pattern, confidence=random.randrange(101), labels=labels))
            sent |= {one["id"]: one for one in some}
            await hub.tell("ro", *some, an_object("malware", f"m{step}", name="m", is_family=False))
            if random.random() < 0.5:
                await hub.withdraw("ro", *random.sample(sorted(sent), min(3, len(sent))))
            kept = await lists(hub)
            with monkeypatch.context() as patched:
                patched.setattr(listing, "has_parts", lambda _: False)
                hub.doors.log_watch._tell({})  # what was finished is made again
                assert await lists(hub) == kept, (seed, step)


async def test_only_what_has_changed_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_parts, "PART_ROWS", 4)
    async with a_hub(tmp_path) as hub:
        await hub.centre()
        await hub.member()
        some = [an_indicator(f"198.51.100.{no}") for no in range(40)]
        await hub.tell("ro", *some)
        await hub.get("/v1/collections/community/export.txt", "soc")
        read: list[int] = []
        real = type(hub.store.logs).page

        async def page(*args: Any, **more: Any) -> LogPage:
            found = await real(*args, **more)
            read.extend(row.seq for row in found.rows)
            return found

        monkeypatch.setattr(type(hub.store.logs), "page", page)
        await hub.withdraw("ro", some[10]["id"])
        read.clear()
        answer = await hub.get("/v1/collections/community/export.txt", "soc")
        assert len(answer.text.split()) == 39
        assert len(read) < 20, "the part of the replaced row, and the end"


@pytest.mark.parametrize("format", ["csv", "stix.jsonl"])
async def test_a_row_that_is_replaced_meanwhile_is_in_the_list_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: str
) -> None:
    monkeypatch.setattr(by_parts, "PART_ROWS", 4)
    async with a_hub(tmp_path) as hub:
        await hub.centre()
        await hub.member()
        await hub.tell("ro", *(an_indicator(f"198.51.100.{no}") for no in range(12)))
        before = (await lists(hub))[format]
        await hub.tell("ro", an_indicator("198.51.100.99"))
        monkeypatch.setattr(KeptLines, "find", lambda kept, key: find(kept, f"new {key}"))
        real = type(hub.store.logs).page

        async def page(*args: Any, **more: Any) -> LogPage:
            monkeypatch.setattr(type(hub.store.logs), "page", real)
            found = await real(*args, **more)
            await hub.tell("ro", an_indicator("198.51.100.1", confidence=99))
            return found

        monkeypatch.setattr(type(hub.store.logs), "page", page)
        answer = await hub.get(f"/v1/collections/community/export.{format}", "soc")
        assert int(answer.headers["x-ctihub-lines"]) == int(before[1]) + 1
        assert len(answer.text.splitlines()) == len(before[0].splitlines()) + 1


async def test_a_value_that_is_left_out_of_several_parts_is_counted_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_parts, "PART_ROWS", 1)
    async with a_hub(tmp_path) as hub:
        await hub.centre()
        await hub.member()
        names = "[domain-name:value = '-a.example'] OR [domain-name:value = '{}.example']"
        await hub.tell("ro", *(an_indicator(names.format(one)) for one in ("b", "c", "-d")))
        answer = await hub.get("/v1/collections/community/export.adblock", "soc")
        assert (answer.headers["x-ctihub-lines"], answer.headers["x-ctihub-skipped"]) == ("2", "2"), answer.text


find = KeptLines.find


def a_part(*values: int, shared: frozenset[int] = frozenset()) -> ListPart:
    lines = b"".join(b"%d\n" % value for value in values)
    ends = [sum(len(b"%d\n" % value) for value in values[: no + 1]) for no in range(len(values))]
    return ListPart(lines, array("Q", values), array("Q", ends), shared, 0)


def test_a_value_of_several_parts_is_in_the_first_of_them() -> None:
    some = [a_part(1, 2, 3), a_part(3, 4, shared=frozenset({3})), a_part(3, 1, 5)]
    duplicates = parts.Duplicates()
    for part in some:
        duplicates.expect(part)
    assert [part.without(duplicates.of(part)) for part in some] == [b"1\n2\n3\n", b"4\n", b"1\n5\n"]


def test_of_more_than_there_is_room_for_what_was_used_last_is_kept(tmp_path: Path) -> None:
    kept = KeptLines(tmp_path, 6_000)
    for key in "abca":
        one = kept.find(key)
        kept.keep(one, 0, a_part(*range(100)))
        kept.set_seq(one, 7)
    assert (kept.find("a").seq, kept.find("b").seq) == (7, 0)
    assert list(tmp_path.iterdir()) == [], "the file has no name"


def test_a_damaged_file_is_an_error_once_and_then_begun_again(tmp_path: Path) -> None:
    kept = KeptLines(tmp_path, 1 << 20)
    one = kept.find("a")
    kept.set_seq(one, 7)
    damaged = kept._opened
    assert damaged is not None
    damaged.execute("drop table parts")
    with pytest.raises(Broken, match="could not be written"):
        kept.keep(one, 0, a_part(1))
    assert kept.find("a").seq == 0
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        damaged.execute("select 1")  # otherwise its file would take room on the disk


def test_what_a_cancelled_request_still_writes_is_dropped(tmp_path: Path) -> None:
    kept = KeptLines(tmp_path, 1 << 20)
    cancelled, later = kept.find("a"), kept.find("a")
    kept.keep(later, 0, a_part(2))
    kept.set_seq(later, 7)
    kept.keep(cancelled, 0, a_part(1))
    kept.keep(cancelled, 1, a_part(1))
    kept.drop(cancelled, [0], 0)
    kept.set_seq(cancelled, 8)
    found = kept.find("a")
    assert (found.seq, [part.lines for _, part in kept.parts(found)]) == (7, [b"2\n"])


def test_ever_new_lists_do_not_take_ever_more_room(tmp_path: Path) -> None:
    kept = KeptLines(tmp_path, 1 << 30)
    for no in range(400):
        one = kept.find(f"{no} " + "x" * 20_000)
        kept.keep(one, 0, a_part())
        kept.set_seq(one, 7)
    assert kept._opened is not None
    assert kept._opened.execute("select count(*) from kept").fetchone()[0] <= 257
    pages = kept._opened.execute("pragma page_count").fetchone()[0]
    assert pages * 4096 < 1 << 20
    assert kept.find("399 " + "x" * 20_000).seq == 7


def opened() -> list[KeptLines]:
    """All of this process that have a file."""
    return [one for one in gc.get_objects() if isinstance(one, KeptLines) and one._opened is not None]


async def test_what_is_erased_is_in_no_kept_line(tmp_path: Path) -> None:
    before = opened()
    async with a_hub(tmp_path) as hub:
        await hub.centre()
        await hub.member()
        await hub.tell("ro", an_indicator("[domain-name:value = 'alice.example']"), an_indicator())
        path = "/v1/collections/community/export.txt"
        assert "alice.example" in (await hub.get(path, "soc")).text
        [kept] = [one for one in opened() if one not in before]
        eraser = Eraser(hub.store, hub.log, StepSettings(), hub.clock)
        await eraser.run(await eraser.remember(await eraser.look_up("alice.example"), Request("dpo", "asked for", "7")))
        await until(lambda: kept._opened is None, what="the file with the lines to be closed")
        assert (await hub.get(path, "soc")).text == "198.51.100.7\n"


async def test_lines_are_dropped_when_the_last_list_that_is_being_made_is_done(tmp_path: Path) -> None:
    kept = KeptLines(tmp_path, 1 << 20)
    async with kept.updating("a"):
        one = await asyncio.to_thread(kept.find, "a")
        await asyncio.to_thread(kept.keep, one, 0, a_part(1, 2))
        kept.clear()
        assert [part.lines for _, part in await asyncio.to_thread(lambda: list(kept.parts(one)))] == [b"1\n2\n"], (
            "the list that is being made is whole"
        )
    assert kept._opened is None
