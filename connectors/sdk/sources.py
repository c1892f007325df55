"""Bytes of a file or of standard input in bounded pieces, unpacked where it is gzip, and how far it is."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from connectors.sdk.errors import SourceFailed

CHUNK_BYTES = 1 << 20
_GZIP = b"\x1f\x8b"


class Source:
    """One input. ``share_read`` is by the bytes of the file itself, packed or not."""

    def __init__(self, file: BinaryIO, *, name: str, size_bytes: int | None) -> None:
        self._file = file
        self._size = size_bytes
        self._read = 0
        self.name = name

    @classmethod
    def open(cls, path: Path) -> Source:
        """A file. Raises SourceFailed."""
        try:
            file = path.open("rb", buffering=0)
            size = os.fstat(file.fileno()).st_size
        except OSError as error:
            raise _failed(str(path), error) from error
        return cls(file, name=str(path), size_bytes=size or None)

    def share_read(self) -> float | None:
        """0 to 1; None for what has no size (standard input)."""
        return min(self._read / self._size, 1.0) if self._size else None

    def chunks(self) -> Iterator[bytes]:
        """The content, unpacked, at most ``CHUNK_BYTES`` a piece. Raises SourceFailed where it cannot go on."""
        with self._file:
            raw = self._raw()
            first = next(raw, b"")
            try:
                if first.startswith(_GZIP):
                    yield from _gunzip(first, raw)
                else:
                    yield first
                    yield from raw
            except (zlib.error, ValueError) as error:
                raise _failed(self.name, error) from error

    def _raw(self) -> Iterator[bytes]:
        try:
            while chunk := self._file.read(CHUNK_BYTES):
                self._read += len(chunk)
                yield chunk
        except OSError as error:
            raise _failed(self.name, error) from error


def _failed(name: str, error: Exception) -> SourceFailed:
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return SourceFailed("source.unreadable", f"{name} cannot be read: {why}.", "Check the path and the file.")


def _gunzip(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    """Bounded output per step: a small bomb of a file must not become one large piece. Several members may follow."""
    unpack = zlib.decompressobj(wbits=31)
    data = first
    while True:
        out = unpack.decompress(data, CHUNK_BYTES)
        if out:
            yield out
        if unpack.eof:
            data = unpack.unused_data.lstrip(b"\0") or next(rest, b"")
            if not data:
                return
            unpack = zlib.decompressobj(wbits=31)
        else:
            data = unpack.unconsumed_tail or next(rest, b"")
            if not data and not out:
                raise ValueError("the gzip stream ends in the middle")
