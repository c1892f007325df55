"""What has changed in a collection, from its change log."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

import orjson

from hub.model.stix_types import stix_type
from hub.model.words import Seq, StixId, StixObject
from hub.patterns import Canonical, canonical
from hub.store.port import WHOLE_LOG, ChangeKind, Filter, LogReader, LogRow

MOST_CHANGES = 10_000
"""The greatest number of changes of a page."""


@dataclass(frozen=True, slots=True)
class ToldChange:
    """One change of a collection."""

    seq: Seq
    date_added_us: int
    change: ChangeKind
    id: StixId
    type: str
    value: str | None
    """The value of an observable, or the only one that an indicator asserts; else its pattern."""
    confidence: int | None


@dataclass(frozen=True, slots=True)
class ToldChanges:
    """A page of changes."""

    changes: tuple[ToldChange, ...]
    next: Seq
    """What comes after this change is not told yet."""
    more: bool
    reached: Seq
    """The last change of the collection up to which all is told."""


@dataclass(frozen=True, slots=True)
class ChangesSince:
    """Which changes are asked for: those after a number, or those that were added after a time."""

    seq: Seq
    after_us: int | None
    limit: int


async def changes_of(logs: LogReader, collection: int, asked: ChangesSince, limit_bytes: int) -> ToldChanges:
    """The next changes of a collection. ``limit_bytes``: of the objects that are read for a page. Raises TryAgain."""
    by = WHOLE_LOG if asked.after_us is None else Filter(log=True, after_us=asked.after_us)
    page = await logs.page(collection, asked.seq, limit=asked.limit, limit_bytes=limit_bytes, by=by)
    if not page.rows:
        end = Seq(0) if page.end is None else page.end.seq
        return ToldChanges((), max(asked.seq, end), more=False, reached=end)
    told = await asyncio.to_thread(_told, page.with_bodies())
    last = page.rows[-1].seq
    return ToldChanges(told, last, page.more, reached=last)


def _told(rows: Iterable[tuple[LogRow, bytes]]) -> tuple[ToldChange, ...]:
    return tuple(_one(row, orjson.loads(body) if body else {}) for row, body in rows)


def _one(row: LogRow, obj: StixObject) -> ToldChange:
    value = single_value(obj, stix_pattern_of(obj))
    if value is None and isinstance(pattern := obj.get("pattern"), str):
        value = pattern
    return ToldChange(
        row.seq, row.date_added_us, row.change, row.object_id, row.type, value, obj.get("confidence")
    )  # fmt: skip


def stix_pattern_of(obj: StixObject) -> Canonical | None:
    """An object's pattern as it was read; None if it has none of STIX that can be read."""
    pattern = obj.get("pattern")
    if obj.get("pattern_type") != "stix" or not isinstance(pattern, str):
        return None
    found = canonical(pattern, limit_chars=2 * len(pattern) + 1)
    return found if isinstance(found, Canonical) else None


def single_value(obj: StixObject, read: Canonical | None) -> str | None:
    """The value of an observable, or the only one that an indicator is about; None if there is not exactly one.
    ``read``: its pattern.
    """
    if read is not None:
        return read.asserted[0].value if len(read.asserted) == 1 and not read.others else None
    digests = obj.get("hashes")
    if isinstance(digests, dict) and digests:
        return str(digests[min(digests)])
    value = obj.get(stix_type(str(obj.get("type", ""))).value or "")
    return value if isinstance(value, str) else None
