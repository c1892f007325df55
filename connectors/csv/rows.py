"""From a feed's bytes to its rows: text in whatever encoding, comments, names of columns. In bounded memory."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Any

import orjson

from connectors.csv.mapping import Layout
from connectors.sdk.objects import split

Row = Mapping[str, Any]
LeaveOut = Callable[[str], None]
LINE_BYTES = 1 << 20
"""A longer line is no row of a feed."""
_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_DELIMITERS = ",;\t|"
_SAMPLE_LINES = 20
_HOSTS = re.compile(r"(?:0\.0\.0\.0|127\.0\.0\.1|::1?)\s+(\S+)")
_LOCAL_NAMES = {"localhost", "localhost.localdomain", "local", "broadcasthost", "ip6-localhost", "ip6-loopback"}
_INLINE_COMMENT = re.compile(r"\s+[#;].*")

csv.field_size_limit(LINE_BYTES)


def rows(chunks: Iterable[bytes], layout: Layout, leave_out: LeaveOut) -> Iterator[Row]:
    """The rows of a file; ``leave_out`` is told the reason for what is none."""
    match layout.format:
        case "json":
            return _json_rows(chunks, leave_out)
        case "lines":
            return _value_rows(_data_lines(chunks, layout, leave_out))
        case "csv":
            return _csv_rows(_lines(chunks, layout, leave_out), layout, leave_out)


def lookup(row: Row, path: str) -> list[str]:
    """What a row has under a column's name, or under a path: ``address.*.ip`` is the ip of each address."""
    if path in row:
        return _texts(row[path])
    found: list[Any] = [row]
    for step in path.split("."):
        if step == "*":
            found = [entry for value in found if isinstance(value, list) for entry in value]
        else:
            found = [value[step] for value in found if isinstance(value, Mapping) and step in value]
    return [text for value in found for text in _texts(value)]


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [text for entry in value for text in _texts(entry)]
    return [] if value is None or isinstance(value, Mapping) else [str(value)]


def _json_rows(chunks: Iterable[bytes], leave_out: LeaveOut) -> Iterator[Row]:
    for raw in split(chunks):
        try:
            row = orjson.loads(raw)
        except orjson.JSONDecodeError:
            leave_out("not JSON")
            continue
        if isinstance(row, dict):
            yield row
        else:
            leave_out("not a JSON object")


def _value_rows(lines: Iterable[str]) -> Iterator[Row]:
    for line in lines:
        text = _INLINE_COMMENT.sub("", line).strip()
        if hosts := _HOSTS.fullmatch(text):
            text = hosts[1]
        elif text.startswith("||") and text.endswith("^"):
            text = text[2:-1]
        if text and text.lower() not in _LOCAL_NAMES:
            yield {"value": text}


def _csv_rows(lines: Iterator[str], layout: Layout, leave_out: LeaveOut) -> Iterator[Row]:
    head, first = _comments_before_data(lines, layout)
    data = chain(first, _without_comments(lines, layout))
    if layout.delimiter == "whitespace":
        cells: Iterator[list[str]] = (line.split() for line in data)
    else:
        sample = list(islice(data, _SAMPLE_LINES))
        delimiter = _delimiter(sample, layout)
        cells = _cells(csv.reader(chain(sample, data), **_dialect(delimiter, layout)), leave_out)
        if layout.header == "comment":
            names = next(csv.reader([head], **_dialect(delimiter, layout)), [])
            yield from _named(cells, _clean(names, layout), leave_out)
            return
    names = next(cells, []) if layout.header == "row" else list(layout.columns)
    yield from _named(cells, _clean(names, layout), leave_out)


def _dialect(delimiter: str, layout: Layout) -> dict[str, Any]:
    return {"delimiter": delimiter, "quotechar": layout.quote, "skipinitialspace": True}


def _clean(names: list[str], layout: Layout) -> list[str]:
    renamed = {other.lower(): name for other, name in layout.rename.items()}
    stripped = (name.strip().strip('"').strip() for name in names)
    return [renamed.get(name.lower(), name) for name in stripped]


def _named(cells: Iterable[list[str]], names: list[str], leave_out: LeaveOut) -> Iterator[Row]:
    for row in cells:
        if len(row) > len(names):
            leave_out("more cells than columns")
        elif row:
            yield dict(zip(names, row, strict=False))


def _cells(reader: Iterator[list[str]], leave_out: LeaveOut) -> Iterator[list[str]]:
    while True:
        try:
            yield next(reader)
        except StopIteration:
            return
        except csv.Error:  # a cell over the limit, most likely behind a quote that never ends; the reader goes on
            leave_out("not CSV")


def _comments_before_data(lines: Iterator[str], layout: Layout) -> tuple[str, list[str]]:
    """The last comment with anything in it (without its mark) before the first row, and that row."""
    head = ""
    for line in lines:
        mark = next((mark for mark in layout.comments if line.startswith(mark)), None)
        if mark is None and line.strip():
            return head, [line]
        text = line[len(mark or "") :].strip()
        head = text if text.strip("# ") else head
    return head, []


def _without_comments(lines: Iterable[str], layout: Layout) -> Iterator[str]:
    marks = layout.comments
    return (line for line in lines if line.strip() and not line.startswith(marks)) if marks else iter(lines)


def _data_lines(chunks: Iterable[bytes], layout: Layout, leave_out: LeaveOut) -> Iterator[str]:
    marks = layout.comments
    for line in _lines(chunks, layout, leave_out):
        text = line.strip()
        if text and not text.startswith(marks):
            yield text


def _delimiter(sample: list[str], layout: Layout) -> str:
    if layout.delimiter == "tab":
        return "\t"
    if layout.delimiter != "auto":
        return layout.delimiter
    # The one that occurs in most lines, and there most often the same number of times.
    scores = {}
    for delimiter in _DELIMITERS:
        counts = Counter(line.count(delimiter) for line in sample if delimiter in line)
        scores[delimiter] = (sum(counts.values()), max(counts.values(), default=0))
    return max(_DELIMITERS, key=lambda delimiter: scores[delimiter])


def _lines(chunks: Iterable[bytes], layout: Layout, leave_out: LeaveOut) -> Iterator[str]:
    """Text lines with their ends. Each is decoded by itself: feeds that people mail mix encodings."""
    chunks = iter(chunks)
    start = b""
    while len(start) < 3 and (chunk := next(chunks, b"")):
        start += chunk
    encodings = tuple(layout.encodings)
    for bom, encoding in _BOMS:
        if start.startswith(bom):
            start, encodings = start[len(bom) :], (encoding, *encodings)
            break
    newline = "\n".encode(encodings[0]) if encodings[0].startswith("utf-16") else b"\n"
    for line in _byte_lines(chain((start,), chunks), newline, leave_out):
        yield _decoded(line, encodings)


def _byte_lines(chunks: Iterable[bytes], newline: bytes, leave_out: LeaveOut) -> Iterator[bytes]:
    rest, skipping = b"", False
    for chunk in chunks:
        *lines, rest = _cut(rest + chunk, newline)
        for line in lines:
            if not skipping:
                yield line
            skipping = False
        if len(rest) > LINE_BYTES:
            if not skipping:
                leave_out("a line over 1 MiB")
            rest, skipping = b"", True
    if rest and not skipping:
        yield rest


def _cut(data: bytes, newline: bytes) -> list[bytes]:
    if len(newline) == 1:
        lines = data.split(newline)
        return [line + newline for line in lines[:-1]] + lines[-1:]
    # UTF-16: a line end begins at an even place only
    lines, start, at = [], 0, data.find(newline)
    while at >= 0:
        if at % 2:
            at = data.find(newline, at + 1)
            continue
        lines.append(data[start : at + 2])
        start = at + 2
        at = data.find(newline, start)
    return [*lines, data[start:]]


def _decoded(line: bytes, encodings: tuple[str, ...]) -> str:
    for encoding in encodings:
        try:
            return line.decode(encoding)
        except UnicodeDecodeError:
            continue
    return line.decode(encodings[0], "replace")
