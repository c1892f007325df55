"""Scans JSON text without decoding it: finds the ends of values and the properties of objects. Sans-IO.

The text may be split anywhere and may be malformed: a malformed value should affect as few others as possible.
"""

from __future__ import annotations

import re
from copy import copy
from enum import Enum, auto

SNIFF_BYTES = 64 << 10
"""How much of a text is read to find out what it is."""
# Loops are unrolled ("normal* (special normal*)*"): an alternation repeated by token is four times as slow in `re`.
STRING_REST_TEXT = rb'[^"\\\n]*+(?:\\.[^"\\\n]*+)*+'
_STRING = rb'"' + STRING_REST_TEXT + rb'"'
_SPAN_TEXT = rb'[^"{}\[\]]*+(?:' + _STRING + rb'[^"{}\[\]]*+)*+'


def _nested(depth: int) -> bytes:
    """Returns a pattern for the content of a value with at most ``depth`` levels of nesting."""
    inside = _SPAN_TEXT
    for _ in range(depth):
        inside = _SPAN_TEXT + rb"(?:(?:\{" + inside + rb"\}|\[" + inside + rb"\])" + _SPAN_TEXT + rb")*+"
    return inside


WHOLE_OBJECT = re.compile(rb"\{" + _nested(5) + rb"\}", re.DOTALL)
"""Matches a complete object; real objects have at most five levels."""
_COMPLETE_STRING = re.compile(_STRING, re.DOTALL)
_STRING_REST = re.compile(STRING_REST_TEXT, re.DOTALL)
_SPAN = re.compile(_SPAN_TEXT, re.DOTALL)
_UNTIL_TOKEN = re.compile(rb'[^"{}\[\]:,]*+')

_QUOTE, _BACKSLASH, _NEWLINE, _COLON = b'"\\\n:'
_OPEN_OBJECT, _CLOSE_OBJECT, _OPEN_LIST, _CLOSE_LIST = b"{}[]"


def end_of(pattern: re.Pattern[bytes], data: bytes, at: int) -> int:
    """Returns the end of a match at ``at``, or ``at`` without a match."""
    match = pattern.match(data, at)
    return match.end() if match else at


class Scan:
    """Finds the end of one object or list, over any number of calls.

    A line break ends a string: valid JSON has none there, so a missing quote affects one line and not the rest of the
    file.
    """

    __slots__ = ("_in_string", "_open")

    def __init__(self) -> None:
        self._open = bytearray()
        self._in_string = False

    def read(self, data: bytes, at: int) -> tuple[int, bool]:
        """Continue in ``data`` at ``at``; returns the position reached, and whether the value has ended."""
        while True:
            at = end_of(_STRING_REST if self._in_string else _SPAN, data, at)
            if at == len(data) or data[at] == _BACKSLASH:  # a backslash at the end waits for what it escapes
                return at, False
            mark = data[at]
            at += 1
            if self._in_string or mark == _QUOTE:
                self._in_string = not self._in_string
            elif self._closes(mark):
                return at, True

    def _closes(self, mark: int) -> bool:
        """Process one bracket; returns whether it closed the value. An unmatched bracket is ignored."""
        stack = self._open
        if mark in b"{[":
            stack.append(mark)
        elif mark == _CLOSE_OBJECT and (opened := stack.rfind(b"{")) >= 0:
            del stack[opened:]
        elif mark == _CLOSE_LIST and stack[-1:] == b"[":
            stack.pop()
        return not stack


class StopReason(Enum):
    """Why the reading of a top-level object stopped."""

    MORE = auto()
    LIST = auto()
    END = auto()


class PropertyReader:
    """Reads the properties of an object until its end, or until its list of objects begins."""

    def __init__(self) -> None:
        self.is_container = False
        self.spec_version: bytes | None = None
        self.id = b'"bundle--"'
        self.first_waiting = 0
        """The index of its first object among those that wait for a version."""
        self.type: bytes | None = None
        """The type as written, with quotation marks; None until it was read."""
        self._is_versioned = False
        self._depth = 0
        self._key: bytes | None = None
        self._after_colon = False
        self._nested: Scan | None = None

    @property
    def is_bundle(self) -> bool:
        """Whether it is a bundle, as far as it was read; without type and id it is an envelope."""
        return self.type == b'"bundle"' or self.id != b'"bundle--"'

    @property
    def is_empty_bundle(self) -> bool:
        """Whether it is a bundle without objects, so that there is nothing to publish."""
        return self.type == b'"bundle"' and not self.is_container

    def read(self, data: bytes, at: int) -> tuple[int, StopReason]:
        """Continue at ``at``; returns the position reached, and the reason for stopping."""
        while True:
            if self._nested:
                at, ended = self._nested.read(data, at)
                if not ended:
                    return at, StopReason.MORE
                self._nested = None
            at = end_of(_UNTIL_TOKEN, data, at)
            if at == len(data):
                return at, StopReason.MORE
            mark = data[at]
            if mark == _QUOTE:
                end = self._string(data, at)
                if end is None:
                    return at, StopReason.MORE
                at = end
            elif mark == _OPEN_LIST and self._at_objects():
                self._after_colon, self.is_container = False, True
                return at + 1, StopReason.LIST
            elif mark in b"{[" and self._depth:
                self._nested, self._after_colon = Scan(), False
            elif mark == _CLOSE_OBJECT:
                return at + 1, StopReason.END
            else:
                self._punctuation(mark)
                at += 1

    def _at_objects(self) -> bool:
        if not self._after_colon or self._key != b'"objects"':
            return False
        # With sorted keys the type is last: an object has times, a bundle has none.
        return self.type == b'"bundle"' or (self.type is None and not self._is_versioned)

    def _punctuation(self, mark: int) -> None:
        if mark == _OPEN_OBJECT:
            self._depth = 1
        elif mark in b":,":
            self._after_colon = mark == _COLON

    def _string(self, data: bytes, at: int) -> int | None:
        """Returns the end of the string at ``at``; None if it is not in ``data``."""
        whole = _COMPLETE_STRING.match(data, at)
        if not whole:
            end = end_of(_STRING_REST, data, at + 1)
            broken = end < len(data) and data[end] == _NEWLINE
            return end + 1 if broken else None
        if not self._after_colon:
            self._key = whole.group()
            self._is_versioned = self._is_versioned or self._key in (b'"created"', b'"modified"')
        elif self._key == b'"type"':
            self.type = whole.group()
        elif self._key == b'"spec_version"':
            self.spec_version = whole.group()
        elif self._key == b'"id"' and not self.is_container:
            self.id = whole.group()
        return whole.end()


_HOLDS_OBJECTS = re.compile(rb'"objects"\s*:\s*\[')


def says_no_version(raw: bytes) -> bool:
    """Returns whether it is an object in which nothing is called ``spec_version``."""
    return raw[:1] == b"{" and b'"spec_version"' not in raw


def may_hold_objects(raw: bytes) -> bool:
    """Returns False if it is certainly a single object; others are read property by property."""
    return b'"objects"' in raw or b'"bundle"' in raw


def looks_like_lines(lines: list[bytes]) -> bool:
    """Returns whether the first lines are NDJSON, possibly malformed, and not one document over many lines."""
    first, second = lines[0].strip(), (lines[1].strip() if len(lines) > 1 else b"")
    if not second or _HOLDS_OBJECTS.search(first):
        return False
    if first[:1] == b"[":  # a list over several lines, unless it ends with the line and more follows
        return first[-1:] == b"]" and second[:1] in (b"{", b"[")
    if first[:1] != b"{":
        return True
    return len(first) > 1 and (second[:1] == b"{" or WHOLE_OBJECT.fullmatch(first) is not None)


def is_container(head: PropertyReader, data: bytes, at: int, last: bool) -> bool | None:
    """Returns whether an object with a list ``objects``, which begins before ``at``, is a bundle or an envelope.

    With sorted keys the type is after the list, so a bounded amount of data is searched for it; None if more data are
    needed.
    """
    if head.type is not None:
        return True
    window = data[:SNIFF_BYTES]
    after, ended = Scan().read(window, at - 1)
    if ended:
        behind = copy(head)
        _, what = behind.read(window, after)
        if behind.type is not None:
            return behind.type == b'"bundle"'
        if what is StopReason.END:
            return True
    return True if last or len(data) >= SNIFF_BYTES else None
