"""Times as the hub counts them."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.model import times
from hub.model.times import exact_time, has_passed, parse_us, taxii_time


def test_a_timestamp_of_many_digits_is_read_and_not_remembered() -> None:
    before = times._short_us.cache_info().currsize
    for digits in range(40, 60):
        assert parse_us(f"2026-01-31T12:00:00.{'1' * digits}Z") == parse_us("2026-01-31T12:00:00.111111Z")
    assert times._short_us.cache_info().currsize <= before + 1


def test_a_time_has_passed_from_that_moment_on() -> None:
    now_us = parse_us("2026-01-31T00:00:00Z")
    assert has_passed("2026-01-30T23:59:59.999Z", now_us)
    assert has_passed("2026-01-31T00:00:00Z", now_us)
    assert not has_passed("2026-01-31T00:00:00.001Z", now_us)
    assert not has_passed(None, now_us)
    assert not has_passed("2026-01-01T00:00:00Z", None)


@settings(deadline=None)
@given(
    moment=st.datetimes(),
    offset=st.sampled_from(["Z", "+00:00", "-00:00"])
    | st.tuples(st.sampled_from("+-"), st.integers(0, 99), st.integers(0, 99)),
    leap=st.booleans(),
)
def test_a_time_that_is_read_can_be_written_back(
    moment: datetime, offset: str | tuple[str, int, int], leap: bool
) -> None:
    zone = offset if isinstance(offset, str) else f"{offset[0]}{offset[1]:02}:{offset[2]:02}"
    seconds = "60" if leap else f"{moment.second:02}"
    text = f"{moment.year:04}-{moment.month:02}-{moment.day:02}T{moment.hour:02}:{moment.minute:02}:{seconds}{zone}"
    try:
        us = parse_us(text)
    except ValueError:
        outside = moment.year in (1, 9999)
        assert outside or (not isinstance(offset, str) and (offset[1] > 23 or offset[2] > 59)), text
    else:
        assert parse_us(exact_time(us)) == parse_us(taxii_time(us)) == us


@pytest.mark.parametrize(
    "text",
    [
        "9999-12-31T23:59:59-14:00", "9999-12-31T23:59:60Z", "0001-01-01T00:00:00+00:01", "0000-01-01T00:00:00Z",
        "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00+00:60", "2026-01-01T24:00:00Z", "2026-01-01T00:00:61Z",
    ],
)  # fmt: skip
def test_a_time_beyond_the_calendar_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_us(text)
