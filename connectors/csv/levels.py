"""Reads TLP levels of rows. An unreadable level is never replaced by a less strict one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from connectors.csv.mapping import plain

TLP_IDS = {
    "clear": "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487",
    "green": "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
    "amber": "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421",
    "amber+strict": "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003",
    "red": "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1",
}
"""Ids by level, the least strict first. Source: FIRST TLP 2.0, OASIS "TLP 2.0 marking definitions"."""
_ORDER = list(TLP_IDS)
_WORDS = {level.replace("+", ""): level for level in TLP_IDS} | {"white": "clear"}
_TLP = re.compile(r"\s*tlp(?![a-z])\W*", re.IGNORECASE)
_TAG = re.compile(r"\s*tlp\s*(?::\s*\S|[\s_-]+(?:clear|white|green|amber|red)\b)", re.IGNORECASE)
_PAP = re.compile(r"\s*pap\s*:\s*\w+\s*", re.IGNORECASE)
_BETWEEN = re.compile(r"[,;|/\n]+")
_BETWEEN_WORDS = re.compile(r"[,;|\n]+")
_BETWEEN_TAGS = re.compile(r"[,;|\n\[\]{}()\"']+|\s[-\u2013\u2014]\s")
_BEGINS_WITH_TAG = re.compile(r"\s*(?:[\[{(\"']|tlp(?![a-z]))", re.IGNORECASE)
_ASSIGNED = re.compile(r"(?<![a-z])(tlp)\s*[:=]\s*[\"']?", re.IGNORECASE)
_TAG_WORDS, _TAG_CHARS = 2, 40
_COMMENT_MARKS = "#;/!*-= \t"
_LEADING_WORD = re.compile(r"\A(?!tlp)[\w -]{1,30}:\s*", re.IGNORECASE)

_COLUMN = re.compile(
    r"tlp(?:level|marking|label|colou?r|designation|rating|classification|stufe|einstufung)?(?:\(\d+\))?"
    r"|trafficlightprotocol"
)
_LIKE_COLUMN = re.compile(r"(?<![a-z])tlp(?![a-z])|traffic.?light|\A(?:object)?.?markings?\Z", re.IGNORECASE)
_TAG_COLUMN = re.compile(r"(?:attribute|event|object)?(?:tags?|labels?|markings?|keywords?)")


class UnreadableLevelError(ValueError):
    """A row states a level that cannot be read."""


@lru_cache(maxsize=4096)
def is_level_column(name: str) -> bool:
    """Returns whether a column states a level, independent of the mapping."""
    return _COLUMN.fullmatch(plain(name.rpartition(".")[2])) is not None


@lru_cache(maxsize=4096)
def may_be_level_column(name: str) -> bool:
    """Returns whether a level in a column is used, while other words in it are ignored."""
    return _LIKE_COLUMN.search(name.rpartition(".")[2]) is not None


@lru_cache(maxsize=4096)
def is_tag_column(name: str) -> bool:
    """Returns whether a column has tags, which blanks may separate."""
    return _TAG_COLUMN.fullmatch(plain(name.rpartition(".")[2])) is not None


def level_tags(text: str, *, only_tags: bool = False) -> Iterator[str]:
    """Yields the tags of a cell that state a level, in any list syntax; ignores levels inside sentences.

    >>> list(level_tags("['osint', 'tlp:red']"))
    ['tlp:red']
    """
    if "tlp" not in text.lower():
        return
    # inside a sentence, "[TLP:GREEN]" may be the level of something else
    between = _BETWEEN_TAGS if _BEGINS_WITH_TAG.match(text) else _BETWEEN_WORDS
    for part in between.split(_ASSIGNED.sub(r"\1:", text)):
        is_short = len(part) <= _TAG_CHARS and len(part.split()) <= _TAG_WORDS and "://" not in part
        is_tag = is_short and is_level_tag(part)
        yield from [part] if is_tag else filter(is_level_tag, part.split()) if only_tags else ()


def is_level_tag(text: str) -> bool:
    """Returns whether a tag states a TLP level, readable or not."""
    return text.lstrip()[:3].lower() == "tlp" and _TAG.match(text) is not None


def level_remarks(comment: str) -> list[str]:
    """Returns the level, as tags, that a comment states for the lines below it; none for a commented-out row.

    >>> level_remarks("# Marking: TLP:RED - no sharing")
    ['TLP:RED']
    """
    said = _LEADING_WORD.sub("", comment.lstrip(_COMMENT_MARKS))
    return list(level_tags(said)) if said.lower().startswith(("tlp", "(tlp", "[tlp")) else []


def read_level(text: str, words: Mapping[str, str]) -> tuple[str | None, list[str]]:
    """Returns the strictest level of a cell (None: only a PAP), and its PAP tags, which the hub reads from labels.

    ``words`` are the feed's own words, in lower case. Raises UnreadableLevelError.

    >>> read_level("TLP:GREEN, TLP:AMBER+STRICT, PAP:RED", {})
    ('amber+strict', ['PAP:RED'])
    """
    said = words.get(text.strip().lower())
    if said is not None:
        return said, []
    levels, paps = [], []
    for part in filter(str.strip, _BETWEEN.split(text)):
        if _PAP.fullmatch(part):
            paps.append(part.strip())
        else:
            levels.append(_level(part, words))
    return strictest(levels), paps


def _level(text: str, words: Mapping[str, str]) -> str:
    said = words.get(text.strip().lower())
    if said is not None:
        return said
    level = _WORDS.get(re.sub(r"[\s+_()-]+", "", _TLP.sub("", text, count=1).lower()))
    if level is None:
        raise UnreadableLevelError(text)
    return level


def strictest(levels: Iterable[str]) -> str | None:
    """Returns the strictest level; None if there is none."""
    return max(levels, key=_ORDER.index, default=None)
