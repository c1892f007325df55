"""Recognises values that operators have had erased. Of these the hub keeps keyed digests only, never the values.

A text *says* a value if the value occurs in it from the beginning to the end of words, in any of the spellings that
``plain`` makes equal. The same rule decides what is erased (``says_any``, with the values at hand) and what is refused
afterwards (``Forgotten``, with their digests): every sequence of as many words, of the same length, is compared.
"""

from __future__ import annotations

import hmac
import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from operator import sub
from typing import NamedTuple
from urllib.parse import unquote

_words = re.compile(r"\w+").finditer
_pieces = re.compile(r"\w+|\W+").findall
_DEFANGED = (
    (
        ("[.", "(.", "{.", "dot]", "dot)", "dot}"),
        re.compile(r" ?(?:\[\.\]|\(\.\)|\{\.\}|\[dot\]|\(dot\)|\{dot\}) ?"),
        ".",
    ),
    (("[@", "(@", "at]", "at)"), re.compile(r" ?(?:\[@\]|\(@\)|\[at\]|\(at\)) ?"), "@"),
    (("[:",), re.compile(r"\[:(//)?\]"), r":\1"),
    (("hxx", "h**", "h[xx"), re.compile(r"\bh(?:xx|\*\*|\[xx\])p(?=s?:)"), "http"),
)
"""Ways in which values are defanged: what a text has that has it, the pattern, and what it stands for."""
_UNSEEN: dict[int, str | None] = {
    **dict.fromkeys((0x00AD, 0x034F, 0x180E, *range(0x200B, 0x2010), *range(0x202A, 0x202F), 0x2060, 0xFEFF)),
    0x3002: ".",
}
"""Characters that are not seen, and the dot that host names may have instead of a full stop."""
_escape = re.compile(r'\\(?:u([\da-fA-F]{4})|x([\da-fA-F]{2})|U(00(?:0[\da-fA-F]|10)[\da-fA-F]{4})|(["\\/bfnrt]))')
"""Escapes of JSON, and those of Python in messages that quote what is not printable."""
_pair = re.compile("[\ud800-\udbff][\udc00-\udfff]")
"""JSON may escape a character beyond U+FFFF as two surrogates."""
_colons = re.compile(r"[\da-f:]+")
_colons_before = re.compile(r"(?<!\w)[\da-f]{1,4}::?$")
_colons_after = re.compile(r"::?[\da-f]{1,4}(?!\w)")
"""An address of IPv6 or of a network card, and what continues it on either side."""
_SHORT_ESCAPES = {'"': '"', "\\": "\\", "/": "/"}


def plain(text: str) -> str:
    """The text with what may differ between spellings of a value made equal: case, compatible and invisible characters,
    white space, percent-encoding, and the ways in which values are defanged.

    >>> plain("Write to ALICE%40example[.]org")
    'write to alice@example.org'
    """
    if "%" in text:
        text = unquote(text, errors="replace")
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).translate(_UNSEEN)
    text = " ".join(text.casefold().split())
    for signs, pattern, replacement in _DEFANGED:
        if any(sign in text for sign in signs):
            text = pattern.sub(replacement, text)
    return text


def plain_value(value: str) -> str:
    """The value as ``plain`` has it in texts: without what is around its first and last word. Empty without a word."""
    text = plain(value)
    spans = [found.span() for found in _words(text)]
    return text[spans[0][0] : spans[-1][1]] if spans else ""


def plain_readings(text: str) -> Iterator[str]:
    """Ways to read a text that is JSON, a text inside JSON, or plain, each as ``plain`` has it."""
    for _ in range(3):  # a rejection quotes JSON inside JSON, and a pattern has escapes of its own
        yield plain(text)
        if "\\" not in text:
            return
        text = _pair.sub(_paired, _escape.sub(_unescaped, text))


def _unescaped(found: re.Match[str]) -> str:
    code = found[1] or found[2] or found[3]
    return chr(int(code, 16)) if code else _SHORT_ESCAPES.get(found[4], " ")


def _paired(found: re.Match[str]) -> str:
    high, low = map(ord, found[0])
    return chr(0x10000 + ((high - 0xD800) << 10) + low - 0xDC00)


def says_any(text: str, values: Collection[str]) -> bool:
    """Whether a text says one of these values; all of them as ``plain`` and ``plain_value`` have them."""
    return any(_says(text, value) for value in values)


def _says(text: str, value: str) -> bool:
    start = text.find(value)
    while start >= 0:
        end = start + len(value)
        if not (_is_word(text[start - 1 : start]) or _is_word(text[end : end + 1])) and _is_whole(text, start, end):
            return True
        start = text.find(value, start + 1)
    return False


def ends_with_beginning(text: str, values: Collection[str]) -> bool:
    """Whether a text, where it was cut off, ends with the beginning of one of these values, of some characters."""
    sizes = ((value, size) for value in values for size in range(_LEAST_BEGINNING, len(value)))
    return any(text.endswith(value[:size]) and not _is_word(text[: len(text) - size][-1:]) for value, size in sizes)


_LEAST_BEGINNING = 6


def _is_word(char: str) -> bool:
    return char.isalnum() or char == "_"


def _is_whole(text: str, start: int, end: int) -> bool:
    """Whether it is not merely a part of a longer mail address, or of a longer number with dots or colons."""
    if ":" in text[start:end] and _colons.fullmatch(text, start, end):
        return not (_colons_before.search(text, max(start - 6, 0), start) or _colons_after.match(text, end))
    after = text[end + 1 : end + 2] if text[end : end + 1] == "." else ""
    if "@" in text[start:end]:
        return text[start - 1 : start] not in (".", "+", "-") and not after.isalpha()
    if text[start:end].replace(".", "").isdigit():
        before = text[start - 2 : start - 1] if text[start - 1 : start] == "." else ""
        return not (after.isdigit() or before.isdigit())
    return True


# ---------------------------------------------------------------- digests


class ForgottenDigest(NamedTuple):
    """What is kept of a value: the digest, and how many words and characters the value has; of a canonical key or a
    STIX id the digest alone.
    """

    digest: bytes
    words: int = 0
    chars: int = 0


def digest_of_value(key: bytes, value: str) -> ForgottenDigest:
    """What is kept of a value that is as ``plain_value`` has it. ``key``: the hub's secret."""
    return ForgottenDigest(_mac_of_value(key, value), sum(1 for _ in _words(value)), len(value))


def digest_of_key(key: bytes, thing: bytes) -> ForgottenDigest:
    """What is kept of the canonical key of a thing."""
    return ForgottenDigest(_mac(key, b"key", thing))


def digest_of_id(key: bytes, stix_id: str) -> ForgottenDigest:
    """What is kept of a STIX id."""
    return ForgottenDigest(_mac(key, b"id", stix_id.encode("utf-8", "replace")))


def _mac(key: bytes, kind: bytes, message: bytes) -> bytes:
    return hmac.digest(key, b"ctihub forgotten %b\n%b" % (kind, message), "sha256")


def _mac_of_value(key: bytes, value: str) -> bytes:
    return _mac(key, b"value", value.encode("utf-8", "replace"))


@dataclass(frozen=True, slots=True)
class Forgotten:
    """Recognises what was erased; false if there is nothing."""

    key: bytes = b""
    digests: frozenset[bytes] = frozenset()
    lengths: Mapping[int, frozenset[int]] = field(default_factory=dict)
    """The lengths of the values in characters, by their number of words."""

    @classmethod
    def of(cls, key: bytes, kept: Iterable[ForgottenDigest]) -> Forgotten:
        """``key``: the hub's secret, with which the digests were made."""
        digests, lengths = set(), defaultdict(set)
        for one in kept:
            digests.add(one.digest)
            if one.words:
                lengths[one.words].add(one.chars)
        return cls(key, frozenset(digests), {words: frozenset(some) for words, some in lengths.items()})

    def __bool__(self) -> bool:
        return bool(self.digests)

    def has_key(self, thing: bytes) -> bool:
        """Whether the thing with this canonical key was erased."""
        return digest_of_key(self.key, thing).digest in self.digests

    def has_id(self, stix_id: str) -> bool:
        """Whether what was claimed under this STIX id was erased."""
        return digest_of_id(self.key, stix_id).digest in self.digests

    def is_said_in(self, text: str) -> bool:
        """Whether a text, as ``plain`` has it, says a value that was erased."""
        if not self.lengths:
            return False
        pieces = _pieces(text)  # words and what is between them, in turn
        bounds = [0, *accumulate(map(len, pieces))]
        first = int(bool(pieces) and not _is_word(pieces[0][0]))
        starts, ends = bounds[first:-1:2], bounds[first + 1 :: 2]
        for words, lengths in self.lengths.items():
            sizes = list(map(sub, ends[words - 1 :], starts))
            if not lengths.isdisjoint(sizes):
                found = (at for at, size in enumerate(sizes) if size in lengths)
                if any(self._is_value(text, starts[at], ends[at + words - 1]) for at in found):
                    return True
        return False

    def _is_value(self, text: str, start: int, end: int) -> bool:
        return _is_whole(text, start, end) and _mac_of_value(self.key, text[start:end]) in self.digests
