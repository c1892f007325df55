"""Turns a page of a change log into batches for its topic, within the sizes that the topic has accepted.

An object that is too large for the topic, even alone and compressed, must not block all later rows. It is replaced by a
record without a value, with its size in the header ``too-large``: so no older version remains in the topic, and readers
get the object from another door.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer

from hub.doors.kafka_tail import LEFT_OUT, SEQ
from hub.model.words import Seq
from hub.store.port import LogPage, LogRow

RELAY_BATCH_BYTES = 1 << 20
"""Size before compression."""

_log = structlog.get_logger()


@dataclass(slots=True)
class TopicBatch:
    """Rows of one log that are sent together."""

    log: int
    builder: Any
    rows: list[LogRow] = field(default_factory=list)


class Sizes:
    """The largest accepted batch of each topic, as known from refusals; kept as long as the relay."""

    def __init__(self) -> None:
        self._most_bytes: defaultdict[int, int] = defaultdict(lambda: RELAY_BATCH_BYTES)
        self._left_out: defaultdict[int, set[Seq]] = defaultdict(set)

    def batches(self, producer: AIOKafkaProducer, log: int, page: LogPage) -> list[TopicBatch]:
        """Returns the rows of a page as batches of one partition, in order."""
        found: list[TopicBatch] = []
        for row, body in page.with_bodies():
            if not found or not self._add(found[-1], row, body):
                found.append(TopicBatch(log, producer.create_batch()))
                self._add(found[-1], row, body)
        return found

    def _add(self, batch: TopicBatch, row: LogRow, body: bytes) -> bool:
        """Adds a row; returns False when the batch is full. An empty batch accepts any row."""
        headers = [(SEQ, b"%d" % row.seq)]
        value = None if row.withdrawn else body
        if row.seq in self._left_out[batch.log]:
            value, headers = None, [*headers, (LEFT_OUT, b"%d" % row.size)]
        if batch.rows and batch.builder.size() + len(value or b"") > self._most_bytes[batch.log]:
            return False
        key = row.object_id.encode() or None
        if batch.builder.append(timestamp=None, key=key, value=value, headers=headers) is None:
            return False
        batch.rows.append(row)
        return True

    def refused(self, batch: TopicBatch, topic: str) -> None:
        """Record that the topic has refused a batch of this size."""
        last = batch.rows[-1]
        if len(batch.rows) > 1:
            most = self._most_bytes[batch.log]
            self._most_bytes[batch.log] = min(sum(row.size for row in batch.rows), most) // 2
            return
        self._left_out[batch.log].add(last.seq)
        _log.error("relay.left_out", collection=topic, seq=last.seq, bytes=last.size, way_out=_WAY_OUT)

    def forget(self, log: int) -> None:
        """Discard the sizes of a removed collection."""
        self._most_bytes.pop(log, None)
        self._left_out.pop(log, None)


_WAY_OUT = (
    "Raise max.message.bytes of the topic, then delete the topic: ctihub doctor --fix creates it again, and the "
    "relay fills it."
)
