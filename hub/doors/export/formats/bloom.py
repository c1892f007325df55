"""``export.bloom``: a Bloom filter in the format of DCSO, which ``flor`` (Python) and ``bloom`` (Go) read.

Source: the two programs, github.com/DCSO/flor 1.1.3 and github.com/DCSO/bloom. The hub writes the format itself, since
``flor`` has had no release since 2020.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from struct import pack
from typing import Literal

from pydantic import Field

from hub.doors.export.entry import Entry
from hub.doors.export.format import About, Format, Options, Writer
from hub.doors.export.value_keys import KEYED_KINDS, key_of_value
from hub.model.errors import Refused

_VERSION = 1
_PART_BYTES = 1 << 18
_64 = (1 << 64) - 1
_FNV_OFFSET, _FNV_PRIME = 14695981039346656037, 1099511628211
_MODULUS, _FACTOR = 18446744073709551557, 18446744073709550147
"""The generator that makes the positions of a value from its hash."""


class BloomOptions(Options):
    """The parameters of ``export.bloom``."""

    capacity: int = Field(1_000_000, ge=1, le=5_000_000, description="the number of values that the filter is made for")
    false_positive_rate: float = Field(
        0.0001, ge=1e-6, le=0.1, description="the part of other values that a full filter takes for values of the list"
    )
    of: Literal["value", "key"] = Field("value", description="values, or their canonical keys in hexadecimal")


class BloomFilter:
    """A set of bytes that may take others for its own."""

    def __init__(self, capacity: int, rate: float) -> None:
        self.capacity, self._rate = capacity, rate
        self._bits = _bits_of(capacity, rate)
        self._hashes = math.ceil(math.log(2) * self._bits / capacity)
        self._field = bytearray(math.ceil(self._bits / 64) * 8)
        self._count = 0

    def add(self, value: bytes) -> bool:
        """Adds a value; returns False, and adds nothing, if the filter is full and the value is not in it."""
        places = [divmod(position, 8) for position in self._positions(value)]
        if all(self._field[at] >> bit & 1 for at, bit in places):
            return True
        if self._count >= self.capacity:
            return False
        self._count += 1
        for at, bit in places:
            self._field[at] |= 1 << bit
        return True

    def parts(self) -> Iterator[bytes]:
        """Yields the file: version, capacity, rate, hashes, bits and count, then the bits."""
        yield pack("<QQdQQQ", _VERSION, self.capacity, self._rate, self._hashes, self._bits, self._count)
        field = memoryview(self._field)
        for start in range(0, len(field), _PART_BYTES):
            yield bytes(field[start : start + _PART_BYTES])

    def _positions(self, value: bytes) -> Iterator[int]:
        state = _FNV_OFFSET
        for byte in value:  # FNV-1, 64 bits
            state = (state * _FNV_PRIME & _64) ^ byte
        state %= _MODULUS
        for _ in range(self._hashes):
            state = (state * _FACTOR & _64) % _MODULUS
            yield state % self._bits


def _bits_of(capacity: int, rate: float) -> int:
    return abs(math.ceil(capacity * math.log(rate) / math.log(2) ** 2))


def _begin(about: About[BloomOptions]) -> Writer:
    options = about.options
    found = BloomFilter(options.capacity, options.false_positive_rate)

    def line(entry: Entry) -> bytes:
        written = key_of_value(entry).hex() if options.of == "key" else entry.value
        if not found.add(written.encode("utf-8", "surrogatepass")):
            raise Refused(
                "export.capacity",
                f"The list has more than {options.capacity} values.",
                "Ask for a larger capacity, or for fewer values with type= or limit=.",
            )
        return b""

    return Writer(line, alone=lambda _: b"", tail=found.parts)


def _hidden(_: str) -> str:
    """Returns nothing: a value does not stand in the list."""
    return ""


FORMAT = Format(
    name="bloom",
    media_type="application/octet-stream",
    begin=_begin,
    escape=_hidden,
    says_type=True,
    kinds=KEYED_KINDS,
    room_bytes=lambda options: _bits_of(options.capacity, options.false_positive_rate) // 8 + 4 * _PART_BYTES,
    options=BloomOptions,
)
