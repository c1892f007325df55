"""Times in the hub's form, integer microseconds since 1970 in UTC, and in the formats of STIX and TAXII."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

_RFC3339 = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9})\d*)?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)
_USUAL = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:[0-5]\d\.\d{3}Z", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
DAY_US = 86_400_000_000
_DAY_MS = DAY_US // 1000
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_FIRST_US = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // MICROSECOND
LAST_US = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // MICROSECOND
"""The last microsecond of the year 9999."""


def parse_us(text: str) -> int:
    """Microseconds since 1970 of an RFC 3339 timestamp; digits after the sixth are dropped. Raises ValueError.

    Refuses times that an offset or a leap second moves outside the years 1 to 9999, because they could not be written
    back.
    """
    return _short_us(text) if len(text) < 40 else _us(text)


def _us(text: str) -> int:
    if _USUAL.fullmatch(text) is not None:
        return (datetime.fromisoformat(text) - _EPOCH) // MICROSECOND
    found = _RFC3339.fullmatch(text)
    if found is None:
        raise ValueError(f"not an RFC 3339 timestamp: {text!r}")
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    leap = second == "60"  # RFC 3339 section 5.6 allows a leap second; it counts as the next second's start
    moment = datetime(int(year), int(month), int(day), int(hour), int(minute), 59 if leap else int(second), tzinfo=UTC)
    us = (moment - _EPOCH) // MICROSECOND + int((fraction or "0").ljust(6, "0")[:6]) + leap * 1_000_000
    if zone not in "Zz":
        offset_h, offset_min = int(zone[1:3]), int(zone[4:6])
        if offset_h > 23 or offset_min > 59:
            raise ValueError(f"no offset of RFC 3339: {zone}")
        us -= (offset_h * 60 + offset_min) * (60_000_000 if zone[0] == "+" else -60_000_000)
    if not _FIRST_US <= us <= LAST_US:
        raise ValueError(f"not in the years 1 to 9999: {text!r}")
    return us


_short_us = lru_cache(maxsize=65_536)(_us)
"""Cached for short texts only: a timestamp may have a million digits, and input must not grow the cache."""


def has_passed(time: str | None, now_us: int | None) -> bool:
    """Whether this RFC 3339 time is at or before ``now_us``; False if either is None. Raises ValueError."""
    return time is not None and now_us is not None and parse_us(time) <= now_us


def to_us(moment: datetime) -> int:
    """Microseconds since 1970 of an aware datetime."""
    return (moment - _EPOCH) // MICROSECOND


def from_us(us: int) -> datetime:
    """The aware UTC datetime of a count of microseconds."""
    return _EPOCH + timedelta(microseconds=us)


def stix_time(us: int) -> str:
    """In STIX format, cut to milliseconds: ``2026-01-31T12:00:00.123Z``."""
    return _stix_time(us // 1000)


@lru_cache(maxsize=65_536)  # fifty rows of a log share a millisecond, and so do the claims of one report
def _stix_time(ms: int) -> str:
    day, rest = divmod(ms, _DAY_MS)
    minute, rest = divmod(rest, 60_000)
    hour, minute = divmod(minute, 60)
    second, ms = divmod(rest, 1000)
    return f"{date.fromordinal(_EPOCH_DAY + day)}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z"


def taxii_time(us: int) -> str:
    """In the TAXII format of ``date_added``, with six digits: ``2026-01-31T12:00:00.123456Z``."""
    return from_us(us).isoformat(timespec="microseconds")[:-6] + "Z"


def exact_time(us: int) -> str:
    """With three digits if that is exact, otherwise six."""
    return stix_time(us) if us % 1000 == 0 else taxii_time(us)


def midnight_after(us: int) -> int:
    """The start of the next day in UTC."""
    return (us // DAY_US + 1) * DAY_US


def end_of_day(us: int) -> int:
    """The last millisecond of the day in UTC."""
    return midnight_after(us) - 1_000
