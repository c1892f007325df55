"""Splits a stream of bytes into STIX objects without decoding them: bundle, TAXII envelope, list, NDJSON, objects.

A nested bundle is split as well. The hub decides what is a valid object, so nothing is decoded, repaired or dropped
here: a malformed object is returned as raw bytes, and the hub rejects it with a code. Sans-IO: the input may be split
anywhere, and the buffered rest is bounded.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable, Iterator

from connectors.sdk.encodings import as_utf8
from connectors.sdk.json_text import (
    SNIFF_BYTES,
    STRING_REST_TEXT,
    WHOLE_OBJECT,
    PropertyReader,
    Scan,
    StopReason,
    end_of,
    is_container,
    looks_like_lines,
    may_hold_objects,
    says_no_version,
)

LIMIT_BYTES = 16 << 20
"""A longer object is cut to this length. The hub's default limit is 1 MiB."""
BUNDLES_DEEP = 3
"""How deep bundles may be nested; the hub has the same limit."""
_BOM = codecs.BOM_UTF8

_BLANKS = re.compile(rb"[ \t\r]*+")
_BETWEEN = re.compile(rb"[ \t\r\n,\x1e]*+")
_STRAY = re.compile(rb'[^",\[\]{\n]*+(?:"' + STRING_REST_TEXT + rb'"?[^",\[\]{\n]*+)*+', re.DOTALL)
_VERSIONS = (b'"2.0"', b'"2.1"')
_OPEN_OBJECT, _OPEN_LIST, _CLOSE_LIST = b"{[]"


def split(chunks: Iterable[bytes], *, limit_bytes: int = LIMIT_BYTES) -> Iterator[bytes]:
    """Yields the objects in ``chunks``, each as one line of bytes for NDJSON, in order. Memory is bounded.

    The text may be UTF-8, UTF-16 or UTF-32, with or without a byte order mark.
    """
    return (found for found, _ in split_with_lines(chunks, limit_bytes=limit_bytes))


def split_with_lines(chunks: Iterable[bytes], *, limit_bytes: int = LIMIT_BYTES) -> Iterator[tuple[bytes, int]]:
    """As ``split``, each object with the number of its line from 1 if the text is NDJSON, otherwise with 0."""
    splitter = ObjectSplitter(limit_bytes=limit_bytes)
    for chunk in as_utf8(chunks):
        yield from zip(splitter.feed(chunk), splitter.lines, strict=True)
    yield from zip(splitter.close(), splitter.lines, strict=True)


class ObjectSplitter:
    """Accepts bytes and returns the objects that are complete. Objects of a bundle get its ``spec_version``.

    A bundle in more than ``BUNDLES_DEEP - 1`` others is returned inside as many bundles, so that the hub rejects it.
    """

    def __init__(self, *, limit_bytes: int = LIMIT_BYTES) -> None:
        self._limit = limit_bytes
        self.lines: list[int] = []
        """The line of each object that was returned last; 0 if it is not one of NDJSON."""
        self._line_of: list[int] = []
        """The same for the objects in ``_found``, as far as it is known."""
        self._fed_lines = 0
        """How many line ends were fed, those in the rest included."""
        self._open: list[PropertyReader] = []
        """The bundles and envelopes around the current value, outermost first, without a list at the top."""
        self._rest = b""
        self._reached = 0
        """How far the current value was read in the rest."""
        self._step: Callable[[bool], bool] = self._sniff
        self._found: list[bytes] = []
        self._scan = Scan()
        self._cutting = False
        """Whether the current value exceeds the limit: it was returned cut, and its remainder is skipped."""
        self._in_list = False
        """Whether a list is open at the top."""
        self._too_deep = False
        """Whether the current value is a bundle in too many others."""
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._impatient = False
        """Whether too many objects waited for a version, so that none waits until the outermost bundle ends."""
        self._head = PropertyReader()
        """The properties of the current top-level value."""
        self._line_before = False
        self._undecided = False
        """Whether the meaning of the current value's list is not known yet."""

    def feed(self, data: bytes) -> list[bytes]:
        """Returns the objects that ``data`` completes."""
        self._rest = self._rest + data if self._rest else data
        self._fed_lines += data.count(b"\n")
        return self._work(last=False)

    def close(self) -> list[bytes]:
        """Returns the rest: incomplete objects, unchanged."""
        found, lines = self._work(last=True), self.lines
        self._release()
        found += self._take_found()
        self.lines = lines + self.lines
        return found

    def _work(self, *, last: bool) -> list[bytes]:
        while self._step(last):
            pass
        return self._take_found()

    def _take_found(self) -> list[bytes]:
        self._set_lines(0)
        self.lines, self._line_of = self._line_of, []
        found, self._found = self._found, []
        return found

    def _set_lines(self, line: int) -> None:
        """Record the line of what was found since the last call."""
        self._line_of += [line] * (len(self._found) - len(self._line_of))

    # Each step below reads from the start of the rest and returns whether the next step can run at once.

    def _sniff(self, last: bool) -> bool:
        start = self._rest.removeprefix(_BOM).lstrip(b" \t\r\n")
        lines = start.split(b"\n", 2)
        if not last and len(start) < SNIFF_BYTES and (len(lines) < 3 or not lines[1].strip()):
            return False
        self._rest = start
        self._step = self._lines if looks_like_lines(lines) else self._top
        return True

    def _lines(self, last: bool) -> bool:
        self._set_lines(0)
        *lines, rest = self._rest.split(b"\n")
        first = self._fed_lines - len(lines) + 1
        if last and rest:
            lines.append(rest)
            rest = b""
        if self._cutting and lines:  # the end of a line that was returned cut
            lines, first = lines[1:], first + 1
            self._cutting = False
        for number, line in enumerate(lines, start=first):
            self._take_line(line)
            self._set_lines(number)
        if len(rest) > self._limit and not self._cutting:
            self._emit(rest)
            self._set_lines(self._fed_lines + 1)
            self._cutting = True
        self._rest = b"" if self._cutting else rest
        return False

    def _take_line(self, line: bytes) -> None:
        line = line.strip(b" \t\r")
        # A list is not split here: each line of NDJSON is one object, and the hub rejects other lines.
        if len(line) <= self._limit and line[:1] == b"{" and may_hold_objects(line):
            self._found.extend(_split_document(line, self._limit))
        elif line:
            self._emit(line)

    def _top(self, last: bool) -> bool:
        rest = self._rest
        at = end_of(_BLANKS, rest, 0)
        if self._line_before and rest[at : at + 1] == b"\n":
            self._step = self._lines
            return True
        at = end_of(_BETWEEN, rest, at)
        self._rest = rest = rest[at:]
        if not rest:
            return False
        if rest[0] == _OPEN_OBJECT:
            return self._start_value(rest)
        if rest[0] == _OPEN_LIST:
            self._rest, self._in_list, self._step = rest[1:], True, self._list
            return True
        return self._stray_line(rest, last)

    def _start_value(self, rest: bytes) -> bool:
        whole = WHOLE_OBJECT.match(rest)
        if whole and not may_hold_objects(whole.group()):
            self._emit(whole.group())
            self._line_before = b"\n" not in whole.group()
            self._rest = rest[whole.end() :]
            return True
        self._head, self._reached, self._line_before = PropertyReader(), 0, False
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
        """A top-level object: either an object to return, or a bundle or envelope."""
        head = self._head
        if not self._undecided:
            self._reached, what = head.read(self._rest, self._reached)
        else:
            what = StopReason.LIST
        if what is StopReason.LIST:
            holds = is_container(head, self._rest, self._reached, last)
            self._undecided = holds is None
            if holds:
                self._enter(head, self._reached)
            elif holds is False:  # an object with its type after a list of its own
                self._reached, _ = Scan().read(self._rest, self._reached - 1)
            return holds is not None
        if what is StopReason.END or (last and self._rest):
            end = self._reached if what is StopReason.END else len(self._rest)
            if not head.is_empty_bundle and not self._cutting:
                self._emit(self._rest[:end])
            self._rest, self._cutting, self._step = self._rest[end:], False, self._top
            return True
        if self._cutting or len(self._rest) > self._limit:
            self._let_go()
        return False

    def _enter(self, head: PropertyReader, at: int) -> None:
        """Continue inside the list of a bundle or envelope."""
        head.first_waiting = len(self._waiting)
        self._open.append(head)
        self._rest, self._reached, self._step = self._rest[at:], 0, self._list

    def _tail(self, last: bool) -> bool:
        """The properties after the list of a bundle or envelope, up to its end."""
        head = self._open[-1]
        self._reached, what = head.read(self._rest, self._reached)
        if what is StopReason.LIST:  # a duplicate key
            self._rest, self._reached, self._step = self._rest[self._reached :], 0, self._list
            return True
        end = len(self._rest) if last and what is StopReason.MORE else self._reached
        self._rest, self._reached = self._rest[end:], 0
        if what is StopReason.MORE and not (last and end):
            return False
        self._leave(head)
        self._step = self._list if self._open or self._in_list else self._top
        return True

    def _leave(self, head: PropertyReader) -> None:
        """At the end of a bundle, set its version, if any, in the objects that wait for it."""
        if head.spec_version:
            waiting = self._waiting[head.first_waiting :]
            self._waiting[head.first_waiting :] = [self._versioned(raw) for raw in waiting]
        self._open.pop()
        if not self._open:
            self._release()
            self._impatient = False

    def _list(self, last: bool) -> bool:
        """Between the objects of a bundle, an envelope or a list: the hot loop."""
        rest, at, match_object = self._rest, 0, WHOLE_OBJECT.match
        while True:
            at = end_of(_BETWEEN, rest, at)
            whole = match_object(rest, at)
            if not whole:
                break
            self._take_whole(whole.group())
            at = whole.end()
        self._rest = rest = rest[at:]
        if not rest:
            return False
        if rest[0] == _OPEN_OBJECT:
            return self._start_element(rest, last)
        if rest[0] == _OPEN_LIST:
            self._start_scan(too_deep=False)
            return True
        if rest[0] == _CLOSE_LIST:
            self._rest, self._reached = rest[1:], 0
            self._in_list = self._in_list and bool(self._open)
            self._step = self._tail if self._open else self._top
            return True
        return self._stray_element(rest, last)

    def _take_whole(self, raw: bytes) -> None:
        """A complete object of a list, which may be a bundle."""
        if not may_hold_objects(raw):
            self._emit(raw)
            return
        head, level = PropertyReader(), len(self._open)
        at, what = head.read(raw, 0)
        if what is not StopReason.LIST or not is_container(head, raw, at, last=True):
            if not head.is_empty_bundle:
                self._emit(raw)
        elif self._bundles() == BUNDLES_DEEP:
            self._emit(raw, too_deep=True)
        else:
            self._rest = raw
            self._enter(head, at)
            while len(self._open) > level and self._step(True):
                pass
            self._step = self._list

    def _start_element(self, rest: bytes, last: bool) -> bool:
        """An object of a list that is incomplete, deeply nested or malformed: it may be a bundle."""
        head = PropertyReader()
        at, what = head.read(rest[:SNIFF_BYTES], 0)
        if what is StopReason.MORE and len(rest) < SNIFF_BYTES and not last:
            return False
        holds = is_container(head, rest, at, last) if what is StopReason.LIST else False
        if holds is None:
            return False
        if holds and self._bundles() < BUNDLES_DEEP:
            self._enter(head, at)
        else:
            self._start_scan(too_deep=holds)
        return True

    def _start_scan(self, *, too_deep: bool) -> None:
        self._scan, self._reached, self._too_deep, self._step = Scan(), 0, too_deep, self._element

    def _bundles(self) -> int:
        return sum(head.is_bundle for head in self._open)

    def _stray_element(self, rest: bytes, last: bool) -> bool:
        end = end_of(_STRAY, rest, 0)
        if end == len(rest) and not last and end <= self._limit:
            return False
        self._emit(rest[: max(end, 1)].strip())
        self._rest = rest[max(end, 1) :]
        return True

    def _element(self, last: bool) -> bool:
        """The rest of an object or list in a list, up to its end."""
        self._reached, ended = self._scan.read(self._rest, self._reached)
        if ended or (last and self._rest):
            end = self._reached if ended else len(self._rest)
            if not self._cutting:
                self._emit(self._rest[:end], too_deep=self._too_deep)
            self._rest, self._cutting, self._too_deep, self._step = self._rest[end:], False, False, self._list
            return True
        if self._cutting or len(self._rest) > self._limit:
            self._let_go()
        return False

    def _let_go(self) -> None:
        """Return the current value, cut to the limit, once; keep only the unread rest."""
        if not self._cutting:
            self._emit(self._rest, too_deep=self._too_deep)
            self._cutting = True
        self._rest, self._reached = self._rest[self._reached :], 0

    def _emit(self, raw: bytes, *, too_deep: bool = False) -> None:
        raw = raw[: self._limit]
        # As one line: between tokens a tab is as valid as a line break, and inside a string as invalid.
        if b"\n" in raw or b"\r" in raw:
            raw = raw.replace(b"\n", b"\t").replace(b"\r", b"\t")
        if not raw:
            return
        if self._open:
            raw = self._wrapped(raw) if too_deep else self._versioned(raw)
        if self._open and not self._impatient and (self._waiting or says_no_version(raw)):
            self._let_wait(raw)
        else:
            self._found.append(raw)

    def _let_wait(self, raw: bytes) -> None:
        """With sorted keys, the version of a bundle is after its objects: objects without a version wait for it."""
        self._waiting.append(raw)
        self._waiting_bytes += len(raw)
        if self._waiting_bytes > self._limit:
            self._impatient = True
            self._release()

    def _release(self) -> None:
        self._found += self._waiting
        self._waiting, self._waiting_bytes = [], 0

    def _versioned(self, raw: bytes) -> bytes:
        """Returns the object; without a version of its own, with that of the innermost bundle that has one."""
        said = next((head.spec_version for head in reversed(self._open) if head.spec_version), None)
        if said not in _VERSIONS or not says_no_version(raw):
            return raw
        return b'{"spec_version":%b%b%b' % (said, b"," if raw[1:].lstrip()[:1] != b"}" else b"", raw[1:])

    def _wrapped(self, raw: bytes) -> bytes:
        """Returns a value inside its bundles, without their other objects, as one line with the same nesting."""
        outside = b"".join(b'{"type":"bundle","id":%b,"objects":[' % head.id for head in self._open if head.is_bundle)
        return outside + raw + b"]}" * self._bundles()


def _split_document(line: bytes, limit_bytes: int) -> list[bytes]:
    inner = ObjectSplitter(limit_bytes=limit_bytes)
    return inner.feed(line) + inner.close()
