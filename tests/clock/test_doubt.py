"""When a clock is believed: the decision alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.model.clock import JUMP_US, Alive, StoredTimes, Witness, doubt
from hub.model.times import DAY_US, parse_us

NOW_US = parse_us("2026-11-28T09:00:00Z")
HOUR_US = DAY_US // 24
BOOT = "9903d5a5-52b0-4af2-b7a1-c258842ccd16"
NOBODY = Witness()
DISTANCES = st.integers(-40 * 365 * DAY_US, 40 * 365 * DAY_US)


def seen(ago_us: int, **alive: Alive) -> StoredTimes:
    return StoredTimes(NOW_US - ago_us, alive)


@given(ago_us=DISTANCES)
def test_without_a_witness_a_clock_is_in_doubt_exactly_when_it_jumped_by_more_than_a_day(ago_us: int) -> None:
    found = doubt(NOW_US, seen(ago_us), NOBODY)
    assert (found is not None) == (abs(ago_us) > JUMP_US)


@given(ago_us=st.integers(-40 * 365 * DAY_US, -JUMP_US - 1), uptime_us=st.integers(0, DAY_US))
def test_no_witness_lets_a_clock_go_back(ago_us: int, uptime_us: int) -> None:
    witness = Witness(BOOT, uptime_us, synchronised=True)
    assert doubt(NOW_US, StoredTimes(NOW_US - ago_us, {BOOT: Alive(NOW_US - DAY_US, 0)}), witness) is not None


@given(ago_us=st.integers(0, 400 * DAY_US))
def test_a_long_rest_on_a_synchronised_machine_needs_nobody(ago_us: int) -> None:
    assert doubt(NOW_US, seen(ago_us), Witness(synchronised=True)) is None


@given(rest_us=st.integers(0, 400 * DAY_US), before_us=st.integers(0, 400 * DAY_US))
def test_a_long_rest_of_the_hub_on_a_machine_that_ran_on_needs_nobody(rest_us: int, before_us: int) -> None:
    store = StoredTimes(NOW_US - rest_us, {BOOT: Alive(NOW_US - rest_us, before_us)})
    assert doubt(NOW_US, store, Witness(BOOT, before_us + rest_us)) is None


@given(jump_us=st.integers(JUMP_US + HOUR_US, 40 * 365 * DAY_US), rest_us=st.integers(0, HOUR_US))
def test_a_clock_that_ran_faster_than_its_machine_is_in_doubt(jump_us: int, rest_us: int) -> None:
    store = StoredTimes(NOW_US, {BOOT: Alive(NOW_US, HOUR_US)})
    assert doubt(NOW_US + jump_us, store, Witness(BOOT, HOUR_US + rest_us)) is not None


def test_another_start_of_the_machine_says_nothing_of_the_time_between() -> None:
    store = StoredTimes(NOW_US - 30 * DAY_US, {BOOT: Alive(NOW_US - 30 * DAY_US, 0)})
    assert doubt(NOW_US, store, Witness("another", 30 * DAY_US)) is not None


def test_an_empty_store_doubts_no_clock_that_made_it() -> None:
    assert doubt(NOW_US, StoredTimes(NOW_US, {}), NOBODY) is None


@pytest.mark.parametrize("ago_us", [3650 * DAY_US, -3650 * DAY_US])
def test_a_doubt_says_both_times_and_the_way_out_without_the_date_that_is_to_be_given(ago_us: int) -> None:
    found = doubt(NOW_US, seen(ago_us), NOBODY)
    assert found is not None
    assert "2026-11-28 09:00 UTC" in found.says
    assert "3,650 d" in found.says
    assert "ctihub clock accept YYYY-MM-DD" in found.way_out
    assert "2026" not in found.way_out
