"""What the event log stores: records, and the batches that workers read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from hub.model.words import Positions, Topic, TopicPartition

INTAKE_PREFIX = "intake."
"""The prefix of the names of all intake topics."""
MEMBERS = "members"
"""The name of all members together; no principal may have it."""
MEMBERS_TOPIC = Topic(INTAKE_PREFIX + MEMBERS)
"""The intake topic of all members. Only the hub writes there; the headers of each record name its source."""


@dataclass(frozen=True, slots=True)
class Record:
    """A record to append: one STIX object or bundle as bytes, or a null value with an id as its key (a withdrawal)."""

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record with its position and time of receipt. ``time`` is aware UTC, cut to milliseconds."""

    topic: Topic
    partition: int
    offset: int
    time: datetime
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Batch:
    """Records ordered within each partition, and the positions before and after them."""

    records: tuple[StoredRecord, ...]
    start: Positions
    end: Positions

    def halves(self) -> tuple[Batch, Batch]:
        """The two halves of the batch, each with the positions before and after it."""
        first, second = self.records[: len(self.records) // 2], self.records[len(self.records) // 2 :]
        between = dict(self.start)
        for record in first:
            between[TopicPartition(record.topic, record.partition)] = record.offset + 1
        return Batch(first, self.start, between), Batch(second, between, self.end)
