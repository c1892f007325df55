"""What the event log keeps: records, and the batches in which a worker takes them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from hub.model.words import Positions, Topic, TopicPartition

INTAKE_PREFIX = "intake."
"""Begins the name of each topic that sources' records are in."""


@dataclass(frozen=True, slots=True)
class Record:
    """What somebody hands in: one STIX object or bundle as bytes, or a null value keyed by an id (a withdrawal)."""

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record with what the log added on receipt. ``time`` is aware UTC, cut to milliseconds."""

    topic: Topic
    partition: int
    offset: int
    time: datetime
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Batch:
    """Records in the order of their partitions, and the positions before and after them."""

    records: tuple[StoredRecord, ...]
    start: Positions
    end: Positions

    def halves(self) -> tuple[Batch, Batch]:
        """The batch in two, each with the positions before and after it."""
        first, second = self.records[: len(self.records) // 2], self.records[len(self.records) // 2 :]
        between = dict(self.start)
        for record in first:
            between[TopicPartition(record.topic, record.partition)] = record.offset + 1
        return Batch(first, self.start, between), Batch(second, between, self.end)
