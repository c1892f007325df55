"""Reads the progress of the relay from Kafka: its positions, and the last records of the topics."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.errors import UnknownTopicOrPartitionError

from hub.doors.kafka_tail import TAIL_RECORDS, TailRecord, tail_record
from hub.log.kafka_connection import KafkaConnection, told_plainly

GROUP = "_ctihub.relay"
"""The group without members whose committed offsets are the positions: for partition 0 of a topic, the last row."""


class Relayed:
    """Reads the progress of all relays, in any process."""

    def __init__(self, kafka: KafkaConnection) -> None:
        self._kafka = kafka
        self._asking = asyncio.Lock()
        """Serialises requests that open a connection each."""

    async def __call__(self) -> dict[str, int]:
        """Returns the last relayed row of each log, by the log's name. Raises TryAgain."""
        with told_plainly():
            async with self._asking, self._kafka.admin() as admin:
                said = await admin.list_consumer_group_offsets(GROUP)
        return {at.topic: offset.offset for at, offset in said.items()}


async def relayed_of(bootstrap: str, credentials: Mapping[str, str | None]) -> Relayed:
    """Returns a reader for these brokers; ``credentials`` are for ``KafkaConnection.of``."""
    return Relayed(await KafkaConnection.of(bootstrap, **credentials))


async def read_back(
    reader: AIOKafkaConsumer, topics: Sequence[str]
) -> tuple[dict[KafkaPartition, int | None], dict[KafkaPartition, list[TailRecord]]]:
    """Returns the relay's position and the last committed records of each topic."""
    partitions = [KafkaPartition(topic, 0) for topic in topics]
    if not partitions:
        return {}, {}
    begin = await reader.beginning_offsets(partitions)
    ends = await reader.end_offsets(partitions)
    # An empty topic was created again, so an old position does not count.
    positions = {at: await reader.committed(at) if ends[at] > 0 else None for at in partitions}
    tails: dict[KafkaPartition, list[TailRecord]] = {at: [] for at in partitions}
    for at in partitions:
        window = TAIL_RECORDS
        while not tails[at] and begin[at] < ends[at]:
            start = max(begin[at], ends[at] - window)
            tails[at] = await committed_records(reader, at, start, ends[at])
            if start == begin[at]:
                break
            window *= 8  # only transaction markers there
    return positions, tails


async def committed_records(reader: AIOKafkaConsumer, at: KafkaPartition, start: int, end: int) -> list[TailRecord]:
    """Returns the committed records from offset ``start`` up to ``end``."""
    reader.assign([at])
    reader.seek(at, start)
    found: list[TailRecord] = []
    while await reader.position(at) < end:
        read = await reader.getmany(at, timeout_ms=200)
        if not read and at.topic not in await reader.topics():  # deleted: the client would retry for ever
            raise UnknownTopicOrPartitionError(at.topic)
        for records in read.values():
            found.extend(tail_record(record.key, record.value, record.headers) for record in records)
    return found
