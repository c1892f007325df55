"""Reads a file or standard input in bounded pieces, unpacks gzip and ZIP, and reports the progress.

The compression is detected from the content, never from the name.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

from connectors.sdk.archives import CHUNK_BYTES, Member, is_zip, members
from connectors.sdk.errors import SourceFailed
from connectors.sdk.recognise import START_BYTES

_GZIP = b"\x1f\x8b"


class Input:
    """One input. ``share_read`` counts the bytes of the file itself, compressed or not."""

    def __init__(self, file: BinaryIO, *, name: str, size_bytes: int | None) -> None:
        self._file = file
        self._size = size_bytes
        self._read = 0
        self._first = b""
        """The bytes that were read to detect the type."""
        self.name = name
        self.start = b""
        """The first bytes of the content that were read, to describe a source that is not a feed."""

    @classmethod
    def open(cls, path: Path) -> Input:
        """Opens a file. Raises SourceFailed."""
        try:
            file = path.open("rb", buffering=0)
            size = os.fstat(file.fileno()).st_size
        except OSError as error:
            raise _failed(str(path), error) from error
        return cls(file, name=str(path), size_bytes=size or None)

    def share_read(self) -> float | None:
        """Returns 0 to 1; None for an input without size (standard input)."""
        return min(self._read / self._size, 1.0) if self._size else None

    def parts(self, suffixes: tuple[str, ...]) -> Generator[Input, None, None]:
        """Yields the files of a ZIP archive that end in ``suffixes``, or its only one; for other inputs, itself.

        Read each part before the next. Raises SourceFailed for an archive that cannot be read.
        """
        try:
            self._first = self._file.read(CHUNK_BYTES) or b""
        except OSError as error:
            raise _failed(self.name, error) from error
        if not is_zip(self._first):
            yield self
            return
        with self._file:
            for member in members(self._file, self._first, self.name, suffixes):
                self._read = max(self._read, member.at)
                yield _Part(member)
        self._read = self._size or 0

    def chunks(self) -> Generator[bytes, None, None]:
        """Yields the unpacked content in pieces of at most ``CHUNK_BYTES``. Raises SourceFailed."""
        for piece in self._content():
            if len(self.start) < START_BYTES:
                self.start += piece[: START_BYTES - len(self.start)]
            yield piece

    def _content(self) -> Iterator[bytes]:
        with closing(self._raw()) as raw:
            first = next(raw, b"")
            try:
                if first.startswith(_GZIP):
                    yield from _gunzip(first, raw)
                else:
                    yield first
                    yield from raw
            except (zlib.error, ValueError) as error:
                raise _failed(self.name, error) from error

    def _raw(self) -> Generator[bytes, None, None]:
        with self._file:
            try:
                while chunk := self._first or self._file.read(CHUNK_BYTES):
                    self._first = b""
                    self._read += len(chunk)
                    yield chunk
            except OSError as error:
                raise _failed(self.name, error) from error


class _Part(Input):
    """A file of an archive. Its progress is that of the archive."""

    def __init__(self, member: Member) -> None:
        self._member = member
        self.name = member.name
        self.start = b""

    def share_read(self) -> float | None:
        return None

    def _raw(self) -> Generator[bytes, None, None]:
        yield from self._member.chunks


def _failed(name: str, error: Exception) -> SourceFailed:
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return SourceFailed("source.unreadable", f"{name} cannot be read: {why}.", "Check the path and the file.")


def _gunzip(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    """Unpacks gzip with bounded pieces, so that a small file cannot fill the memory. It may have several members."""
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
