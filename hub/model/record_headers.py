"""The headers of intake records: what the hub's intake writes, and how the headers of any record are read.

A push writes ``receipt`` (its uid) and ``index`` (the object's index in the push, decimal, from 0), and ``too-large``
(a size in bytes, decimal) if the record holds only the beginning of an object. A record without a value may have
``withdrawal``: ``stands``, ``soft`` or ``restore``; without it the withdrawal is soft. In the topic of all members,
which only the hub writes, a push also writes ``source``, the member's name. A record whose content was erased has
``erased``. Other clients may write anything in their topics.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from hub.model.event_log import Record
from hub.model.words import Limits, Withdrawal

_RECEIPT = "receipt"
_INDEX = "index"
_TOO_LARGE = "too-large"
_WITHDRAWAL = "withdrawal"
_SOURCE = "source"
_ERASED = "erased"

_LAST_INDEX = 2**31 - 1 - Limits().bundle_objects
"""The largest index that the store can hold; a header of another client may contain any number."""
_LARGEST = 10**15
_WITHDRAWALS = {one.encode(): one for one in Withdrawal}
_is_receipt = re.compile(rb"[0-9A-Za-z-]{1,64}").fullmatch
_is_uuid = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}").fullmatch


@dataclass(frozen=True, slots=True)
class RecordHeaders:
    """The usable content of a record's headers."""

    receipt: str | None = None
    """The uid of the push; None for a record that was not pushed, which may hold several objects."""
    index: int = 0
    """The index of the record's first object in its push."""
    size_bytes: int | None = None
    """The size of an object that was too large, of which the record holds the beginning; 0 if the header is no
    number."""
    withdrawal: Withdrawal | bytes = Withdrawal.SOFT
    """What a record without a value does; bytes if the header is none of the three words."""
    source: str | None = None
    """The member that sent it. Counts in the topic of all members only, where nobody but the hub writes."""
    is_erased: bool = False
    """Whether the content of the record was erased."""


def headers_of(receipt: str, index: int, *, too_large_bytes: int | None = None) -> tuple[tuple[str, bytes], ...]:
    """The headers of a pushed object. ``too_large_bytes``: the full size of an object that was cut."""
    headers = (_RECEIPT, receipt.encode()), (_INDEX, b"%d" % index)
    return headers if too_large_bytes is None else (*headers, (_TOO_LARGE, b"%d" % too_large_bytes))


def is_status_id(receipt: str) -> bool:
    """Whether the uid of a push is the id of its TAXII status resource, which names every object: a UUID."""
    return _is_uuid(receipt) is not None


def withdrawal_headers(receipt: str, index: int, withdrawal: Withdrawal) -> tuple[tuple[str, bytes], ...]:
    """The headers of a pushed withdrawal."""
    return (*headers_of(receipt, index), (_WITHDRAWAL, withdrawal.encode()))


def with_source(record: Record, source: str) -> Record:
    """The record with the name of its source, for a topic that several sources share."""
    return replace(record, headers=(*record.headers, (_SOURCE, source.encode())))


def erased_headers(headers: Iterable[tuple[str, bytes]]) -> tuple[tuple[str, bytes], ...]:
    """The headers of a record after its content was erased."""
    kept = tuple((name, said) for name, said in headers if name in (_RECEIPT, _INDEX, _SOURCE))
    return (*kept, (_ERASED, b"1"))


def read_headers(headers: Iterable[tuple[str, bytes]]) -> RecordHeaders:
    """Read the headers of a record. Values that no push writes are ignored; of repeated headers the last counts."""
    found = dict(headers)
    receipt, index, size = found.get(_RECEIPT, b""), found.get(_INDEX, b""), found.get(_TOO_LARGE)
    withdrawal = found.get(_WITHDRAWAL, b"soft")
    return RecordHeaders(
        receipt.decode("ascii") if _is_receipt(receipt) else None,
        _number(index, _LAST_INDEX),
        None if size is None else _number(size, _LARGEST),
        _WITHDRAWALS.get(withdrawal, withdrawal),
        found[_SOURCE].decode("utf-8", "replace") if _SOURCE in found else None,
        _ERASED in found,
    )


def _number(header: bytes, most: int) -> int:
    number = int(header) if header.isdigit() and len(header) < 16 else 0
    return number if number <= most else 0
