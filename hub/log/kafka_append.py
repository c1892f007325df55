"""Appends to Kafka: groups records into batches of one partition, and tracks the result of each append."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError
from aiokafka.partitioner import murmur2

from hub.log.port import Positions, Record, Topic, TopicPartition
from hub.model.errors import HubError, TryAgain


@dataclass(slots=True, eq=False)
class Append:
    """The records of one append, and its result."""

    records: Sequence[Record]
    settled: bool = False
    error: HubError | None = None
    gone: bool = False
    """The caller no longer waits for the result."""
    ends: dict[int, int] = field(default_factory=dict)
    """The position after the last stored record, by partition."""
    refused: list[int] = field(default_factory=list)
    """The indexes of records that are too large for the topic."""
    spread: float = field(default_factory=random.random)
    """Selects the partition of records without a key. It distributes the load and need not be secret."""

    def positions(self, topic: Topic) -> Positions:
        """Returns the positions after the stored records."""
        return {TopicPartition(topic, number): position for number, position in self.ends.items()}


_Item = tuple[Append, int]
"""One record: its append, and its index there."""


class AppendBatch:
    """Records of one partition that are sent together."""

    def __init__(self, producer: AIOKafkaProducer, topic: Topic, partition: int, most_bytes: int) -> None:
        self._producer = producer
        self._topic = topic
        self._partition = partition
        self._most_bytes = most_bytes
        self._builder = producer.create_batch()
        self._sent: asyncio.Future[Any]
        self.items: list[_Item] = []
        self.size_bytes = 0
        """Size before compression."""
        self.settled = False
        """No record of it needs to be sent again."""

    def add(self, item: _Item) -> bool:
        """Adds a record; returns False when the batch is full. An empty batch accepts any record."""
        append, index = item
        record = append.records[index]
        if self.items and self._builder.size() + len(record.value or b"") > self._most_bytes:
            return False
        headers = list(record.headers)
        if self._builder.append(timestamp=None, key=record.key, value=record.value, headers=headers) is None:
            return False
        self.items.append(item)
        return True

    async def send(self) -> None:
        """Pass the batch to the producer; waits until the earlier batch of the partition is sent."""
        self.size_bytes = self._builder.size()
        self._sent = await self._producer.send_batch(self._builder, self._topic, partition=self._partition)

    async def stored(self) -> bool:
        """Wait until Kafka has stored the batch; returns False when it is too large for the topic."""
        try:
            first = (await self._sent).offset
        except MessageSizeTooLargeError:
            return False
        if first < 0:  # stored, but so long ago that Kafka does not know the offset any more
            raise TryAgain("log.away", "Kafka could not say where it stored the records.")
        for place, (append, _) in enumerate(self.items, first + 1):
            append.ends[self._partition] = place
        self.settled = True
        return True


async def deliver(batches: Sequence[Sequence[AppendBatch]]) -> list[AppendBatch]:
    """Send the batches of each partition in sequence. Stops at batches that are too large, and returns these."""
    for turn in zip_longest(*batches):
        sending = [batch for batch in turn if batch is not None]
        for batch in sending:
            await batch.send()
        if too_large := [batch for batch in sending if not await batch.stored()]:
            return too_large
    return []


def filled(
    producer: AIOKafkaProducer, topic: Topic, partitions: Sequence[int], items: Sequence[_Item], most_bytes: int
) -> list[list[AppendBatch]]:
    """Returns the records in batches, in order; one list per partition."""
    batches: dict[int, list[AppendBatch]] = {}
    for item in items:
        append, index = item
        key = append.records[index].key
        at = int(append.spread * len(partitions)) if key is None else _place_of(key, len(partitions))
        filling = batches.setdefault(partitions[at], [])
        if not filling or not filling[-1].add(item):
            filling.append(AppendBatch(producer, topic, partitions[at], most_bytes))
            filling[-1].add(item)
    return list(batches.values())


def _place_of(key: bytes, partitions: int) -> int:
    """Returns the index of the partition that every Kafka client selects for a key, as a centre's own producer does."""
    hashed: int = murmur2(key) & 0x7FFFFFFF if partitions > 1 else 0
    return hashed % partitions


def first_of(waiting: deque[Append], most_bytes: int) -> Iterator[Append]:
    """Removes and yields the appends to send together, except those whose caller has been cancelled."""
    size = 0
    while waiting and size < most_bytes:
        append = waiting.popleft()
        if not append.gone:
            size += sum(len(record.value or b"") for record in append.records)
            yield append
