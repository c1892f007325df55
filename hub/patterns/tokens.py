"""The lexer of the STIX patterning grammar: one compiled regular expression, linear time.

All alternatives are unambiguous and possessive, so no input makes the expression read a character more than a fixed
number of times. An integer followed by a digit (``007``) is not a token: the grammar would split it into several, which
no rule allows, and a long run of digits would be read once per digit. Keywords are in capitals and ``true``/``false``
in lower case, as in the grammar of the OASIS reference implementation (oasis-open/cti-pattern-validator).
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import NamedTuple

from hub.model.problems import Code, cut

WHITE = "\t\n\v\f\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
"""The white space of the grammar (its rule WS), for a character class: like ``str.isspace`` without x1c to x1f."""

_IN_CAPITALS = """
    AND OR NOT FOLLOWEDBY LIKE MATCHES ISSUPERSET ISSUBSET EXISTS LAST IN START STOP SECONDS WITHIN REPEATS TIMES
"""
KEY_WORDS = frozenset((*_IN_CAPITALS.split(), "true", "false"))
"""Words that cannot be unquoted identifiers in STIX 2.1."""
KEY_WORDS_20 = KEY_WORDS - {"EXISTS"}
"""The same for STIX 2.0, whose grammar has no EXISTS."""

_TOKEN = re.compile(
    rf"""
  (?: [{WHITE}]++ | //[^\r\n]*+ | /\*[\s\S]*?\*/ )*+
  (?:
    (?P<string>'[^'\\]*+(?:\\['\\][^'\\]*+)*+')
  | (?P<timestamp>t'[0-9]{{4}}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])
        T(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]++)?Z')
  | (?P<hex>h'(?:[0-9A-Fa-f]{{2}})*+')
  | (?P<binary>b'(?:[A-Za-z0-9+/]{{4}})*(?:[A-Za-z0-9+/]{{3}}=|[A-Za-z0-9+/]{{2}}==)?')
  | (?P<identifier>[A-Za-z_][A-Za-z0-9_]*+(?!-))
  | (?P<hyphenated>[A-Za-z_][A-Za-z0-9_-]*+)
  | (?P<float>[+-]?[0-9]*+\.[0-9]++)
  | (?P<integer>[+-]?(?:0|[1-9][0-9]*+)(?![0-9]))
  | (?P<equals>==?)
  | (?P<differs>!=|<>)
  | (?P<order>[<>]=?)
  | (?P<mark>[][():.,*])
  | (?P<end>\Z)
  | (?P<none>[\s\S])
  )
    """,
    re.VERBOSE,
)
_INSIDE = re.compile(r"'[^'\\]*+(?:\\['\\][^'\\]*+)*+")
"""A string without its closing apostrophe."""
_NOT_BEHIND_A_STRING = frozenset(("identifier", "hyphenated", "integer", "float", "string", "timestamp"))
HOW_STRINGS_ARE_WRITTEN = r"In a string a backslash is written \\ and an apostrophe \'; inside JSON \\\\ and \\'."
_OPENING = re.compile(rf"[({WHITE}]*+")


class PatternToken(NamedTuple):
    """A token. ``kind`` is the name of its regular expression group, the symbol or keyword itself, or ``end``."""

    kind: str
    text: str
    at: int
    """Offset in characters from the start of the pattern."""


class PatternError(Exception):
    """Why a pattern is refused. Used only inside this package: the public functions return Problems."""

    def __init__(self, code: Code, says: str) -> None:
        super().__init__(says)
        self.code = code
        self.says = says


def syntax_error(pattern: str, at: int, expected: str, hint: str = "") -> PatternError:
    """The error for an unexpected token at offset ``at``. ``hint``: a sentence on how to correct it."""
    line = pattern.count("\n", 0, at) + 1
    column = at - (pattern.rfind("\n", 0, at) + 1) + 1
    found = cut(pattern[at : at + 40], 24) if at < len(pattern) else "the end"
    says = f"Pattern, line {line}, column {column}: expected {expected}, found {found}."
    return PatternError(Code.PATTERN_SYNTAX, f"{says} {hint}" if hint else says)


def ends_too_early(string: PatternToken, following: PatternToken) -> bool:
    """Whether a string probably ends too early, at an unescaped apostrophe: a word follows directly."""
    adjoins = following.at == string.at + len(string.text)
    return string.kind == "string" and adjoins and following.kind in _NOT_BEHIND_A_STRING


def _no_token(pattern: str, at: int, before: list[PatternToken]) -> PatternError:
    """The error for an offset at which no token starts; for a string, what is wrong in it or before it."""
    inside = _INSIDE.match(pattern, at)
    if inside is None:
        return syntax_error(pattern, at, "a token of the STIX patterning language")
    if inside.end() < len(pattern):
        return syntax_error(pattern, inside.end(), r"\\ or \'", HOW_STRINGS_ARE_WRITTEN)
    early = any(ends_too_early(one, following) for one, following in pairwise(before))
    hint = HOW_STRINGS_ARE_WRITTEN if early or "\\'" in inside[0] else ""
    return syntax_error(pattern, at, "a string that ends with an apostrophe", hint)


def tokens_of(pattern: str, key_words: frozenset[str] = KEY_WORDS) -> list[PatternToken]:
    """The tokens of a pattern without white space and comments, followed by ``end``. Raises PatternError.

    A comment before the first bracket is refused, as in stix2-patterns: otherwise members' tools would refuse what the
    hub shows.
    """
    opening = _OPENING.match(pattern)
    start = opening.end() if opening else 0
    if not pattern.startswith("[", start):
        raise syntax_error(pattern, start, "'[' (a STIX pattern begins with it, or with '(')")
    found: list[PatternToken] = []
    for match in _TOKEN.finditer(pattern):
        # Exactly one group has matched: the last alternative matches anything that no other one does.
        group, kind = match.lastindex or 0, match.lastgroup or "none"
        text = match[group]
        if kind == "mark" or (kind == "identifier" and text in key_words):
            kind = text
        elif kind == "none":
            raise _no_token(pattern, match.start(group), found)
        found.append(PatternToken(kind, text, match.start(group)))
    return found
