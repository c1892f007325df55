"""Reads the rows of a JSON file: a list, NDJSON, or rows at a path. Memory is bounded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import ijson
import orjson

from connectors.csv.levels import is_level_column, is_tag_column
from connectors.csv.rows import FilePlace, LeaveOut, Row
from connectors.sdk.connector import shortened
from connectors.sdk.encodings import as_utf8
from connectors.sdk.errors import SourceFailed
from connectors.sdk.objects import LIMIT_BYTES, split

ROW_CHARS = 1 << 20
ROW_VALUES = 20_000
"""A row over one of these limits is left out."""
_DEPTH = 100
_PIECE_BYTES = 64 << 10
_KEY = "@key"
"""The column for the key of a row in a JSON object of rows."""
_ABOVE = "@above."
"""The prefix of columns for properties above the rows that apply to all of them: levels and tags."""

Event = tuple[str, Any]
_NOTHING: Mapping[str, Any] = {}


def read_json(chunks: Iterable[bytes], below: str | None, path: str, leave_out: LeaveOut) -> Iterator[Row]:
    """Yields the rows of a file, those at the path ``below`` if given. Raises SourceFailed."""
    chunks = as_utf8(chunks)
    return _below(chunks, below.split("."), path, leave_out) if below else _top(chunks, leave_out)


def _top(chunks: Iterable[bytes], leave_out: LeaveOut) -> Iterator[Row]:
    number = 0
    for raw in split(chunks):
        number += 1
        place = FilePlace("row", number, raw[:400].decode("utf-8", "replace"))
        if len(raw) >= LIMIT_BYTES:
            leave_out("an object over 16 MiB; if rows are in it, say where: [file] rows", place)
            continue
        try:
            content = orjson.loads(raw)
        except orjson.JSONDecodeError:
            leave_out("not JSON", place)
            continue
        for one in content if isinstance(content, list) else [content]:
            yield from _row(one, place, leave_out)


def _row(content: Any, place: FilePlace, leave_out: LeaveOut) -> Iterator[Row]:
    if isinstance(content, dict):
        yield Row(content, place)
    elif isinstance(content, str):  # a list of values
        yield Row({"value": content}, place)
    else:
        leave_out("not a JSON object", place)


class _TooLongError(Exception):
    """A single JSON token exceeds the limit."""


class _Bytes:
    """A file object for the parser. It limits the bytes between two events, so that a token cannot fill the memory."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._pieces = (chunk[at : at + _PIECE_BYTES] for chunk in chunks for at in range(0, len(chunk), _PIECE_BYTES))
        self.since_event = 0

    def read(self, size: int) -> bytes:
        """Returns the next piece, at most 64 KiB; ``size`` is what the parser requests."""
        if size == 0:
            return b""
        self.since_event += _PIECE_BYTES
        if self.since_event > LIMIT_BYTES:
            raise _TooLongError
        return next(self._pieces, b"")


def _below(chunks: Iterable[bytes], steps: list[str], path: str, leave_out: LeaveOut) -> Iterator[Row]:
    reader = _Reader(chunks, path, leave_out)
    try:
        for event in reader.events:
            yield from reader.rows(event, steps)
    except _TooLongError as error:
        raise _not_json(path, "a text in it does not end within 16 MiB") from error
    except (ijson.JSONError, UnicodeDecodeError) as error:
        raise _not_json(path, shortened(str(error).split("\n")[0])) from error
    if not reader.found:
        raise SourceFailed(
            "mapping.no-rows",
            f"{path} has nothing at {'.'.join(steps)}; it has {shortened(', '.join(reader.keys)) or 'no keys'}.",
            "Set [file] rows to where the rows are.",
        )


def _not_json(path: str, why: str) -> SourceFailed:
    return SourceFailed("source.not-json", f"{path} is not JSON to its end: {why}.", "Fetch the file again.")


def _level_behind(path: str, name: str) -> SourceFailed:
    return SourceFailed(
        "mapping.level-behind-rows",
        f"{path} has {shortened(name)} after the rows that it applies to.",
        'Name the columns by their paths instead of [file] rows: column = "data.*.value".',
    )


class _Reader:
    """Follows a path through the events of the parser, and builds only the values at its end."""

    def __init__(self, chunks: Iterable[bytes], path: str, leave_out: LeaveOut) -> None:
        self._file = _Bytes(chunks)
        self._path = path
        self._leave_out = leave_out
        self._number = 0
        self.found = False
        self.keys: list[str] = []
        self.events = self._events()

    def _events(self) -> Iterator[Event]:
        for event in ijson.basic_parse(self._file, buf_size=_PIECE_BYTES, multiple_values=True, use_float=True):
            self._file.since_event = 0
            yield event

    def rows(self, event: Event, steps: list[str], said: Mapping[str, Any] = _NOTHING, depth: int = 0) -> Iterator[Row]:
        """Yields the rows in the value that begins with ``event``. ``steps``: the path left; ``said``: shared data."""
        kind, _ = event
        if kind == "start_map" and steps:
            self.found = self.found or steps == ["*"]
            yield from self._in_map(steps, said, depth)
        elif kind == "start_array" and (not steps or steps[0] == "*"):
            self.found = self.found or not steps
            while (inner := next(self.events))[0] != "end_array":
                yield from self.rows(inner, steps[1:], said, depth + 1) if steps else self._built(inner, said)
        elif steps:
            self._skip(event)
        else:
            self.found = True
            yield from self._built(event, said)

    def _in_map(self, steps: list[str], said: Mapping[str, Any], depth: int) -> Iterator[Row]:
        before = self._number
        while (inner := next(self.events))[0] != "end_map":
            name = inner[1]
            if depth == 0 and len(self.keys) < 10:
                self.keys.append(name)
            if steps[0] == name:
                yield from self.rows(next(self.events), steps[1:], said, depth + 1)
            elif is_level_column(name) or (steps[0] != "*" and is_tag_column(name)):
                content, fits = self._value(next(self.events))
                if self._number > before and (is_level_column(name) or "tlp" in str(content).lower()):
                    raise _level_behind(self._path, name)
                said = {**said, f"{_ABOVE}{depth}.{name}": content if fits else "?"}
            elif steps[0] == "*":
                yield from self.rows(next(self.events), steps[1:], {**said, _KEY: name}, depth + 1)
            else:
                self._skip(next(self.events))

    def _built(self, event: Event, said: Mapping[str, Any]) -> Iterator[Row]:
        self._number += 1
        place = FilePlace("row", self._number, "")
        content, fits = self._value(event)
        if not fits:
            self._leave_out("a row over 1 MiB, or with too much in it", place)
            return
        place = FilePlace("row", self._number, orjson.dumps(content, default=str).decode()[:400])
        for row in _row(content, place, self._leave_out):
            yield Row({**said, **row.cells}, place)

    def _skip(self, event: Event) -> None:
        depth = _deeper(0, event[0])
        while depth:
            depth = _deeper(depth, next(self.events)[0])
            if depth > _DEPTH:
                raise _not_json(self._path, f"it nests over {_DEPTH} levels")

    def _value(self, event: Event) -> tuple[Any, bool]:
        """Returns a complete value, and whether it is within the limits; the excess is read but not stored."""
        builder = ijson.ObjectBuilder()
        depth, chars, values = 0, 0, 0
        while True:
            kind, content = event
            depth, values = _deeper(depth, kind), values + 1
            chars += len(content) if isinstance(content, str) else 8
            if depth > _DEPTH:
                raise _not_json(self._path, f"it nests over {_DEPTH} levels")
            fits = chars <= ROW_CHARS and values <= ROW_VALUES
            if fits:
                builder.event(kind, content)
            if not depth:
                return (builder.value, True) if fits else (None, False)
            event = next(self.events)


def _deeper(depth: int, kind: str) -> int:
    if kind.startswith("start_"):
        return depth + 1
    return depth - 1 if kind.startswith("end_") else depth
