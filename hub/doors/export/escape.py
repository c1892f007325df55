"""Values that nobody can make mean something else to the reader of a list: line breaks, comments, formulas.

Each escape can be undone, so the tests read a list back and find the very values.
"""

from __future__ import annotations

import re

_UNPRINTABLE = "\x00-\x1f\x7f-\x9f\u2028\u2029\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff"
_NEVER = re.compile(rf"[{_UNPRINTABLE}\\]")
_IN_A_LINE = re.compile(rf"[{_UNPRINTABLE}\\#\s]|^[;!/]")
"""Many devices take what follows a blank or ``#`` for a comment, which would turn one address into a whole site."""
_ESCAPED = re.compile(r"\\u([0-9a-f]{4})")
_FORMULA = re.compile(r"[=+\-@'\t\r]")
"""What spreadsheets take for a formula at the beginning of a cell (OWASP, CSV injection), and our own mark."""


def _hide(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def line(value: str) -> str:
    """A value as a line of its own: no line break, no blank, no comment sign; others as ``\\uXXXX``.

    >>> line("http://bank.example/ #x")
    'http://bank.example/\\\\u0020\\\\u0023x'
    """
    return _IN_A_LINE.sub(_hide, value)


def cell(value: str) -> str:
    """A value as a cell of a table, before quoting: no line break, no control character, no formula.

    >>> cell("=1+1"), cell("198.51.100.7")
    ("'=1+1", '198.51.100.7')
    """
    text = _NEVER.sub(_hide, value)
    return f"'{text}" if _FORMULA.match(text) else text


def unescaped(text: str) -> str:
    """The inverse of ``line``; and of ``cell`` once the quote in front of a formula is off."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
