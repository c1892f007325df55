"""``ctihub clock``, ``doctor`` and the registry, where the clock does not fit the store."""

from __future__ import annotations

import sqlite3
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hub.model.times import DAY_US
from tests.cli.admin import Shell

TODAY = f"{datetime.now(UTC):%Y-%m-%d}"
YEARS_US = 3650 * DAY_US


@pytest.fixture
def store(shell: Shell) -> Path:
    """The file of a hub with a centre and an operator."""
    shell.done("centre", "add", "ro", "--country", "RO")
    shell.done("operator", "add", "root")
    return shell.folder / "data" / "store.sqlite"


def shift(store: Path, by_us: int) -> None:
    """As if the store had been written by a clock that was off by so much."""
    with sqlite3.connect(store) as connection:
        connection.execute("update policy_changes set at_us = at_us + ?", (by_us,))
        connection.execute("update hub set created_us = created_us + ?", (by_us,))
        connection.execute("update principals set created_us = created_us + ?", (by_us,))
        connection.execute("update logs set last_us = last_us + ? where last_us > 0", (by_us,))
    connection.close()


def latest_us(store: Path) -> int:
    with sqlite3.connect(store) as connection:
        (found,) = connection.execute("select max(at_us) from policy_changes").fetchone()
    connection.close()
    return int(found)


def test_a_clock_that_fits_is_believed(shell: Shell, store: Path) -> None:
    shown = shell.done("clock", "show")
    assert shown["believed"] is True
    assert shown["clock"][:10] == TODAY


@pytest.mark.parametrize("by_us", [YEARS_US, -YEARS_US])
def test_a_clock_that_does_not_fit_is_told_by_every_command_with_the_way_out(
    shell: Shell, store: Path, by_us: int
) -> None:
    shift(store, by_us)
    shown = shell("clock", "show")
    assert shown.code == 1
    assert "ctihub clock accept" in shown.err
    found = {each["name"]: each for each in shell("doctor", "--json").json}["clock"]
    assert found["state"] == "bad"
    assert "ctihub clock accept" in found["way_out"]
    assert "Warning: The clock says" in shell("centre", "list").err


@pytest.mark.parametrize("by_us", [YEARS_US, -YEARS_US])
def test_one_command_settles_it(shell: Shell, store: Path, by_us: int) -> None:
    shift(store, by_us)
    shell.done("clock", "accept", TODAY)
    assert shell("clock", "show").code == 0
    assert latest_us(store) <= time.time_ns() // 1000
    assert shell.done("centre", "list")[0]["created"][:10] <= TODAY


def test_a_clock_that_says_another_day_confirms_nothing(shell: Shell, store: Path) -> None:
    shift(store, -YEARS_US)
    for off in (-2, 2, 365):
        answer = shell("clock", "accept", f"{datetime.now(UTC) + timedelta(days=off):%Y-%m-%d}")
        assert answer.code == 2
        assert "The clock of this machine shows" in answer.err
    assert shell("clock", "accept", "today").code == 2
    assert shell("clock", "show").code == 1


def test_accepting_a_clock_that_fits_changes_nothing_but_the_sign_of_life(shell: Shell, store: Path) -> None:
    before = shell.done("collection", "list")
    done = shell.done("clock", "accept", TODAY)
    assert {name: value for name, value in done.items() if value} == {}
    assert shell.done("collection", "list") == before


def test_a_change_under_a_clock_that_is_ahead_holds_and_is_not_dated_ahead(shell: Shell, store: Path) -> None:
    shift(store, -YEARS_US)  # to this store our clock is ahead
    seen = latest_us(store)
    assert shell("centre", "suspend", "ro").code == 0
    assert latest_us(store) == seen
    assert shell("centre", "list", "--json").json[0]["suspended"] is True
