"""Times as the hub counts them."""

from __future__ import annotations

from hub.model import times
from hub.model.times import parse_us


def test_a_timestamp_of_many_digits_is_read_and_not_remembered() -> None:
    before = times._short_us.cache_info().currsize
    for digits in range(40, 60):
        assert parse_us(f"2026-01-31T12:00:00.{'1' * digits}Z") == parse_us("2026-01-31T12:00:00.111111Z")
    assert times._short_us.cache_info().currsize <= before + 1
