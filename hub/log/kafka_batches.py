"""Compression and decompression of batches. This module replaces functions of aiokafka.

Decompression of batches from centres is bounded: 3 KB of zstd can hold 100 MB, and 8 MB a quarter of a terabyte.

aiokafka decompresses a whole batch without a limit. Here a batch over the limit is read as one record without key and
value, at the last offset of the batch. It becomes a rejection like any other unreadable record, and the partition
continues. The same happens to the rest of a batch after a header that cannot be decoded.

Topics for members are compressed with gzip, which every client library supports. aiokafka uses level 9, which has a
third of the speed of level 1 and gives hardly smaller batches.
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
"""The largest batch after decompression: eight times the largest compressed one, far above what producers send."""

GZIP_LEVEL = 1
GZIP = 31
"""zlib's number for the gzip format with its largest window."""
_XERIAL_HEADER_BYTES = 16


class TooLargeUncompressed(Exception):  # no Error suffix: it never leaves this module
    """The decompressed batch would exceed the limit."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Replaces the records of a batch, or the rest of them, that cannot be decoded or exceed the limit."""

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
        """Returns the next batch; it is decompressed when its records are read."""
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
        """Yields the records before one with a header name that is not UTF-8: brokers accept it, the library raises."""
        try:
            yield from records
        except UnicodeDecodeError:  # raised inside the record, so the start of the next one is unknown
            yield self._rest()

    def _rest(self) -> Unreadable:
        batch = self._batch
        return Unreadable(batch.next_offset - 1, batch.max_timestamp, batch.timestamp_type)


# The system allocates only the pages that a batch fills; the event loop decompresses one batch at a time.
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
    """Replace the functions of the library with those of this module. Idempotent."""
    for module in (compiled_records, python_records):
        module.gzip_encode = _gzip_encode
        module.gzip_decode = _gzip_decode
        module.snappy_decode = _snappy_decode
        module.lz4_decode = _into_buffer(cramjam.lz4.decompress_into)
        module.zstd_decode = _into_buffer(cramjam.zstd.decompress_into)
    fetcher.MemoryRecords = BoundedRecords
