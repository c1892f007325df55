"""Splits a file's bytes into lines of text, for any encoding and line ends, in bounded memory."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from connectors.sdk.encodings import as_utf8

LINE_BYTES = 1 << 20
"""The maximum length of a line."""


class Line(NamedTuple):
    """A line with its end. ``text`` is None if it is longer than ``LINE_BYTES``."""

    number: int
    text: str | None


def read_lines(chunks: Iterable[bytes], encodings: tuple[str, ...]) -> Iterator[Line]:
    """Yields the lines of a file, numbered from 1; they end with LF, CR LF or CR.

    Each line is decoded separately with the first suitable one of ``encodings``, since some feeds mix encodings.
    """
    for number, line in enumerate(_byte_lines(_without_mark(chunks)), start=1):
        yield Line(number, None if line is None else _decoded(line, encodings))


def _without_mark(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yields the bytes without a byte order mark, converted to UTF-8 from other Unicode encodings."""
    chunks, head = as_utf8(chunks), b""
    while len(head) < len(codecs.BOM_UTF8) and (chunk := next(chunks, b"")):
        head += chunk
    yield head.removeprefix(codecs.BOM_UTF8)
    yield from chunks


def _byte_lines(chunks: Iterable[bytes]) -> Iterator[bytes | None]:
    rest, skipping = b"", False
    for chunk in chunks:
        pieces = (rest + chunk).splitlines(keepends=True)
        # a CR at the end may be half of a CR LF
        rest = pieces.pop() if pieces and not pieces[-1].endswith(b"\n") else b""
        for piece in pieces:
            if not skipping:
                yield piece if len(piece) <= LINE_BYTES else None
            skipping = False
        if len(rest) > LINE_BYTES and not skipping:
            yield None
            skipping = True
        if skipping:
            rest = rest[-1:] if rest.endswith(b"\r") else b""
    if rest and not skipping:
        yield from (piece if len(piece) <= LINE_BYTES else None for piece in rest.splitlines(keepends=True))


def _decoded(line: bytes, encodings: tuple[str, ...]) -> str:
    for encoding in encodings:
        try:
            return line.decode(encoding)
        except UnicodeDecodeError:
            continue
    return line.decode(encodings[0], "replace")
