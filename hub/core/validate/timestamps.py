"""STIX timestamps as text: whether one is valid, and which of two is later, with all digits."""

from __future__ import annotations

import calendar
import re

TIMESTAMP = (
    r"(?!0000)\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
    r"T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?Z"
)
"""``YYYY-MM-DDTHH:MM:SS[.s+]Z``, with capitals (STIX 2.1, section 2.16).

The second 60 is refused although RFC 3339 allows it: neither stix2 nor Python can represent it, and a member could not
read the object. Whether the day exists in its month is checked by ``is_timestamp``."""

_matches = re.compile(TIMESTAMP, re.ASCII).fullmatch


def is_timestamp(text: str) -> bool:
    """Whether this is a STIX timestamp of a day that exists.

    >>> is_timestamp("2024-02-29T00:00:00Z"), is_timestamp("2023-02-29T00:00:00Z")
    (True, False)
    """
    if _matches(text) is None:
        return False
    return text[8:10] < "29" or int(text[8:10]) <= calendar.monthrange(int(text[:4]), int(text[5:7]))[1]


def instant(text: str) -> str:
    """Text that sorts a valid timestamp by time without loss; a fraction may have any number of digits.

    >>> instant("2026-01-31T12:00:00Z") == instant("2026-01-31T12:00:00.000Z")
    True
    >>> instant("2026-01-31T12:00:00.9Z") < instant("2026-01-31T12:00:00.90000001Z")
    True
    """
    whole, _, fraction = text[:-1].partition(".")
    return f"{whole}.{fraction.rstrip('0')}"
