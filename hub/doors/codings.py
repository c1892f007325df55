"""The codings of answers (gzip, zstd): which one a client wants, and compressing whole bodies and streams.

Source: RFC 9110, sections 8.4.1 (codings) and 12.5.3 (``Accept-Encoding``); RFC 9659 (the window of zstd).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable
from typing import NamedTuple, Protocol

import zstandard

from hub.intake import Encoding

LEAST_BYTES = 1 << 10
"""Smaller bodies are not compressed: they fit into one packet anyway."""
_GZIP_LEVEL = 1
_ZSTD_LEVEL = 3
"""Twice as small as gzip, in the same time. Higher levels cost more than they save."""
_GZIP = 16 + zlib.MAX_WBITS
_MEMBER = re.compile(r"([!#$%&'*+\-.^_`|~0-9a-z]+)(?:[ \t]*;[ \t]*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?")


class Choice(NamedTuple):
    """The coding for one client."""

    coding: Encoding
    least_bytes: int
    """Smaller bodies are sent as they are."""

    def of_size(self, size_bytes: int) -> Encoding:
        """Returns the coding of a body of this size."""
        return self.coding if size_bytes >= self.least_bytes else Encoding.IDENTITY


def choose(accept_encoding: Iterable[str]) -> Choice:
    """Returns the coding that a client likes best, of those that it likes equally zstd before gzip before none.

    ``*`` is taken for gzip, which everybody can read. A client that accepts nothing that there is gets plain bytes.
    What cannot be read is ignored.
    """
    likes = _likes(accept_encoding)
    others = likes.get("*", 0.0)
    plain = likes.get(Encoding.IDENTITY, others if "*" in likes else None)
    gzip = likes.get(Encoding.GZIP, likes.get("x-gzip", others))
    best, coding = max((gzip, Encoding.GZIP), (likes.get(Encoding.ZSTD, 0.0), Encoding.ZSTD))
    if best <= 0 or (Encoding.IDENTITY in likes and best < likes[Encoding.IDENTITY]):
        return Choice(Encoding.IDENTITY, 0)
    return Choice(coding, 0 if plain == 0 else LEAST_BYTES)


def _likes(accept_encoding: Iterable[str]) -> dict[str, float]:
    found = {}
    for header in accept_encoding:
        for member in header.lower().split(","):
            if (said := _MEMBER.fullmatch(member.strip(" \t"))) is not None:
                found[said[1]] = float(said[2] or 1)
    return found


def compress(body: bytes, coding: Encoding) -> bytes:
    """Returns a whole body in a coding. Takes about 10 ms for a megabyte: call it in a thread."""
    match coding:
        case Encoding.IDENTITY:
            return body
        case Encoding.GZIP:
            return zlib.compress(body, _GZIP_LEVEL, _GZIP)
        case Encoding.ZSTD:
            return zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compress(body)


class Compressor(Protocol):
    """Compresses one body that comes in parts."""

    def part(self, data: bytes, *, flush: bool) -> bytes:
        """Returns the next bytes to send; with ``flush``, so many that ``data`` can be read from them."""
        ...

    def end(self) -> bytes:
        """Returns the last bytes."""
        ...


def compressor(coding: Encoding) -> Compressor | None:
    """Returns what compresses a stream; None for plain bytes. One takes about 300 KiB, however long the stream is."""
    match coding:
        case Encoding.IDENTITY:
            return None
        case Encoding.GZIP:
            return _Gzip()
        case Encoding.ZSTD:
            return _Zstd()


class _Gzip:
    def __init__(self) -> None:
        self._stream = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP)

    def part(self, data: bytes, *, flush: bool) -> bytes:
        """See Compressor."""
        said = self._stream.compress(data)
        return said + self._stream.flush(zlib.Z_SYNC_FLUSH) if flush else said

    def end(self) -> bytes:
        """See Compressor."""
        return self._stream.flush()


class _Zstd:
    # the usual window of 2 MiB would let each of hundreds of streams take more than a megabyte
    _SMALL = zstandard.ZstdCompressionParameters.from_level(1, window_log=16)

    def __init__(self) -> None:
        self._stream = zstandard.ZstdCompressor(compression_params=self._SMALL).compressobj()

    def part(self, data: bytes, *, flush: bool) -> bytes:
        """See Compressor."""
        said = self._stream.compress(data)
        return said + self._stream.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK) if flush else said

    def end(self) -> bytes:
        """See Compressor."""
        return self._stream.flush(zstandard.COMPRESSOBJ_FLUSH_FINISH)
