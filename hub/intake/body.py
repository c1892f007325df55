"""Splits a request's body into received objects. Sans-IO: converts bytes to bounded blocks of UTF-8, then to objects.

No length stated by a client is trusted: limits count the bytes after decompression, and a decompressor is never asked
for more than a few megabytes at once, so that a decompression bomb is detected in time.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import zstandard

from hub.core import records
from hub.core.encodings import Decoder
from hub.model.errors import Refused, TooLarge, WrongType
from hub.model.problems import Code, Problem
from hub.model.words import Limits

BLOCK_BYTES = 1 << 20
"""The approximate size of the blocks from a decompressor."""
EXCERPT_BYTES = 1_024
"""How much is kept of an object over the limit: enough for its centre to recognise it."""
_ZSTD_WINDOW_BYTES = 8 << 20
"""RFC 8878, section 3.1.1.1.2, recommends that decoders support this and no more."""
_ZSTD_STEP_BYTES = 256
"""zstd has no output limit, and 4 bytes may decompress to 128 KiB: this many give 8 MiB at most."""
_BLANK = b" \t\r"


class Form(StrEnum):
    """The form of a body."""

    DOCUMENT = "document"
    """One STIX object or one bundle."""
    LINES = "lines"
    """NDJSON: each non-empty line is an object, or a container of objects."""


class Encoding(StrEnum):
    """How the body of a request or an answer is compressed (``Content-Encoding``)."""

    IDENTITY = "identity"
    GZIP = "gzip"
    ZSTD = "zstd"


@dataclass(frozen=True, slots=True)
class Piece:
    """One received object, unchanged, or cut to ``EXCERPT_BYTES`` if it is over the limit."""

    value: bytes
    size: int
    """Its size in bytes before it was cut."""

    @property
    def cut(self) -> bool:
        """Whether it was cut."""
        return len(self.value) < self.size


def piece_of(value: bytes, limit_bytes: int) -> Piece:
    """A received object, cut if it has more than ``limit_bytes``."""
    return Piece(value if len(value) <= limit_bytes else value[:EXCERPT_BYTES], len(value))


class Inflater(Protocol):
    """Decompresses a stream that arrives in parts."""

    def blocks(self, data: bytes) -> Iterator[bytes]:
        """The decompressed form of these further bytes, in blocks of bounded size. Raises Refused for corrupt data."""
        ...

    def end(self) -> None:
        """Raises Refused if the stream is incomplete."""
        ...


def inflater(encoding: Encoding) -> Inflater:
    """The decompressor for one body."""
    match encoding:
        case Encoding.IDENTITY:
            return _Identity()
        case Encoding.GZIP:
            return _Gzip()
        case Encoding.ZSTD:
            return _Zstd()


class _Identity:
    def blocks(self, data: bytes) -> Iterator[bytes]:
        if data:
            yield data

    def end(self) -> None:
        pass


class _Gzip:
    """RFC 1952, including several members in sequence (section 2.2)."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=31)
        self._begun = False

    def blocks(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._member.eof:
                data = data.lstrip(b"\0")  # tape padding, which gzip skips too
                if not data:
                    return
                self._member = zlib.decompressobj(wbits=31)
            self._begun = True
            try:
                block = self._member.decompress(data, BLOCK_BYTES)
            except zlib.error as error:
                raise _corrupt(Encoding.GZIP) from error
            data = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            if block:
                yield block

    def end(self) -> None:
        if self._begun and not self._member.eof:
            raise _cut_off()


class _Zstd:
    """RFC 8878, including several frames in sequence (section 3)."""

    def __init__(self) -> None:
        self._decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES)
        self._frame = self._decompressor.decompressobj()
        self._begun = False

    def blocks(self, data: bytes) -> Iterator[bytes]:
        gathered: list[bytes] = []
        size = 0
        for start in range(0, len(data), _ZSTD_STEP_BYTES):
            block = self._step(data[start : start + _ZSTD_STEP_BYTES])
            gathered.append(block)
            size += len(block)
            if size >= BLOCK_BYTES:
                yield b"".join(gathered)
                gathered, size = [], 0
        if size:
            yield b"".join(gathered)

    def _step(self, data: bytes) -> bytes:
        out = b""
        self._begun = True
        try:
            while data:
                if self._frame.eof:
                    self._frame = self._decompressor.decompressobj()
                out += self._frame.decompress(data)
                data = self._frame.unused_data if self._frame.eof else b""
        except zstandard.ZstdError as error:
            raise _corrupt(Encoding.ZSTD) from error
        return out

    def end(self) -> None:
        if self._begun and not self._frame.eof:
            raise _cut_off()


class Unpacked:
    """Converts a body in parts to blocks of UTF-8: decompressed according to its ``Content-Encoding``, and decoded."""

    def __init__(self, encoding: Encoding) -> None:
        self._inflater = inflater(encoding)
        self._decoder = Decoder()
        self._head: bytes | None = b""

    def blocks(self, data: bytes) -> Iterator[bytes]:
        """The result for these further bytes, in blocks of bounded size.

        Raises Refused for corrupt data, WrongType for data that is compressed without ``Content-Encoding``.
        """
        for block in self._inflater.blocks(data):
            if self._head is not None:
                self._head += block[:_LONGEST_MAGIC]
                self._head = _not_packed(self._head)
            if text := self._decoder.feed(block):
                yield text

    def end(self) -> bytes:
        """The remaining bytes. Raises Refused if the stream is incomplete."""
        self._inflater.end()
        return self._decoder.end()


_MAGIC = {
    b"PK\x03\x04": ("a ZIP archive", "Unpack it and send its content; ctihub push does so automatically."),
    b"\x1f\x8b\x08": ("packed with gzip", "Send Content-Encoding: gzip, once for each time that it is packed at most."),
    b"\x28\xb5\x2f\xfd": ("packed with zstd", "Send Content-Encoding: zstd."),
}
_LONGEST_MAGIC = max(map(len, _MAGIC))


def _not_packed(head: bytes) -> bytes | None:
    """The first bytes, while they may still be the start of a compressed format; None once they cannot. Raises
    WrongType.
    """
    for magic, (what, way_out) in _MAGIC.items():
        if head.startswith(magic):
            raise WrongType("push.encoding", f"The body is {what}, which its headers do not say.", way_out)
    return head if len(head) < _LONGEST_MAGIC else None


def _corrupt(encoding: Encoding) -> Refused:
    return Refused("push.encoding", f"The body is not the {encoding} that Content-Encoding says.", "Compress it again.")


def _cut_off() -> Refused:
    return Refused("push.encoding", "The compressed body is cut off.", "Send it whole.")


class NdjsonLines:
    """Splits NDJSON into objects; a bundle, envelope or list on a line is split too. Buffers at most one unfinished
    line, up to a limit: ``limits.object_bytes``, or ``holder_bytes`` for containers.
    """

    def __init__(self, limits: Limits, holder_bytes: int) -> None:
        self._limits = limits
        self._limit = limits.object_bytes
        self._holder_bytes = max(holder_bytes, self._limit)
        self._held = bytearray()
        self._size = 0
        """The size of the unfinished line in bytes, including those that were discarded."""

    def feed(self, block: bytes) -> list[Piece]:
        """The objects whose lines these bytes complete."""
        cut = block.rfind(b"\n")
        if cut < 0:
            self._hold(block)
            return []
        first, *others = block[:cut].split(b"\n")
        self._hold(first)
        found = self.end()
        for other in others:
            if line := other.strip(_BLANK):
                found += self._pieces(line)
        self._hold(block[cut + 1 :])
        return found

    def end(self) -> list[Piece]:
        """The object of the last line if it has no line break."""
        line = bytes(self._held.strip(_BLANK))
        size = len(line) if self._size == len(self._held) else self._size
        self._held.clear()
        self._size = 0
        if not size:
            return []
        return self._pieces(line) if size == len(line) else [Piece(line[:EXCERPT_BYTES], size)]

    @property
    def held_bytes(self) -> int:
        """The bytes of the unfinished line that are in memory."""
        return len(self._held)

    def _pieces(self, line: bytes) -> list[Piece]:
        return [piece_of(one, self._limit) for one in objects_on(line, self._limits)]

    def _hold(self, part: bytes) -> None:
        self._size += len(part)
        # One byte more shows that the limit is exceeded; surrounding blanks do not count, so a few more are kept.
        most = self._holder_bytes if self._begins_holder(part) else self._limit
        room = most + EXCERPT_BYTES - len(self._held)
        if room > 0:
            self._held += part[:room]

    def _begins_holder(self, part: bytes) -> bool:
        """Whether the line is a bundle, an envelope or a list, as far as its first bytes show."""
        head = bytes(self._held[:EXCERPT_BYTES]) + part[: max(0, EXCERPT_BYTES - len(self._held))]
        return head.lstrip(_BLANK)[:1] == b"[" or b"bundle" in head or b'"objects"' in head


def objects_on(line: bytes, limits: Limits) -> list[bytes]:
    """The received objects of a line of NDJSON. A line that cannot be split counts as one object, which is refused
    later.
    """
    slices = records.split(line, limits)
    return [line] if isinstance(slices, Problem) else slices


def objects_of(document: bytes, limits: Limits) -> list[Piece]:
    """The received objects of a whole document: those of a bundle, an envelope or a list, or the single object.

    Raises TooLarge for a bundle of too many objects, Refused for a bundle that cannot be read.
    """
    slices = records.split(document, limits)
    if isinstance(slices, Problem):
        kind = TooLarge if slices.code is Code.BUNDLE_TOO_LARGE else Refused
        raise kind(slices.code, slices.says)
    return [piece_of(one, limits.object_bytes) for one in slices]
