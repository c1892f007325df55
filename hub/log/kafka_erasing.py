"""Finds records in the topics of the event log and of the rejections, and deletes them from the brokers.

Kafka cannot delete single records: it deletes all records of a partition up to one. Records that no worker has read yet
are not deleted; a worker refuses them, and they are deleted after that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta

from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.admin import RecordsToDelete

from hub.log.kafka_connection import REQUEST_TIMEOUT_MS, KafkaConnection
from hub.log.kafka_topics import REJECTED_PREFIX
from hub.log.port import Positions, SaysRecord, StoredRecord, Topic, TopicPartition

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FETCH_BYTES = 16 << 20


async def find(connection: KafkaConnection, prefix: str, says: SaysRecord) -> list[StoredRecord]:
    """Returns the records of all intake topics, and of those of rejections, that ``says`` holds for."""
    found: list[StoredRecord] = []
    async with connection.reader(
        enable_auto_commit=False, auto_offset_reset="earliest", fetch_max_bytes=_FETCH_BYTES
    ) as reader:
        cluster = await reader._client.fetch_all_metadata()
        topics = [topic for topic in sorted(cluster.topics()) if topic.startswith((prefix, REJECTED_PREFIX))]
        partitions = [KafkaPartition(topic, no) for topic in topics for no in cluster.partitions_for_topic(topic)]
        if not partitions:
            return []
        begin, ends = await reader.beginning_offsets(partitions), await reader.end_offsets(partitions)
        for at in partitions:
            if begin[at] < ends[at]:
                found += await _found_in(reader, at, begin[at], ends[at], says)
    return found


async def _found_in(
    reader: AIOKafkaConsumer, at: KafkaPartition, begin: int, end: int, says: SaysRecord
) -> list[StoredRecord]:
    reader.assign([at])
    reader.seek(at, begin)
    found: list[StoredRecord] = []
    async with asyncio.timeout(None) as patience:
        while await reader.position(at) < end:
            patience.reschedule(asyncio.get_running_loop().time() + REQUEST_TIMEOUT_MS / 1000)
            for records in (await reader.getmany(at, timeout_ms=200, max_records=500)).values():
                found += [one for one in map(_stored, records) if says(one)]
    return found


def _stored(record: ConsumerRecord) -> StoredRecord:
    headers = tuple((name, said or b"") for name, said in record.headers)
    time = _EPOCH + timedelta(milliseconds=record.timestamp)
    return StoredRecord(
        Topic(record.topic), record.partition, record.offset, time, record.key, record.value, headers
    )  # fmt: skip


async def erase(
    connection: KafkaConnection, offsets: Mapping[TopicPartition, Collection[int]], positions: Positions
) -> dict[TopicPartition, int]:
    """Delete all records up to these, as far as workers have read them. Returns the offset of the first record that is
    left of each partition.
    """
    upto = {KafkaPartition(*at): _upto(at, some, positions) for at, some in offsets.items() if some}
    if not upto:
        return {}
    async with asyncio.timeout(REQUEST_TIMEOUT_MS / 1000), connection.reader() as reader:
        first = await reader.beginning_offsets(list(upto))
    more = {at: RecordsToDelete(offset) for at, offset in upto.items() if offset > first[at]}
    if more:
        async with asyncio.timeout(REQUEST_TIMEOUT_MS / 1000), connection.admin() as admin:
            await admin.delete_records(more)
    return {TopicPartition(Topic(at.topic), at.partition): max(first[at], upto[at]) for at in upto}


def _upto(at: TopicPartition, offsets: Collection[int], positions: Positions) -> int:
    """The first offset that is left. The hub writes the topics of rejections itself, so nothing waits there."""
    last = max(offsets) + 1
    return last if at.topic.startswith(REJECTED_PREFIX) else min(last, positions.get(at, 0))
