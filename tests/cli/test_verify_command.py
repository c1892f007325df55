"""``ctihub verify`` and ``ctihub rebuild``, with the processes that they start."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from hub.clock import wall_clock_us
from tests.cli.admin import Shell
from tests.story import Story, an_indicator
from tests.waiting import wait_until


async def _fill(folder: Path) -> None:
    story = await Story.begin(folder)
    story.now_us = wall_clock_us()  # or the clock would be in doubt
    ro = await story.centre("ro")
    await story.carry([story.record(ro, an_indicator(f"198.51.100.{i}", str(i))) for i in range(250)])
    await story.close()


@pytest.fixture
def store(shell: Shell) -> Path:
    """The store of a hub that shows indicators."""
    folder = shell.folder / "data"
    asyncio.run(_fill(folder))
    (folder / "hub.db").rename(folder / "store.sqlite")
    return folder / "store.sqlite"


def _damage(store: Path, sql: str) -> int:
    with closing(sqlite3.connect(store)) as connection, connection:
        return connection.execute(sql).rowcount


def test_a_hub_is_verified_damaged_and_repaired(shell: Shell, store: Path) -> None:
    assert shell.done("verify", "--processes", "2")["found"] == 0
    number = _damage(store, "update views set digest = x'00' where collection = 3 and rowid % 3 = 0")
    found = shell("verify", "--processes", "2", "--json")
    assert found.code == 1
    assert found.json["by_part"] == {"view": number}
    assert found.json["differences"][0]["collection"] == "network"
    assert shell.done("verify", "--collection", "community")["found"] == 0
    assert shell("verify", "--collection", "nobody").code == 2
    assert shell.done("rebuild", "--processes", "1")["repaired"] == number
    assert shell.done("verify")["found"] == 0


@pytest.mark.parametrize("command", ["verify", "rebuild", "forget", "forget a-value --reason asked"])
def test_where_there_is_no_hub_none_is_made(shell: Shell, command: str) -> None:
    answer = shell(*command.split())
    assert (answer.code, "There is no hub in" in answer.err) == (1, True)
    assert not list(shell.folder.rglob("store.sqlite"))


def test_a_rebuild_that_was_killed_is_taken_up_again(shell: Shell, store: Path) -> None:
    _damage(store, "update changes set body = cast(replace(body, 'ipv4-addr', 'ipv6-addr') as blob)")
    _damage(store, "update views set digest = x'00'")
    ends = "select sum(last_seq) from logs"
    with closing(sqlite3.connect(store)) as connection:
        before = connection.execute(ends).fetchone()
        words = [sys.executable, "-m", "hub.cli", "rebuild", "--processes", "0"]
        environment = {**os.environ, "CTIHUB_DATA_DIR": str(store.parent)}
        child = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: connection.execute(ends).fetchone() != before or child.poll() is not None)
        child.kill()
        child.wait()
    shell.done("rebuild")
    assert shell.done("verify")["found"] == 0
