"""The headers of records that sources publish: what the intake writes into them, and what anybody reads in them.

A push writes ``receipt`` (its uid) and ``index`` (the object's place in it, decimal, from 0), and ``too-large`` (a size
in bytes, decimal) where the record holds only the beginning of an object. Any other client may write anything there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from hub.model.words import Limits

_RECEIPT = "receipt"
_INDEX = "index"
_TOO_LARGE = "too-large"

_LAST_INDEX = 2**31 - 1 - Limits().bundle_objects
"""What the store counts with; a header of a client of another make may say any number."""
_LARGEST = 10**15
_is_receipt = re.compile(rb"[0-9A-Za-z-]{1,64}").fullmatch


@dataclass(frozen=True, slots=True)
class RecordHeaders:
    """What a record's headers say, as far as it can be used."""

    receipt: str | None = None
    """The uid of the push; None for a record that was not pushed, and may hold many objects."""
    index: int = 0
    """Of the record's first object in its push."""
    size_bytes: int | None = None
    """Of an object that was too large, of which the record holds the beginning; 0 where the header is no number."""


def headers_of(receipt: str, index: int, *, too_large_bytes: int | None = None) -> tuple[tuple[str, bytes], ...]:
    """The headers of a pushed object, as a record carries them. ``too_large_bytes``: the size of one that was cut."""
    headers = (_RECEIPT, receipt.encode()), (_INDEX, b"%d" % index)
    return headers if too_large_bytes is None else (*headers, (_TOO_LARGE, b"%d" % too_large_bytes))


def read_headers(headers: Iterable[tuple[str, bytes]]) -> RecordHeaders:
    """What the headers of a record say. A value that no push writes counts as none; of a name twice the last counts."""
    found = dict(headers)
    receipt, index, size = found.get(_RECEIPT, b""), found.get(_INDEX, b""), found.get(_TOO_LARGE)
    return RecordHeaders(
        receipt.decode("ascii") if _is_receipt(receipt) else None,
        _number(index, _LAST_INDEX),
        None if size is None else _number(size, _LARGEST),
    )


def _number(header: bytes, most: int) -> int:
    number = int(header) if header.isdigit() and len(header) < 16 else 0
    return number if number <= most else 0
