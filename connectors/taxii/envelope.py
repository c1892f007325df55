"""Takes a TAXII envelope apart as it comes: the list of its objects as bytes, the few properties around it decoded.

Nothing is given out of an envelope before its end has come and its brackets fit: what a broken page did not give must
not be passed. Sans-IO; whatever comes, memory stays bounded and nothing recurses.
"""

from __future__ import annotations

import codecs
import re
from typing import Any

import orjson

NESTING = 100
"""How deep brackets may stand in one another. Real objects nest five levels, and the hub takes 32."""
OBJECTS_MOST = 1_000_000
"""In one page. We ask for a thousand; some servers give a whole collection."""
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
    """Why something is no envelope, to be read after "the answer"."""


class EnvelopeScanner:
    """Fed bytes cut anywhere, gives those that stand inside the list ``objects``."""

    def __init__(self) -> None:
        self.objects = 0
        """How many elements the list has so far."""
        self._rest = b""
        self._open = bytearray()
        self._in_string = False
        self._inside = False
        """Whether what is read stands in the list of objects."""
        self._around = bytearray()
        self._found: list[bytes] = []

    def feed(self, data: bytes) -> bytes:
        """The bytes of the list that ``data`` brings. Raises EnvelopeError."""
        data = self._rest + data
        self._rest = b""
        at = start = 0
        while at < len(data):
            at, start = self._string(data, at, start) if self._in_string else self._token(data, at, start)
        self._take(data[start:])
        found, self._found = b"".join(self._found), []
        return found

    def close(self) -> dict[str, Any]:
        """The properties of the envelope, ``objects`` emptied. Raises EnvelopeError where its end never came."""
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
        """To the end of a string: the positions reached, and from where the bytes are not yet taken."""
        match = _STRING_REST.match(data, at)
        at = match.end() if match else at
        if at < len(data) and data[at] == _BACKSLASH:  # what it escapes has not come yet
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
            self._take(data[start:at] + b",")  # the key may come twice
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
