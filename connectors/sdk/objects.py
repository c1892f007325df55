"""Cuts a stream of bytes into STIX objects without decoding them: bundle, TAXII envelope, list, NDJSON, objects.

The hub is the judge of what is a valid object, so nothing is decoded, repaired or dropped here: a malformed object
comes out as its raw bytes and is refused there, with a code. Sans-IO: fed bytes cut anywhere, it holds a bounded rest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from enum import Enum, auto

LIMIT_BYTES = 16 << 20
"""An object longer than this comes out cut to it. The hub takes 1 MiB unless its operator says otherwise."""
_SNIFF_BYTES = 64 << 10
_BOM = b"\xef\xbb\xbf"

# Loops are unrolled ("normal* (special normal*)*"): an alternation repeated by token is four times as slow in `re`.
_STRING_REST_TEXT = rb'[^"\\\n]*+(?:\\.[^"\\\n]*+)*+'
_STRING = rb'"' + _STRING_REST_TEXT + rb'"'
_SPAN_TEXT = rb'[^"{}\[\]]*+(?:' + _STRING + rb'[^"{}\[\]]*+)*+'


def _nested(depth: int) -> bytes:
    """What may stand between the brackets of a value that nests ``depth`` levels at most."""
    inside = _SPAN_TEXT
    for _ in range(depth):
        inside = _SPAN_TEXT + rb"(?:(?:\{" + inside + rb"\}|\[" + inside + rb"\])" + _SPAN_TEXT + rb")*+"
    return inside


# Real objects nest five levels at most; one match takes a whole one.
_WHOLE_OBJECT = re.compile(rb"\{" + _nested(5) + rb"\}", re.DOTALL)
_COMPLETE_STRING = re.compile(_STRING, re.DOTALL)
_STRING_REST = re.compile(_STRING_REST_TEXT, re.DOTALL)
_SPAN = re.compile(_SPAN_TEXT, re.DOTALL)
_UNTIL_TOKEN = re.compile(rb'[^"{}\[\]:,]*+')
_BLANKS = re.compile(rb"[ \t\r]*+")
_BETWEEN = re.compile(rb"[ \t\r\n,\x1e]*+")
_STRAY = re.compile(rb'[^",\[\]{\n]*+(?:"' + _STRING_REST_TEXT + rb'"?[^",\[\]{\n]*+)*+', re.DOTALL)
_HOLDS_OBJECTS = re.compile(rb'"objects"\s*:\s*\[')

_QUOTE, _BACKSLASH, _NEWLINE, _COLON, _COMMA = b'"\\\n:,'
_OPEN_OBJECT, _CLOSE_OBJECT, _OPEN_LIST, _CLOSE_LIST = b"{}[]"


def split(chunks: Iterable[bytes], *, limit_bytes: int = LIMIT_BYTES) -> Iterator[bytes]:
    """The objects in ``chunks``, each as one line of bytes (ready for NDJSON), in order. Memory stays bounded."""
    splitter = ObjectSplitter(limit_bytes=limit_bytes)
    for chunk in chunks:
        yield from splitter.feed(chunk)
    yield from splitter.close()


class ObjectSplitter:
    """Fed bytes, gives the objects that are complete so far. Objects of a STIX 2.0 bundle get its ``spec_version``."""

    def __init__(self, *, limit_bytes: int = LIMIT_BYTES, spec_version: str | None = None) -> None:
        self._limit = limit_bytes
        self._spec_version = f'"{spec_version}"'.encode() if spec_version else None
        self._rest = b""
        self._reached = 0
        """How far into the rest the value in hand was read."""
        self._step: Callable[[bool], bool] = self._sniff
        self._found: list[bytes] = []
        self._scan = _Scan()
        self._cutting = False
        """Whether the value in hand went over the limit: it came out cut, and its remainder is passed over."""
        self._head: _Head | None = None
        self._line_before = False

    def feed(self, data: bytes) -> list[bytes]:
        """The objects that ``data`` completes."""
        self._rest = self._rest + data if self._rest else data
        return self._work(last=False)

    def close(self) -> list[bytes]:
        """What remained: objects whose end never came, as they are."""
        return self._work(last=True)

    def _work(self, *, last: bool) -> list[bytes]:
        while self._step(last):
            pass
        found, self._found = self._found, []
        return found

    # Each step below reads on from the start of the rest and says whether the next step can be taken at once.

    def _sniff(self, last: bool) -> bool:
        start = self._rest.removeprefix(_BOM).lstrip(b" \t\r\n")
        lines = start.split(b"\n", 2)
        if not last and len(start) < _SNIFF_BYTES and (len(lines) < 3 or not lines[1].strip()):
            return False
        self._rest = start
        self._step = self._lines if _looks_like_lines(lines) else self._top
        return True

    def _lines(self, last: bool) -> bool:
        *lines, rest = self._rest.split(b"\n")
        if last and rest:
            lines.append(rest)
            rest = b""
        if self._cutting and lines:  # the end of a line that came out cut
            lines = lines[1:]
            self._cutting = False
        for line in lines:
            self._take_line(line)
        if len(rest) > self._limit and not self._cutting:
            self._emit(rest)
            self._cutting = True
        self._rest = b"" if self._cutting else rest
        return False

    def _take_line(self, line: bytes) -> None:
        line = line.strip(b" \t\r")
        # A list is not opened here: of NDJSON each line is one object, and the hub refuses what is none.
        if len(line) <= self._limit and line[:1] == b"{" and _may_hold_objects(line):
            self._found.extend(_split_document(line, self._limit))
        elif line:
            self._emit(line)

    def _top(self, last: bool) -> bool:
        rest = self._rest
        at = _end_of(_BLANKS, rest, 0)
        if self._line_before and rest[at : at + 1] == b"\n":
            self._step = self._lines
            return True
        at = _end_of(_BETWEEN, rest, at)
        self._rest = rest = rest[at:]
        if not rest:
            return False
        if rest[0] == _OPEN_OBJECT:
            return self._start_value(rest)
        if rest[0] == _OPEN_LIST:
            self._rest = rest[1:]
            self._step = self._list
            return True
        return self._stray_line(rest, last)

    def _start_value(self, rest: bytes) -> bool:
        whole = _WHOLE_OBJECT.match(rest)
        if whole and not _may_hold_objects(whole.group()):
            self._emit(whole.group())
            self._line_before = b"\n" not in whole.group()
            self._rest = rest[whole.end() :]
            return True
        self._head, self._reached, self._line_before = _Head(), 0, False
        self._step = self._value
        return True

    def _stray_line(self, rest: bytes, last: bool) -> bool:
        end = rest.find(b"\n")
        if end < 0 and not last and len(rest) <= self._limit:
            return False
        end = len(rest) if end < 0 else end
        self._emit(rest[:end])
        self._rest = rest[end:]
        return True

    def _value(self, last: bool) -> bool:
        """A top-level object: either an object to give out, or what holds the objects."""
        head = self._head or _Head()
        self._reached, what = head.read(self._rest, self._reached)
        if what is _Read.LIST:
            head.holds_objects = True
            self._spec_version = head.spec_version or self._spec_version
            self._rest, self._reached = self._rest[self._reached :], 0
            self._step = self._list
            return True
        if what is _Read.END or (last and self._rest):
            end = self._reached if what is _Read.END else len(self._rest)
            if not head.holds_objects and not head.is_empty_bundle and not self._cutting:
                self._emit(self._rest[:end])
            self._rest, self._head, self._cutting, self._step = self._rest[end:], None, False, self._top
            return True
        if head.holds_objects or self._cutting or len(self._rest) > self._limit:
            self._let_go(emit=not head.holds_objects)
        return False

    def _list(self, last: bool) -> bool:
        """Between the objects of a bundle, an envelope or a list: the hot loop."""
        rest, at, match_object = self._rest, 0, _WHOLE_OBJECT.match
        while True:
            at = _end_of(_BETWEEN, rest, at)
            whole = match_object(rest, at)
            if not whole:
                break
            self._emit(whole.group())
            at = whole.end()
        self._rest = rest = rest[at:]
        if not rest:
            return False
        if rest[0] in b"{[":
            self._scan, self._reached, self._step = _Scan(), 0, self._element
            return True
        if rest[0] == _CLOSE_LIST:
            self._rest, self._reached = rest[1:], 0
            self._step = self._value if self._head else self._top
            return True
        return self._stray_element(rest, last)

    def _stray_element(self, rest: bytes, last: bool) -> bool:
        end = _end_of(_STRAY, rest, 0)
        if end == len(rest) and not last and end <= self._limit:
            return False
        self._emit(rest[: max(end, 1)].strip())
        self._rest = rest[max(end, 1) :]
        return True

    def _element(self, last: bool) -> bool:
        """An object of a list that is not whole yet, or nests deeply, or is broken."""
        self._reached, ended = self._scan.read(self._rest, self._reached)
        if ended or (last and self._rest):
            end = self._reached if ended else len(self._rest)
            if not self._cutting:
                self._emit(self._rest[:end])
            self._rest, self._cutting, self._step = self._rest[end:], False, self._list
            return True
        if self._cutting or len(self._rest) > self._limit:
            self._let_go(emit=True)
        return False

    def _let_go(self, *, emit: bool) -> None:
        """Give out the value in hand cut to the limit (once), and keep only what is still to be read."""
        if emit and not self._cutting:
            self._emit(self._rest)
            self._cutting = True
        self._rest, self._reached = self._rest[self._reached :], 0

    def _emit(self, raw: bytes) -> None:
        raw = raw[: self._limit]
        # As one line: a tab is blank between tokens like a line break, and as wrong as one inside a string.
        if b"\n" in raw or b"\r" in raw:
            raw = raw.replace(b"\n", b"\t").replace(b"\r", b"\t")
        if self._spec_version == b'"2.0"' and raw[:1] == b"{" and b'"spec_version"' not in raw:
            raw = b'{"spec_version":"2.0"' + (b"," if raw[1:].lstrip()[:1] != b"}" else b"") + raw[1:]
        if raw:
            self._found.append(raw)


def _split_document(line: bytes, limit_bytes: int) -> list[bytes]:
    inner = ObjectSplitter(limit_bytes=limit_bytes)
    return inner.feed(line) + inner.close()


def _may_hold_objects(raw: bytes) -> bool:
    """False for what is surely an object of its own; the others are read property by property."""
    return b'"objects"' in raw or b'"bundle"' in raw


def _looks_like_lines(lines: list[bytes]) -> bool:
    """Whether the first lines are those of NDJSON, malformed perhaps, rather than of one document over many lines."""
    first, second = lines[0].strip(), (lines[1].strip() if len(lines) > 1 else b"")
    if not second or _HOLDS_OBJECTS.search(first):
        return False
    if first[:1] == b"[":  # a list over several lines, unless it ends where the line does and something follows
        return first[-1:] == b"]" and second[:1] in (b"{", b"[")
    if first[:1] != b"{":
        return True
    return len(first) > 1 and (second[:1] == b"{" or _WHOLE_OBJECT.fullmatch(first) is not None)


def _end_of(pattern: re.Pattern[bytes], data: bytes, at: int) -> int:
    match = pattern.match(data, at)
    return match.end() if match else at


class _Scan:
    """Finds the end of one bracketed value over any number of feeds.

    A line break inside a string ends the string: JSON has none there, and so one missing quote spoils one line rather
    than the rest of the file.
    """

    __slots__ = ("_in_string", "_open")

    def __init__(self) -> None:
        self._open = bytearray()
        self._in_string = False

    def read(self, data: bytes, at: int) -> tuple[int, bool]:
        """Read ``data`` on from ``at``: the position reached, and whether the value ended there."""
        while True:
            at = _end_of(_STRING_REST if self._in_string else _SPAN, data, at)
            if at == len(data) or data[at] == _BACKSLASH:  # a backslash at the end waits for what it escapes
                return at, False
            mark = data[at]
            at += 1
            if self._in_string or mark == _QUOTE:
                self._in_string = not self._in_string
            elif self._closes(mark):
                return at, True

    def _closes(self, mark: int) -> bool:
        """Account for one bracket; whether it closed the value. A bracket that fits nowhere is passed over."""
        stack = self._open
        if mark in b"{[":
            stack.append(mark)
        elif mark == _CLOSE_OBJECT and (opened := stack.rfind(b"{")) >= 0:
            del stack[opened:]
        elif mark == _CLOSE_LIST and stack[-1:] == b"[":
            stack.pop()
        return not stack


class _Read(Enum):
    """Why the reading of a top-level object stopped."""

    MORE = auto()
    LIST = auto()
    END = auto()


class _Head:
    """Reads the properties of a top-level object until it ends or turns out to be what holds the objects."""

    def __init__(self) -> None:
        self.holds_objects = False
        self.spec_version: bytes | None = None
        self._type: bytes | None = None
        self._depth = 0
        self._key: bytes | None = None
        self._after_colon = False
        self._nested: _Scan | None = None

    @property
    def is_empty_bundle(self) -> bool:
        """A bundle may come without objects, and then there is nothing to publish."""
        return self._type == b'"bundle"' and not self.holds_objects

    def read(self, data: bytes, at: int) -> tuple[int, _Read]:
        """Read on from ``at``: the position reached, and why there."""
        while True:
            if self._nested:
                at, ended = self._nested.read(data, at)
                if not ended:
                    return at, _Read.MORE
                self._nested = None
            at = _end_of(_UNTIL_TOKEN, data, at)
            if at == len(data):
                return at, _Read.MORE
            mark = data[at]
            if mark == _QUOTE:
                end = self._string(data, at)
                if end is None:
                    return at, _Read.MORE
                at = end
            elif mark == _OPEN_LIST and self._at_objects():
                self._after_colon = False
                return at + 1, _Read.LIST
            elif mark in b"{[" and self._depth:
                self._nested, self._after_colon = _Scan(), False
            elif mark == _CLOSE_OBJECT:
                return at + 1, _Read.END
            else:
                self._punctuation(mark)
                at += 1

    def _at_objects(self) -> bool:
        return self._after_colon and self._key == b'"objects"' and self._type in (None, b'"bundle"')

    def _punctuation(self, mark: int) -> None:
        if mark == _OPEN_OBJECT:
            self._depth = 1
        elif mark in b":,":
            self._after_colon = mark == _COLON

    def _string(self, data: bytes, at: int) -> int | None:
        """The end of the string that begins at ``at``; None while it has none."""
        whole = _COMPLETE_STRING.match(data, at)
        if not whole:
            end = _end_of(_STRING_REST, data, at + 1)
            broken = end < len(data) and data[end] == _NEWLINE
            return end + 1 if broken else None
        if not self._after_colon:
            self._key = whole.group()
        elif self._key == b'"type"':
            self._type = whole.group()
        elif self._key == b'"spec_version"':
            self.spec_version = whole.group()
        return whole.end()
