"""Bloom filters, by ``flor``, the library of those who defined the format."""

from __future__ import annotations

import io
from typing import Any

from flor import BloomFilter

from tests.doors.list_readers import Reader


def read(content: bytes) -> list[Any]:
    found, file = BloomFilter(), io.BytesIO(content)
    found.read(file)
    assert found.data == b"", "nothing follows the filter"
    return [found]


def agrees(got: list[Any], said: list[Any]) -> bool:
    [found] = got
    most = len(set(said))
    assert most >= found.N
    return all(value in found for value in said)


READER = Reader(
    read,
    says=lambda entry: entry.value.encode(),
    agrees=agrees,
    options={"capacity": "100", "false_positive_rate": "0.01"},
)
