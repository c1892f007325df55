"""A request's body to received objects, without I/O: fed bytes, it gives bounded blocks of UTF-8, then objects.

Nothing here trusts a length that a peer states: limits count the bytes that came out of the decompressor, and a
decompressor is never asked for more than a few megabytes at once, so that a decompression bomb is noticed in time.
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
"""How much a decompressor gives at once, about."""
EXCERPT_BYTES = 1_024
"""What is kept of an object over the limit: enough for its centre to recognise it."""
_ZSTD_WINDOW_BYTES = 8 << 20
"""RFC 8878, section 3.1.1.1.2, recommends that decoders support this and no more."""
_ZSTD_STEP_BYTES = 256
"""zstd cannot be told how much to give, and 4 bytes may stand for 128 KiB: of so many 8 MiB come out at most."""
_BLANK = b" \t\r"


class Form(StrEnum):
    """What a body is."""

    DOCUMENT = "document"
    """One STIX object or one bundle."""
    LINES = "lines"
    """NDJSON: each line that is not empty is one object, or what holds objects."""


class Encoding(StrEnum):
    """How a body is compressed (``Content-Encoding``)."""

    IDENTITY = "identity"
    GZIP = "gzip"
    ZSTD = "zstd"


@dataclass(frozen=True, slots=True)
class Piece:
    """One received object as it came, cut to ``EXCERPT_BYTES`` where it is over the limit."""

    value: bytes
    size: int
    """Its bytes before it was cut."""

    @property
    def cut(self) -> bool:
        """Whether something is missing."""
        return len(self.value) < self.size


def piece_of(value: bytes, limit_bytes: int) -> Piece:
    """A received object, cut when it has more than ``limit_bytes``."""
    return Piece(value if len(value) <= limit_bytes else value[:EXCERPT_BYTES], len(value))


class Inflater(Protocol):
    """Decompresses a stream that comes in parts."""

    def blocks(self, data: bytes) -> Iterator[bytes]:
        """What these further bytes decompress to, in blocks of bounded size. Raises Refused for corrupt data."""
        ...

    def end(self) -> None:
        """Raises Refused when the stream is cut off."""
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
    """RFC 1952, several members one after the other included (section 2.2)."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=31)
        self._begun = False

    def blocks(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._member.eof:
                data = data.lstrip(b"\0")  # tape padding, which gzip itself passes over
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
    """RFC 8878, several frames one after the other included (section 3)."""

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
    """A body in parts to blocks of UTF-8: decompressed as its ``Content-Encoding`` says, and decoded."""

    def __init__(self, encoding: Encoding) -> None:
        self._inflater = inflater(encoding)
        self._decoder = Decoder()
        self._head: bytes | None = b""

    def blocks(self, data: bytes) -> Iterator[bytes]:
        """What these further bytes come to, in blocks of bounded size.

        Raises Refused for corrupt data, WrongType for what is packed without a word.
        """
        for block in self._inflater.blocks(data):
            if self._head is not None:
                self._head += block[:_LONGEST_MAGIC]
                self._head = _not_packed(self._head)
            if text := self._decoder.feed(block):
                yield text

    def end(self) -> bytes:
        """What remained. Raises Refused when the stream is cut off."""
        self._inflater.end()
        return self._decoder.end()


_MAGIC = {
    b"PK\x03\x04": ("a ZIP archive", "Unpack it and send what is in it; ctihub push does so by itself."),
    b"\x1f\x8b\x08": ("packed with gzip", "Send Content-Encoding: gzip, once for each time that it is packed at most."),
    b"\x28\xb5\x2f\xfd": ("packed with zstd", "Send Content-Encoding: zstd."),
}
_LONGEST_MAGIC = max(map(len, _MAGIC))


def _not_packed(head: bytes) -> bytes | None:
    """The first bytes as long as they may still begin what no media type here is; None once they do not."""
    for magic, (what, way_out) in _MAGIC.items():
        if head.startswith(magic):
            raise WrongType("push.encoding", f"The body is {what}, which its headers do not say.", way_out)
    return head if len(head) < _LONGEST_MAGIC else None


def _corrupt(encoding: Encoding) -> Refused:
    return Refused("push.encoding", f"The body is not the {encoding} that Content-Encoding says.", "Compress it again.")


def _cut_off() -> Refused:
    return Refused("push.encoding", "The compressed body is cut off.", "Send it whole.")


class NdjsonLines:
    """NDJSON to objects; a bundle, envelope or list on a line is taken apart. Holds at most one unfinished line, of
    which nothing over the limit is kept: ``limits.object_bytes``, or for what holds objects ``holder_bytes``.
    """

    def __init__(self, limits: Limits, holder_bytes: int) -> None:
        self._limits = limits
        self._limit = limits.object_bytes
        self._holder_bytes = max(holder_bytes, self._limit)
        self._held = bytearray()
        self._size = 0
        """The bytes of the unfinished line, those that were let go included."""

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
        """The object of the line that no line break ends, if there is one."""
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
        # One byte beyond the limit says that it is passed; blanks at the ends do not count, so a few more are kept.
        most = self._holder_bytes if self._begins_holder(part) else self._limit
        room = most + EXCERPT_BYTES - len(self._held)
        if room > 0:
            self._held += part[:room]

    def _begins_holder(self, part: bytes) -> bool:
        """Whether the line is one of a bundle, an envelope or a list, as far as its first bytes say."""
        head = bytes(self._held[:EXCERPT_BYTES]) + part[: max(0, EXCERPT_BYTES - len(self._held))]
        return head.lstrip(_BLANK)[:1] == b"[" or b"bundle" in head or b'"objects"' in head


def objects_on(line: bytes, limits: Limits) -> list[bytes]:
    """The received objects of a line of NDJSON. One that cannot be cut is one object, for the hub to refuse."""
    slices = records.split(line, limits)
    return [line] if isinstance(slices, Problem) else slices


def objects_of(document: bytes, limits: Limits) -> list[Piece]:
    """The received objects of a whole document: those of a bundle, an envelope or a list, or the one object.

    Raises TooLarge for a bundle of too many objects, Refused for a bundle that cannot be read.
    """
    slices = records.split(document, limits)
    if isinstance(slices, Problem):
        kind = TooLarge if slices.code is Code.BUNDLE_TOO_LARGE else Refused
        raise kind(slices.code, slices.says)
    return [piece_of(one, limits.object_bytes) for one in slices]
