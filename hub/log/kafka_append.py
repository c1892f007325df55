"""Records on their way to Kafka: gathered into batches of one partition, and what became of each append."""

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
    """Records that somebody appends, and what has become of them."""

    records: Sequence[Record]
    settled: bool = False
    error: HubError | None = None
    gone: bool = False
    """Nobody waits for it any more."""
    ends: dict[int, int] = field(default_factory=dict)
    """For each partition that got a record the position after its last one."""
    refused: list[int] = field(default_factory=list)
    """Which records are larger than the topic takes."""
    spread: float = field(default_factory=random.random)
    """Which partition its records without a key go to: nothing secret, it spreads the load."""

    def positions(self, topic: Topic) -> Positions:
        """Where the records ended up."""
        return {TopicPartition(topic, number): position for number, position in self.ends.items()}


_Item = tuple[Append, int]
"""One record: its append, and which of its records."""


class AppendBatch:
    """Records of one partition that travel together."""

    def __init__(self, producer: AIOKafkaProducer, topic: Topic, partition: int, most_bytes: int) -> None:
        self._producer = producer
        self._topic = topic
        self._partition = partition
        self._most_bytes = most_bytes
        self._builder = producer.create_batch()
        self._sent: asyncio.Future[Any]
        self.items: list[_Item] = []
        self.size_bytes = 0
        """Before compression."""
        self.settled = False
        """Nothing of it is to be sent again."""

    def add(self, item: _Item) -> bool:
        """False when the batch is full. An empty batch takes any record."""
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
        """Hand over to the producer; waits while an earlier batch of the partition has not gone out."""
        self.size_bytes = self._builder.size()
        self._sent = await self._producer.send_batch(self._builder, self._topic, partition=self._partition)

    async def stored(self) -> bool:
        """Wait until Kafka has stored the batch; False when it is larger than the topic takes."""
        try:
            first = (await self._sent).offset
        except MessageSizeTooLargeError:
            return False
        if first < 0:  # stored, but so long ago that Kafka forgot where: nobody can say the positions
            raise TryAgain("log.away", "Kafka could not say where it stored the records.")
        for place, (append, _) in enumerate(self.items, first + 1):
            append.ends[self._partition] = place
        self.settled = True
        return True


async def deliver(batches: Sequence[Sequence[AppendBatch]]) -> list[AppendBatch]:
    """Send the batches of each partition one after the other; stops at those that the topic does not take, and says."""
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
    """The records in batches, in their order; one list a partition."""
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
    """As every Kafka client chooses, so that a centre's own producer and the hub's doors agree."""
    hashed: int = murmur2(key) & 0x7FFFFFFF if partitions > 1 else 0
    return hashed % partitions


def first_of(waiting: deque[Append], most_bytes: int) -> Iterator[Append]:
    """The appends that go out together, those whose caller has gone left out."""
    size = 0
    while waiting and size < most_bytes:
        append = waiting.popleft()
        if not append.gone:
            size += sum(len(record.value or b"") for record in append.records)
            yield append
