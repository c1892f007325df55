"""``since`` is the number of a change, or a time; anything else is refused with a way out."""

from __future__ import annotations

import pytest

from hub.doors.since import Since, since_of
from hub.model.errors import Refused
from hub.model.words import Seq

NOON_US = 1_769_860_800_000_000


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("0", Since(seq=Seq(0))),
        (" 42 ", Since(seq=Seq(42))),
        (str(2**63 - 1), Since(seq=Seq(2**63 - 1))),
        ("2026-01-31T12:00:00Z", Since(after_us=NOON_US)),
        ("2026-01-31T14:00:00.000001+02:00", Since(after_us=NOON_US + 1)),
    ],
)
def test_a_number_is_a_change_and_all_else_is_a_time(text: str, meant: Since) -> None:
    assert since_of(text) == meant


@pytest.mark.parametrize(
    "text",
    ["", "-1", str(2**63), "9" * 5_000, "\u0661", "24h", "2026-01-31", "2026-13-01T00:00:00Z", "2026-01-31T12:00:00",
     "2026-01-31T14:00:00 02:00", "x" * 100_000],
)  # fmt: skip
def test_what_is_neither_is_refused(text: str) -> None:
    with pytest.raises(Refused) as refused:
        since_of(text)
    assert refused.value.code == "since.invalid"
    assert len(str(refused.value)) < 300
