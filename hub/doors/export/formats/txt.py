"""``export.txt``: one value per line and nothing else, which every device can read."""

from __future__ import annotations

import re

from hub.doors.export.defang import ForPeople, written_value
from hub.doors.export.escape import INVISIBLE, as_code
from hub.doors.export.format import About, Format, Writer

_ESCAPED = re.compile(rf"[{INVISIBLE}\\#\s]|^[;!/]")
"""Many devices treat text after a blank or ``#`` as a comment, so that one URL would become a whole site."""


def escape(value: str) -> str:
    """Returns a value without line breaks, blanks and comment signs.

    >>> escape("http://bank.example/ #x")
    'http://bank.example/\\\\u0020\\\\u0023x'
    """
    return _ESCAPED.sub(as_code, value)


def _begin(about: About[ForPeople]) -> Writer:
    return Writer(lambda entry: escape(written_value(entry, about.options)).encode() + b"\n")


FORMAT = Format(
    name="txt",
    media_type="text/plain; charset=utf-8",
    begin=_begin,
    escape=escape,
    lines_are_alone=True,
    says_type=False,
    options=ForPeople,
)
