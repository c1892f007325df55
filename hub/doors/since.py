"""From which point on changes are asked for: after a number of a change log, or after a time."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hub.model.errors import Refused
from hub.model.problems import cut
from hub.model.times import parse_us
from hub.model.words import Seq

_SEQ = re.compile(r"[0-9]{1,19}", re.ASCII)
_LAST_SEQ = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Since:
    """Everything later than a point: exactly one of the two."""

    seq: Seq | None = None
    """A change: what comes after it."""
    after_us: int | None = None
    """A time, in microseconds since 1970: what was added later."""


def since_of(text: str) -> Since:
    """The point that a parameter ``since`` names: digits are the number of a change, all else is a time.

    >>> since_of("42"), since_of("2026-01-31T12:00:00Z")
    (Since(seq=42, after_us=None), Since(seq=None, after_us=1769860800000000))

    Raises Refused. Source: RFC 3339, section 5.6.
    """
    said = text.strip()
    if _SEQ.fullmatch(said) and int(said) <= _LAST_SEQ:
        return Since(seq=Seq(int(said)))
    try:
        return Since(after_us=parse_us(said))
    except ValueError:
        raise Refused(
            "since.invalid",
            f"since is the number of a change or a time, not {cut(text)}.",
            "Write a time as 2026-01-31T12:00:00Z; in an address, write + as %2B.",
        ) from None
