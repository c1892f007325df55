"""One page of a change log as batches for its topic, none larger than what the topic has taken.

An object that is too large for the topic even alone, and compressed, must not keep back all that follows. A record
without a value stands for it, with its size in the header ``too-large``: no older version of it stays, and whoever
needs it reads it at another door.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer

from hub.doors.kafka_tail import LEFT_OUT, SEQ
from hub.model.claims import Change
from hub.model.words import Seq

BATCH_BYTES = 1 << 20
"""Before compression."""

_log = structlog.get_logger()


@dataclass(slots=True)
class Page:
    """Rows that travel together."""

    builder: Any
    rows: list[Change] = field(default_factory=list)


class Sizes:
    """What the topics take, as far as they have refused anything. Lives as long as the relay."""

    def __init__(self) -> None:
        self._most_bytes: defaultdict[int, int] = defaultdict(lambda: BATCH_BYTES)
        self._left_out: defaultdict[int, set[Seq]] = defaultdict(set)

    def pages(self, producer: AIOKafkaProducer, rows: Sequence[Change]) -> list[Page]:
        """The rows as batches of one partition, in their order."""
        pages: list[Page] = []
        for row in rows:
            if not pages or not self._add(pages[-1], row):
                pages.append(Page(producer.create_batch()))
                self._add(pages[-1], row)
        return pages

    def _add(self, page: Page, row: Change) -> bool:
        """False when the batch is full. An empty one takes any row."""
        headers = [(SEQ, b"%d" % row.seq)]
        value = None if row.withdrawn else row.body
        if row.seq in self._left_out[row.log]:
            value, headers = None, [*headers, (LEFT_OUT, b"%d" % len(row.body))]
        if page.rows and page.builder.size() + len(value or b"") > self._most_bytes[row.log]:
            return False
        key = row.object_id.encode() or None
        if page.builder.append(timestamp=None, key=key, value=value, headers=headers) is None:
            return False
        page.rows.append(row)
        return True

    def refused(self, page: Page, topic: str) -> None:
        """The topic takes no batch as large as this."""
        last = page.rows[-1]
        if len(page.rows) > 1:
            self._most_bytes[last.log] = min(sum(len(row.body) for row in page.rows), self._most_bytes[last.log]) // 2
            return
        self._left_out[last.log].add(last.seq)
        _log.error("relay.left_out", collection=topic, seq=last.seq, bytes=len(last.body), way_out=_WAY_OUT)

    def forget(self, log: int) -> None:
        """The collection was removed."""
        self._most_bytes.pop(log, None)
        self._left_out.pop(log, None)


_WAY_OUT = (
    "Raise max.message.bytes of the topic, then delete the topic: ctihub doctor --fix makes it anew, and the relay "
    "fills it again."
)
