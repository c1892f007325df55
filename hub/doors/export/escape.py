"""Characters that could change the meaning of a value in a list, and how text formats escape them.

``\\uXXXX`` is reversible, so the tests can read a list back and compare the values.
"""

from __future__ import annotations

import re

import orjson

INVISIBLE = (
    # control characters, separators of lines and paragraphs, halves of surrogate pairs
    "\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff"
    # format characters (category Cf)
    "\u00ad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    # invisible by default: fillers, variation selectors, tags (Default_Ignorable_Code_Point)
    "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8\U000e0000-\U000e0fff"
)
"""Invisible characters and line breaks, as the content of a character class of ``re``."""


def as_code(found: re.Match[str]) -> str:
    r"""Returns a character as ``\uXXXX``, above U+FFFF as ``\UXXXXXXXX``; a replacement function for ``re.sub``.

    >>> re.sub(f"[{INVISIBLE}]", as_code, "a\nb")
    'a\\u000ab'
    """
    code = ord(found[0])
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def quoted_cell(value: str) -> str:
    """Returns a value as a cell of a table, quoted if it has a comma or a quotation mark. Source: RFC 4180.

    >>> quoted_cell("a,b"), quoted_cell("a")
    ('"a,b"', 'a')
    """
    return '"' + value.replace('"', '""') + '"' if '"' in value or "," in value else value


def as_json(value: str) -> str:
    """Returns a value as a JSON string.

    >>> as_json('a"b')
    '"a\\\\"b"'
    """
    return orjson.dumps(value).decode()


def whole_lines(rule: str) -> str:
    """Returns a rule unchanged, with the end of its last line: in rules, nothing can be escaped."""
    return rule if rule.endswith("\n") else f"{rule}\n"
