"""The file with the kept lines of lists: what is in it, what is dropped from it, and when."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from hub.doors.export import kept_lines
from hub.doors.export.kept_lines import KeptLines, KeptList
from hub.doors.export.parts import KeptLine
from hub.model.errors import Broken, TryAgain
from hub.model.words import Seq
from tests.waiting import WITHIN_S

END = Seq(1)


def a_line(row: int, value: int | None = None, *, skipped: int = 0) -> KeptLine:
    return KeptLine(Seq(row), value, b"" if skipped else b"%d of %d\n" % (value or 0, row), skipped)


def content(kept: KeptLines, one: KeptList) -> tuple[bytes, int, int]:
    """The text of a list, the number of its lines, and how many values are left out."""
    found = bytearray()
    count, skipped = kept.copy(one, found.extend)
    return bytes(found), count, skipped


def expected(lines: Sequence[KeptLine]) -> tuple[bytes, int, int]:
    """As ``content``: each value once, as the first row has it."""
    seen = set[int]()
    shown = []
    for line in lines:
        if line.digest is None or line.digest not in seen:
            shown.append(line)
        if line.digest is not None:
            seen.add(line.digest)
    texts = [line.text for line in shown if line.text]
    return b"".join(texts), len(texts), sum(line.skipped for line in shown)


def file_bytes(kept: KeptLines) -> int:
    """The size of the file."""
    assert kept._opened is not None
    count, size = (kept._opened.execute(f"pragma {name}").fetchone()[0] for name in ("page_count", "page_size"))
    return int(count * size)


def find(kept: KeptLines, key: str) -> KeptList:
    """A list that is not being made any more."""

    async def found() -> KeptList:
        async with kept.updating(key, END) as one:
            return one

    return asyncio.run(found())


@pytest.mark.parametrize("seed", range(10))
def test_whatever_is_added_and_removed_each_value_is_in_a_list_once_in_the_order_of_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    random = Random(seed)
    monkeypatch.setattr(kept_lines, "_COPY_BYTES", random.choice([1, 30, 1_000]))
    kept = KeptLines(tmp_path, 1 << 20)
    lines: dict[str, list[KeptLine]] = {"a": [], "b": []}
    row = 0
    for _ in range(60):
        key = random.choice("ab")
        one = find(kept, key)
        match random.randrange(20):
            case step if step < 12:
                new = []
                for _ in range(random.randrange(4)):
                    row += random.randrange(1, 3)
                    values = random.sample(range(-6, 6), random.randrange(4))
                    new += [a_line(row, value, skipped=int(random.random() < 0.2)) for value in values]
                    new += [a_line(row), a_line(row, skipped=2)] if random.random() < 0.2 else []
                one = one._replace(seq=Seq(row))
                kept.append(one, new, most=random.choice([1, 4]))
                lines[key] += new
            case _:
                rows = {Seq(random.randrange(row + 1)) for _ in range(random.randrange(1, 6))}
                kept.remove(one, rows)
                one = one._replace(as_of=Seq(row))
                kept.save(one)
                lines[key] = [line for line in lines[key] if line.row not in rows]
        assert content(kept, one) == expected(lines[key])
        again = find(kept, key)
        assert again._replace(used=one.used) == one
        assert content(kept, again) == expected(lines[key])


def test_of_more_than_there_is_room_for_what_was_used_last_is_kept(tmp_path: Path) -> None:
    kept = KeptLines(tmp_path, 200_000)
    for key in "abca":
        kept.append(find(kept, key)._replace(seq=Seq(7)), [KeptLine(Seq(7), 7, b"x" * 80_000)], most=1)
    assert (find(kept, "a").seq, find(kept, "b").seq) == (7, 0)
    assert list(tmp_path.iterdir()) == [], "the file has no name"


def test_what_is_dropped_takes_no_room_on_the_disk(tmp_path: Path) -> None:
    kept = KeptLines(tmp_path, 200_000)
    for key in "abcdef":
        one = find(kept, key)._replace(seq=Seq(7))
        kept.append(one, [KeptLine(Seq(7), 7, b"x" * 80_000)], most=1)
        kept.save(one)
        assert content(kept, one) == (b"x" * 80_000, 1, 0)
        assert file_bytes(kept) <= 200_000


async def test_a_list_that_is_being_made_is_not_dropped_for_another(tmp_path: Path) -> None:
    kept = KeptLines(tmp_path, 1)
    async with kept.updating("a", END) as one:
        await asyncio.to_thread(kept.append, one, [a_line(1, 1)], most=4)
        async with kept.updating("b", END):
            assert await asyncio.to_thread(content, kept, one) == (b"1 of 1\n", 1, 0)
    async with kept.updating("c", END), kept.updating("a", END) as again:
        assert again.seq == 0, "it is dropped later"


def test_a_damaged_file_is_an_error_once_and_then_begun_again(tmp_path: Path) -> None:
    kept = KeptLines(tmp_path, 1 << 20)
    one, other = find(kept, "a"), find(kept, "b")
    kept.save(one._replace(seq=Seq(7)))
    damaged = kept._opened
    assert damaged is not None
    damaged.execute("drop table parts")
    with pytest.raises(Broken, match="could not be written"):
        kept.append(one, [a_line(8)], most=4)
    with pytest.raises(TryAgain, match="dropped"):
        content(kept, other)  # otherwise it would be taken for an empty list
    assert find(kept, "a").seq == 0
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        damaged.execute("select 1")  # otherwise its file would take room on the disk


def test_what_a_cancelled_request_still_writes_is_refused(tmp_path: Path) -> None:
    kept = KeptLines(tmp_path, 1 << 20)
    cancelled, later = find(kept, "a"), find(kept, "a")
    kept.append(later, [a_line(1, 1)], most=4)
    with pytest.raises(TryAgain, match="dropped"):
        kept.append(cancelled, [a_line(1, 1)], most=4)
    with pytest.raises(TryAgain, match="dropped"):
        kept.remove(cancelled, {Seq(1)})
    assert content(kept, later) == (b"1 of 1\n", 1, 0)


def test_ever_new_lists_do_not_take_ever_more_room(tmp_path: Path) -> None:
    kept = KeptLines(tmp_path, 1 << 30)
    for no in range(400):
        one = find(kept, f"{no} " + "x" * 20_000)._replace(seq=Seq(7))
        kept.append(one, [a_line(7, 7)], most=4)
    assert kept._opened is not None
    for table in ("parts", "rows_of_values"):
        assert kept._opened.execute(f"select count(distinct list) from {table}").fetchone()[0] <= 257
    assert file_bytes(kept) < 1 << 20
    assert find(kept, "399 " + "x" * 20_000).seq == 7


async def test_a_cancelled_request_that_waits_for_the_file_stops_no_later_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = KeptLines(tmp_path, 1 << 20)
    real = KeptLines._find
    begun, goes_on, has_ended = threading.Event(), threading.Event(), threading.Event()

    def waiting(*args: Any) -> KeptList:
        begun.set()
        goes_on.wait(WITHIN_S)
        try:
            return real(*args)
        finally:
            has_ended.set()

    async def ask() -> None:
        async with kept.updating("a", END):
            raise AssertionError("it is cancelled")

    async with asyncio.TaskGroup() as group:
        with monkeypatch.context() as patched:
            patched.setattr(KeptLines, "_find", waiting)
            cancelled = group.create_task(ask())
            await asyncio.to_thread(begun.wait, WITHIN_S)
        cancelled.cancel()
        await asyncio.wait([cancelled])
        async with kept.updating("a", END) as one:
            goes_on.set()
            await asyncio.to_thread(has_ended.wait, WITHIN_S)
            await asyncio.to_thread(kept.append, one, [a_line(1, 1)], most=4)
            assert await asyncio.to_thread(content, kept, one) == (b"1 of 1\n", 1, 0)
