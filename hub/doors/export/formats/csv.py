"""``export.csv``: a table with a header, safe to open in a spreadsheet. Source: RFC 4180."""

from __future__ import annotations

import re

from hub.doors.export.defang import ForPeople, written_value
from hub.doors.export.entry import COLUMNS, Entry
from hub.doors.export.escape import INVISIBLE, as_code
from hub.doors.export.format import About, Format, Writer

_ESCAPED = re.compile(rf"[{INVISIBLE}\\]")
_FORMULA = re.compile(r"[=+\-@'\t\r\uff1d\uff0b\uff0d\uff20\u2212\ufe62\ufe63\ufe66\ufe6b]")
"""Characters that start a formula in spreadsheets (OWASP, CSV injection), also in full width and as small forms, and
the quote that ``escape`` adds.
"""
_QUOTED = re.compile('[",]')
_HEAD = (",".join(COLUMNS) + "\r\n").encode()


def escape(value: str) -> str:
    """Returns a value as a cell, quoted if necessary, without line breaks, control characters and formulas.

    >>> escape("=1+1"), escape("198.51.100.7"), escape("a,b")
    ("'=1+1", '198.51.100.7', '"a,b"')
    """
    text = _ESCAPED.sub(as_code, value)
    if _FORMULA.match(text):
        text = f"'{text}"
    if _QUOTED.search(text):
        return '"' + text.replace('"', '""') + '"'
    return text


def _begin(about: About[ForPeople]) -> Writer:
    def line(entry: Entry) -> bytes:
        rest = (getattr(entry, column) for column in COLUMNS[2:])
        values = (entry.type, written_value(entry, about.options), *rest)
        return (",".join("" if value is None else escape(str(value)) for value in values) + "\r\n").encode()

    return Writer(line, head=_HEAD)


FORMAT = Format(
    name="csv",
    media_type="text/csv; charset=utf-8; header=present",
    begin=_begin,
    escape=escape,
    lines_are_alone=True,
    says_type=True,
    options=ForPeople,
)
