"""Values that nobody can make mean something else to the reader of a list: line breaks, comments, formulas.

Each escape can be undone, so the tests read a list back and find the very values.
"""

from __future__ import annotations

import re

_UNPRINTABLE = (
    # control characters, separators of lines and paragraphs, halves of surrogate pairs
    "\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff"
    # format characters (category Cf)
    "\u00ad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    # what is ignored where it cannot be shown: fillers, variation selectors, tags (Default_Ignorable_Code_Point)
    "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8\U000e0000-\U000e0fff"
)
_NEVER = re.compile(rf"[{_UNPRINTABLE}\\]")
_IN_A_LINE = re.compile(rf"[{_UNPRINTABLE}\\#\s]|^[;!/]")
"""Many devices take what follows a blank or ``#`` for a comment, which would turn one address into a whole site."""
_ESCAPED = re.compile(r"\\u([0-9a-f]{4})|\\U([0-9a-f]{8})")
_FORMULA = re.compile(r"[=+\-@'\t\r\uff1d\uff0b\uff0d\uff20\u2212\ufe62\ufe63\ufe66\ufe6b]")
"""What spreadsheets take for a formula at the beginning of a cell (OWASP, CSV injection), in full width and as small
forms too, and our own mark.
"""


def _hide(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def line(value: str) -> str:
    """A value as a line of its own: no line break, no blank, no comment sign; others as ``\\uXXXX`` or ``\\UXXXXXXXX``.

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
    return _ESCAPED.sub(lambda found: chr(int(found[1] or found[2], 16)), text)
