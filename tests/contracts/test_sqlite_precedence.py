"""Who waits to write on SQLite goes before a worker, but cannot stop it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from hub.store.sqlite_precedence import Precedence
from tests.waiting import WITHIN_S


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite-asking"


@pytest.fixture
def operators(path: Path) -> Iterator[list[Precedence]]:
    """Two other processes."""
    with ExitStack() as stack:
        yield [stack.enter_context(closing(Precedence(path))) for _ in range(2)]


async def test_a_worker_gives_way_until_nobody_asks(path: Path, operators: list[Precedence]) -> None:
    one, two = operators
    with closing(Precedence(path, gives_way_s=WITHIN_S)) as worker:
        await worker.give_way()
        async with one.asking(), asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(worker.give_way())
            async with two.asking(), two.asking():
                await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert not waiting.done(), "one still asks"
            waiting.cancel()
        await worker.give_way()


async def test_a_process_that_asks_for_ever_stops_no_worker(path: Path, operators: list[Precedence]) -> None:
    one, _ = operators
    with closing(Precedence(path, gives_way_s=0)) as worker:
        async with one.asking():
            await worker.give_way()
            await worker.give_way()
