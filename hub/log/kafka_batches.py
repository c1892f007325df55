"""How batches are compressed and decompressed, in the place of aiokafka's own functions.

Decompression of what centres produce is bounded: 3 KB of zstd can hold 100 MB, and 8 MB a quarter of a terabyte.

aiokafka decompresses a batch whole and knows no limit, so this module puts its own functions in the place of the
library's. A batch over the limit is read as one record without key and value in its last place: it ends as a
rejection like any other unreadable record, and its partition goes on. So does what follows, in its batch, a header
that cannot be read.

What others read is compressed with gzip, which every client library has by itself. aiokafka does it at level 9, at a
third of the speed of level 1 and hardly smaller.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import cramjam
from aiokafka import codec
from aiokafka.consumer import fetcher
from aiokafka.record import default_records as python_records
from aiokafka.record.memory_records import MemoryRecords

try:
    from aiokafka.record._crecords import default_records as compiled_records
except ImportError:  # a platform without the compiled part
    compiled_records = python_records

LIMIT_BYTES = 64 << 20
"""A batch after decompression: eight times the largest that a topic takes, and far above what producers make."""

GZIP_LEVEL = 1
GZIP = 31
"""zlib's number for the gzip format with its largest window."""
_XERIAL_HEADER_BYTES = 16


class TooLargeUncompressed(Exception):  # what it is, not that it is an error: it never leaves this module
    """The batch would take more memory than one batch may."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Stands for all records of a batch, or the rest of them, that nobody can read, or afford to."""

    offset: int
    timestamp: int
    timestamp_type: int
    key: None = None
    value: None = None
    checksum: None = None
    headers: tuple[()] = ()


class BoundedRecords:
    """``MemoryRecords`` whose batches are bounded."""

    def __init__(self, data: Any) -> None:
        self._records = MemoryRecords(data)

    def size_in_bytes(self) -> int:
        """As the library says it."""
        size: int = self._records.size_in_bytes()
        return size

    def has_next(self) -> bool:
        """As the library says it."""
        return bool(self._records.has_next())

    def next_batch(self) -> _BoundedBatch:
        """The next batch, which decompresses itself when its records are asked for."""
        return _BoundedBatch(self._records.next_batch())


class _BoundedBatch:
    def __init__(self, batch: Any) -> None:
        self._batch = batch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        try:
            return self._readable(iter(self._batch))
        except (TooLargeUncompressed, cramjam.DecompressionError, zlib.error):
            return iter([self._rest()])

    def _readable(self, records: Iterator[Any]) -> Iterator[Any]:
        """The records up to one with a header whose name is not UTF-8: no broker minds, and the library raises."""
        try:
            yield from records
        except UnicodeDecodeError:  # in the middle of the record, so where the next one begins is not known
            yield self._rest()

    def _rest(self) -> Unreadable:
        batch = self._batch
        return Unreadable(batch.next_offset - 1, batch.max_timestamp, batch.timestamp_type)


# Only the pages that a batch fills are ever taken from the system; the event loop decompresses one batch at a time.
_buffer = bytearray(LIMIT_BYTES)


def _into_buffer(decompress_into: Callable[[Any, bytearray], int]) -> Callable[[Any], bytes]:
    def decode(payload: Any) -> bytes:
        size = decompress_into(bytes(payload), _buffer)
        with memoryview(_buffer) as whole:
            return bytes(whole[:size])

    return decode


def _gzip_encode(payload: Any) -> bytes:
    return gzip.compress(payload, GZIP_LEVEL, mtime=0)


def _gzip_decode(payload: Any) -> bytes:
    parts: list[bytes] = []
    left, rest = LIMIT_BYTES, bytes(payload)
    while rest:  # a gzip file may have several members
        member = zlib.decompressobj(GZIP)
        parts.append(member.decompress(rest, left + 1))
        left -= len(parts[-1])
        if left < 0:
            raise TooLargeUncompressed
        rest = member.unused_data
    return b"".join(parts)


def _snappy_decode(payload: Any) -> bytes:
    if sum(cramjam.snappy.decompress_raw_len(block) for block in _snappy_blocks(bytes(payload))) > LIMIT_BYTES:
        raise TooLargeUncompressed
    decoded: bytes = codec.snappy_decode(payload)
    return decoded


def _snappy_blocks(payload: bytes) -> Iterator[bytes]:
    if not codec._detect_xerial_stream(payload):
        yield payload
        return
    at = _XERIAL_HEADER_BYTES
    while at < len(payload):
        size = int.from_bytes(payload[at : at + 4], "big")
        yield payload[at + 4 : at + 4 + size]
        at += 4 + size


def replace_codecs() -> None:
    """Put the functions of this module in the place of the library's. Idempotent."""
    for module in (compiled_records, python_records):
        module.gzip_encode = _gzip_encode
        module.gzip_decode = _gzip_decode
        module.snappy_decode = _snappy_decode
        module.lz4_decode = _into_buffer(cramjam.lz4.decompress_into)
        module.zstd_decode = _into_buffer(cramjam.zstd.decompress_into)
    fetcher.MemoryRecords = BoundedRecords
