"""One page of a change log as batches for its topic, none larger than what the topic has taken.

An object that is too large for the topic even alone, and compressed, must not keep back all that follows. A record
without a value stands for it, with its size in the header ``too-large``: no older version of it stays, and whoever
needs it reads it at another door.
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
"""Before compression."""

_log = structlog.get_logger()


@dataclass(slots=True)
class TopicBatch:
    """Rows of one log that travel together."""

    log: int
    builder: Any
    rows: list[LogRow] = field(default_factory=list)


class Sizes:
    """What the topics take, as far as they have refused anything. Lives as long as the relay."""

    def __init__(self) -> None:
        self._most_bytes: defaultdict[int, int] = defaultdict(lambda: RELAY_BATCH_BYTES)
        self._left_out: defaultdict[int, set[Seq]] = defaultdict(set)

    def batches(self, producer: AIOKafkaProducer, log: int, page: LogPage) -> list[TopicBatch]:
        """The rows of a page as batches of one partition, in their order."""
        found: list[TopicBatch] = []
        for row, body in page.with_bodies():
            if not found or not self._add(found[-1], row, body):
                found.append(TopicBatch(log, producer.create_batch()))
                self._add(found[-1], row, body)
        return found

    def _add(self, batch: TopicBatch, row: LogRow, body: bytes) -> bool:
        """False when the batch is full. An empty one takes any row."""
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
        """The topic takes no batch as large as this."""
        last = batch.rows[-1]
        if len(batch.rows) > 1:
            most = self._most_bytes[batch.log]
            self._most_bytes[batch.log] = min(sum(row.size for row in batch.rows), most) // 2
            return
        self._left_out[batch.log].add(last.seq)
        _log.error("relay.left_out", collection=topic, seq=last.seq, bytes=last.size, way_out=_WAY_OUT)

    def forget(self, log: int) -> None:
        """The collection was removed."""
        self._most_bytes.pop(log, None)
        self._left_out.pop(log, None)


_WAY_OUT = (
    "Raise max.message.bytes of the topic, then delete the topic: ctihub doctor --fix makes it anew, and the relay "
    "fills it again."
)
