"""Values that are kept in case they are asked for again: never too many, made once, and gone when they are dropped."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from hub.doors.kept import KeptValues

SIZE = 10 << 10


@dataclass
class Made:
    """A value."""

    text: str
    size_bytes: int = SIZE


class Maker:
    """Makes values one after the other; waits while ``may_go`` is not set."""

    def __init__(self) -> None:
        self.count = 0
        self.fails = False
        self.may_go = asyncio.Event()
        self.may_go.set()

    async def __call__(self) -> Made:
        self.count += 1
        await self.may_go.wait()
        if self.fails:
            raise ValueError("it fails")
        return Made(f"value {self.count}")


async def test_the_last_used_ones_are_kept_up_to_the_size() -> None:
    kept: KeptValues[Made] = KeptValues(4 * (SIZE + 1024))
    make = Maker()
    for key in range(4):
        await kept.get(key, 1, make)
    assert kept.find(0) == Made("value 1")
    await kept.get(4, 1, make)
    assert [kept.find(key) is None for key in range(5)] == [False, True, False, False, False]
    assert kept.held_bytes == 4 * (SIZE + 1024)


async def test_the_last_used_ones_are_kept_up_to_their_number() -> None:
    kept: KeptValues[Made] = KeptValues(1 << 30, most_values=2)
    make = Maker()
    for key in (0, 1, 0, 2):
        await kept.get(key, 1, make)
    assert [kept.find(key) is None for key in range(3)] == [False, True, False]


async def test_what_is_empty_or_too_large_is_not_kept() -> None:
    kept: KeptValues[Made] = KeptValues(SIZE)
    for size in (0, SIZE, 2 * SIZE):

        async def make(size: int = size) -> Made:
            return Made("x", size)

        assert await kept.get(size, 1, make) == Made("x", size)
        assert kept.find(size) is None
    assert kept.held_bytes == 0


async def test_what_several_ask_for_is_made_once() -> None:
    kept: KeptValues[Made] = KeptValues(1 << 20)
    make = Maker()
    make.may_go.clear()
    async with asyncio.TaskGroup() as tasks:
        asking = [tasks.create_task(kept.get("key", 1, make)) for _ in range(5)]
        await asyncio.sleep(0)
        make.may_go.set()
    assert {one.result().text for one in asking} == {"value 1"}
    assert make.count == 1


async def test_whoever_goes_or_fails_leaves_the_work_to_the_next() -> None:
    kept: KeptValues[Made] = KeptValues(1 << 20)
    make = Maker()
    make.may_go.clear()
    async with asyncio.TaskGroup() as tasks:
        first, second, third = [tasks.create_task(kept.get("key", 1, make)) for _ in range(3)]
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)
        make.may_go.set()
    assert (second.result().text, third.result().text) == ("value 2", "value 2")
    make.fails = True
    with pytest.raises(ValueError, match="fails"):
        await kept.get("other", 1, make)
    make.fails = False
    assert (await kept.get("other", 1, make)).text == "value 4"


async def test_what_is_dropped_is_gone_also_if_it_was_being_made() -> None:
    kept: KeptValues[Made] = KeptValues(1 << 20)
    make = Maker()
    for key, log in (("a", 1), ("b", 1), ("c", 2)):
        await kept.get(key, log, make)
    make.may_go.clear()
    async with asyncio.TaskGroup() as tasks:
        late = tasks.create_task(kept.get("d", 1, make))
        await asyncio.sleep(0)
        kept.drop(1)
        make.may_go.set()
    assert late.result().text == "value 4", "who asked before gets it"
    assert [kept.find(key) is not None for key in "abcd"] == [False, False, True, False]
    assert kept.held_bytes == SIZE + 1024
