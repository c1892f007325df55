"""Splits a TAXII envelope while it is received: its list of objects as bytes, the other properties decoded.

An envelope is used only when it is complete and its brackets match: otherwise the missing objects of a broken page
would be skipped. Sans-IO; memory is bounded for any input, and nothing recurses.
"""

from __future__ import annotations

import codecs
import re
from typing import Any

import orjson

NESTING = 100
"""The maximum nesting of brackets. Real objects have five levels; the hub's limit is 32."""
OBJECTS_MOST = 1_000_000
"""The maximum number of objects in one page. Some servers send a whole collection, whatever limit is requested."""
_AROUND_BYTES = 1 << 20

_STRING_REST = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_UNTIL_TOKEN = re.compile(rb'[^"{}\[\]]*+')
_UNTIL_BRACKET = re.compile(rb'[^"{}\[\]]*+(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"[^"{}\[\]]*+)*+', re.DOTALL)
_OBJECTS_BEFORE = re.compile(rb'(?<!\\)"objects"\s*:\s*\Z')
_NEAR = 256
_BETWEEN = b" \t\r\n,"
_QUOTE, _BACKSLASH = b'"\\'
_OPEN_LIST = b"["[0]
_CLOSES = {b"}"[0]: b"{"[0], b"]"[0]: _OPEN_LIST}


class EnvelopeError(ValueError):
    """Why a response is not an envelope; the text follows "the answer"."""


class EnvelopeScanner:
    """Accepts bytes, split anywhere, and returns those inside the list ``objects``."""

    def __init__(self) -> None:
        self.objects = 0
        """The number of elements of the list so far."""
        self._rest = b""
        self._open = bytearray()
        self._in_string = False
        self._inside = False
        """Whether the current position is in the list of objects."""
        self._around = bytearray()
        self._found: list[bytes] = []

    def feed(self, data: bytes) -> bytes:
        """Returns the bytes of ``data`` that are in the list. Raises EnvelopeError."""
        data = self._rest + data
        self._rest = b""
        at = start = 0
        while at < len(data):
            at, start = self._string(data, at, start) if self._in_string else self._token(data, at, start)
        self._take(data[start:])
        found, self._found = b"".join(self._found), []
        return found

    def close(self) -> dict[str, Any]:
        """Returns the properties of the envelope, with empty ``objects``. Raises EnvelopeError if it is incomplete."""
        if self._open or self._in_string:
            raise EnvelopeError("ends in the middle")
        text = bytes(self._around).removeprefix(codecs.BOM_UTF8).strip()
        try:
            found = orjson.loads(text) if text else {}
        except orjson.JSONDecodeError as error:
            raise EnvelopeError(f"is not JSON: {error}") from error
        if not isinstance(found, dict):
            raise EnvelopeError("is JSON, but not an envelope")
        return found

    def _string(self, data: bytes, at: int, start: int) -> tuple[int, int]:
        """Reads to the end of a string; returns the position reached, and the start of the bytes not yet stored."""
        match = _STRING_REST.match(data, at)
        at = match.end() if match else at
        if at < len(data) and data[at] == _BACKSLASH:  # the escaped character is not received yet
            self._take(data[start:at])
            self._rest = data[at:]
            return len(data), len(data)
        if at < len(data):
            self._in_string = False
            at += 1
        return at, start

    def _token(self, data: bytes, at: int, start: int) -> tuple[int, int]:
        between = self._inside and len(self._open) == 2
        match = (_UNTIL_TOKEN if between else _UNTIL_BRACKET).match(data, at)
        end = match.end() if match else at
        if between:
            self._count_strays(data[at:end])
        if end == len(data):
            return end, start
        mark = data[end]
        if mark == _QUOTE:
            self._in_string = True
            self._count(between)
        elif mark in _CLOSES:
            return end + 1, self._closed(mark, data, end, start)
        else:
            return end + 1, self._opened(mark, data, end, start)
        return end + 1, start

    def _opened(self, mark: int, data: bytes, at: int, start: int) -> int:
        self._count(self._inside and len(self._open) == 2)
        if mark == _OPEN_LIST and len(self._open) == 1 and not self._inside:
            self._take(data[start : at + 1])
            start = at + 1
            end = len(self._around)
            self._inside = _OBJECTS_BEFORE.search(self._around, end - _NEAR, end - 1) is not None
        self._open.append(mark)
        if len(self._open) > NESTING:
            raise EnvelopeError(f"nests more than {NESTING} deep")
        return start

    def _closed(self, mark: int, data: bytes, at: int, start: int) -> int:
        if not self._open or self._open.pop() != _CLOSES[mark]:
            raise EnvelopeError("is not JSON: its brackets do not fit")
        if self._inside and len(self._open) == 1:
            self._take(data[start:at] + b",")  # the key may be duplicate
            self._inside = False
            return at
        return start

    def _count(self, one: bool) -> None:
        self.objects += one
        if self.objects > OBJECTS_MOST:
            raise EnvelopeError(f"holds more than {OBJECTS_MOST:,} objects")

    def _count_strays(self, between: bytes) -> None:
        if between.strip(_BETWEEN):
            self.objects += between.count(b",")
            self._count(True)

    def _take(self, piece: bytes) -> None:
        if self._inside:
            self._found.append(piece)
            return
        self._around += piece
        if len(self._around) > _AROUND_BYTES:
            raise EnvelopeError("is not an envelope: there is too much around its objects")
