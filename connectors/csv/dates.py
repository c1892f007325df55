"""Parses dates of feeds. Ambiguous dates are errors; nothing is guessed."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
"""The earliest valid date: an earlier one is another kind of number, or comes from a clock that was never set."""
_CHARS = 64
_UNREADABLE = "a date that cannot be read"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DIGITS_A_SECOND = {9: 0, 10: 0, 12: 3, 13: 3, 15: 6, 16: 6, 18: 9, 19: 9}
"""The unit of a number since 1970 by its number of digits: seconds, milli-, micro- or nanoseconds."""
_MONTHS = {
    name: number
    for number, names in enumerate(
        ("jan january", "feb february", "mar march", "apr april", "may", "jun june", "jul july", "aug august",
         "sep sept september", "oct october", "nov november", "dec december"),
        start=1,
    )
    for name in names.split()
}  # fmt: skip
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_FORM = re.compile(
    rf"""(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+)?
    (?: (?P<day>\d{{1,2}})(?:st|nd|rd|th)?[\s.\-/]+(?P<month>{_MONTH})[\s.,\-/]+(?P<year>\d{{4}})
      | (?P<month2>{_MONTH})\.?\s+(?P<day2>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<year2>\d{{4}})
      | (?P<one>\d{{1,2}})(?P<mark>[/\-.])(?P<other>\d{{1,2}})(?P=mark)(?P<year3>\d{{4}})
      | (?P<year4>\d{{4}})[/.](?P<month4>\d{{1,2}})[/.](?P<day4>\d{{1,2}}) )
    (?:[\sT,]+(?P<hour>\d{{1,2}}):(?P<minute>\d{{2}})(?::(?P<second>\d{{2}})(?:[.,]\d+)?)?\s*(?P<half>[ap]m)?)?
    \s*(?P<zone>utc|gmt|z|[+-]\d{{2}}:?\d{{2}})?""",
    re.IGNORECASE | re.VERBOSE,
)
_CTIME = re.compile(rf"((?:{_MONTH})\s+\d{{1,2}})\s+(\d{{1,2}}:\d{{2}}:\d{{2}})(?:\s+(?:utc|gmt))?\s+(\d{{4}})", re.I)
_ZONE_WORD = re.compile(r"\s*\(?\b(?:utc|gmt)\)?\s*\Z", re.IGNORECASE)


class UnreadableDateError(ValueError):
    """The text is not a date, or is ambiguous or implausible."""


def read_date(text: str, formats: tuple[str, ...] = ()) -> datetime:
    """Returns the time that a text states; times without a zone are UTC. Raises UnreadableDateError.

    ``formats`` (of ``strptime``) are tried first. Then: numbers since 1970, ISO 8601 and RFC 3339 in any precision,
    months as words, and days and months as numbers if only one order is possible.

    >>> read_date("1770011500000").isoformat()
    '2026-02-02T05:51:40+00:00'
    >>> read_date("28-Oct-2026") == read_date("10/28/2026") == read_date("2026-10-28 UTC")
    True
    """
    if len(text) > _CHARS:
        raise UnreadableDateError(_UNREADABLE)
    return _read(text, formats)


@lru_cache(maxsize=4096)  # the rows of a feed have few different dates
def _read(text: str, formats: tuple[str, ...]) -> datetime:
    text = " ".join(text.split())
    for form in formats:
        try:
            return _sane(datetime.strptime(text, form))  # noqa: DTZ007 - made UTC at once
        except UnreadableDateError:
            raise
        except ValueError:
            continue
    return _sane(_number(text) or _iso(text) or _formed(text))


def _sane(moment: datetime | None) -> datetime:
    try:
        if moment is None:
            raise UnreadableDateError(_UNREADABLE)
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError as error:
        raise UnreadableDateError(_UNREADABLE) from error
    if moment < EARLIEST:
        raise UnreadableDateError("a date before 1990")
    return moment


def _number(text: str) -> datetime | None:
    whole, _, fraction = text.partition(".")
    if not (whole.isascii() and whole.isdigit()) or (fraction and not fraction.isdigit()):
        return None
    if len(whole) == 14 and not fraction:
        return _compact(whole)
    if len(whole) not in _DIGITS_A_SECOND:
        return None
    micros = int(whole) * 10**6 // 10 ** _DIGITS_A_SECOND[len(whole)]
    if len(whole) <= 10:
        micros += int(fraction[:6].ljust(6, "0"))
    return _EPOCH + timedelta(microseconds=micros)


def _compact(digits: str) -> datetime | None:
    try:
        return datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def _iso(text: str) -> datetime | None:
    plain = _ZONE_WORD.sub("", text)
    if plain.isdigit() and len(plain) != 8:  # the standard library reads "1770011500000" as a day of the year 1770
        return None
    try:
        return datetime.fromisoformat(plain.upper())
    except ValueError:
        return None


def _formed(text: str) -> datetime | None:
    if ctime := _CTIME.search(text):
        text = f"{ctime[1]} {ctime[3]} {ctime[2]}"
    said = _FORM.fullmatch(_ZONE_WORD.sub("", text))
    if said is None:
        return None
    year, month, day = _day(said)
    hour = int(said["hour"] or 0)
    if said["half"]:
        hour = hour % 12 + (12 if said["half"].lower() == "pm" else 0)
    try:
        return datetime(year, month, day, hour, int(said["minute"] or 0), int(said["second"] or 0), tzinfo=_zone(said))
    except ValueError:
        return None


def _day(said: re.Match[str]) -> tuple[int, int, int]:
    if said["year"]:
        return int(said["year"]), _MONTHS[said["month"].lower()], int(said["day"])
    if said["year2"]:
        return int(said["year2"]), _MONTHS[said["month2"].lower()], int(said["day2"])
    if said["year4"]:
        return int(said["year4"]), int(said["month4"]), int(said["day4"])
    one, other = int(said["one"]), int(said["other"])
    if said["mark"] == "." or one == other or (one > 12 >= other):  # dots always mean day first
        return int(said["year3"]), other, one
    if other > 12 >= one:
        return int(said["year3"]), one, other
    raise UnreadableDateError("a date that may be day first or month first")


def _zone(said: re.Match[str]) -> timezone:
    zone = said["zone"]
    if not zone or zone[0] not in "+-":
        return UTC
    digits = zone[1:].replace(":", "")
    ahead = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(ahead if zone[0] == "+" else -ahead)
