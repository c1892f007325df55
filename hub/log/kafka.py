"""The event log on Kafka: an idempotent producer with acks=all, and one consumer group of workers.

Waiting appends to one topic are sent together, the batches of a partition one after another, so that the order is kept.
The producer sends a batch without an answer again under the same sequence number: it is stored before later appends,
and only once. A batch that is too large for the topic is split into smaller ones; for a single record that is too
large, ``append`` raises RecordsTooLarge.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.admin import NewTopic, RecordsToDelete
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from hub.log import kafka_erasing
from hub.log.kafka_append import Append, AppendBatch, deliver, filled, first_of
from hub.log.kafka_connection import REQUEST_TIMEOUT_MS, KafkaConnection, few_replicas, stop_producer, told_plainly
from hub.log.kafka_consumer import KafkaConsumer
from hub.log.kafka_needs import GROUPS_TOPIC, Brokers, brokers_of, judged
from hub.log.kafka_topics import settings_of
from hub.log.port import (
    INTAKE_PREFIX,
    Complaint,
    Positions,
    Record,
    RecordsTooLarge,
    SaysRecord,
    StoredPositions,
    StoredRecord,
    Topic,
    TopicPartition,
)
from hub.model.errors import HubError, NotFound, TryAgain

GROUP = "_ctihub.workers"
"""No principal's name begins with an underscore, so no grant on ``NAME.`` groups covers this group."""
BATCH_BYTES = 1 << 20
"""The size of a batch of one partition, before compression. A batch is stored completely or not at all."""
GROUP_BYTES = 8 << 20
"""The largest group of waiting appends to one topic, in bytes."""
ANSWER_WITHIN_S = 5.0
UNREAD = Complaint(
    "No worker reads the intake topics: what centres publish waits.",
    "Start one (ctihub serve --role worker); the log of one that runs says why it does not read.",
    stops=True,
)


class KafkaLog:
    """An ``EventLog`` on the operator's Kafka. Create it with ``open`` and use it in that event loop only."""

    def __init__(
        self,
        connection: KafkaConnection,
        *,
        partitions: int = 1,
        replication: int | None = None,
        group: str = GROUP,
        prefix: str = INTAKE_PREFIX,
        compression: str = "zstd",
        append_within_s: float = 5.0,
    ) -> None:
        self._connection = connection
        self._partitions = partitions
        self._replication = replication
        self._group = group
        self._prefix = prefix
        self._compression = compression
        self.append_within_s = append_within_s
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()
        self._asking = asyncio.Lock()
        """Serialises requests that open a connection each."""
        self._waiting: defaultdict[Topic, deque[Append]] = defaultdict(deque)
        self._sending: defaultdict[Topic, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._batch_bytes: defaultdict[Topic, int] = defaultdict(lambda: BATCH_BYTES)
        """The largest batch per topic, before compression; reduced when the topic refuses one."""

    @classmethod
    async def open(
        cls,
        bootstrap: str,
        *,
        security_protocol: str | None = None,
        username: str | None = None,
        password: str | None = None,
        ca_file: str | None = None,
        **options: Any,
    ) -> KafkaLog:
        """Returns the log on these brokers. It connects when first used, so that a hub may start before its Kafka.

        ``options``: ``partitions`` [1] and ``replication`` [number of brokers, three at most] of new topics,
        ``compression`` [zstd; lz4, gzip, none], ``append_within_s`` [5], ``group``, ``prefix``.
        """
        connection = await KafkaConnection.of(
            bootstrap, security_protocol=security_protocol, username=username, password=password, ca_file=ca_file
        )
        return cls(connection, **options)

    async def create(self, topic: Topic) -> None:
        """See ``EventLog.create``."""
        with told_plainly():
            async with asyncio.timeout(ANSWER_WITHIN_S), self._connection.admin() as admin:
                replication = self._replication or min(len((await admin.describe_cluster())["brokers"]), 3)
                new = NewTopic(
                    topic, self._partitions, replication, topic_configs=dict(settings_of(topic, replication))
                )
                for _, code, *_ in (await admin.create_topics([new])).topic_errors:
                    if code and for_code(code) is not TopicAlreadyExistsError:
                        raise for_code(code)()

    async def append(self, topic: Topic, records: Sequence[Record]) -> Positions:
        """See ``EventLog.append``. The key selects the partition; records of one append without keys share one."""
        if not records:
            return {}
        append = Append(records)
        self._waiting[topic].append(append)
        try:
            async with asyncio.timeout(self.append_within_s), self._sending[topic]:
                if not append.settled:
                    await self._send_waiting(topic)
        except TimeoutError:
            raise await self._unacknowledged(topic) from None
        finally:
            append.gone = True
        if append.error is not None:
            raise append.error
        if append.refused:
            raise RecordsTooLarge(sorted(append.refused), append.positions(topic))
        return append.positions(topic)

    def consumer(self, stored: StoredPositions) -> KafkaConsumer:
        """See ``EventLog.consumer``. The partitions are distributed among all consumers."""
        return KafkaConsumer(self._connection, stored, group=self._group, prefix=self._prefix)

    async def ends(self) -> Positions:
        """See ``EventLog.ends``."""
        with told_plainly():
            async with asyncio.timeout(ANSWER_WITHIN_S), self._asking, self._connection.reader() as reader:
                cluster = await (await self._started()).client.fetch_all_metadata()
                topics = [topic for topic in cluster.topics() if topic.startswith(self._prefix)]
                partitions = [
                    KafkaPartition(topic, no) for topic in topics for no in cluster.partitions_for_topic(topic)
                ]
                ends = await reader.end_offsets(partitions) if partitions else {}
        return {TopicPartition(Topic(at.topic), at.partition): end for at, end in ends.items()}

    async def put_back(self, now: datetime, *, later_than: datetime) -> int:  # noqa: ARG002 - the brokers' clocks date
        """See ``EventLog.put_back``."""
        return 0

    async def trim(self, positions: Positions, *, older_than: datetime) -> int:
        """See ``EventLog.trim``."""
        wanted = {KafkaPartition(*at): position for at, position in positions.items()}
        if not wanted:
            return 0
        with told_plainly():
            async with asyncio.timeout(REQUEST_TIMEOUT_MS / 1000), self._connection.reader() as reader:
                first = await reader.beginning_offsets(list(wanted))
                moment_ms = int(older_than.timestamp() * 1000)
                young = await reader.offsets_for_times(dict.fromkeys(wanted, moment_ms))
                ends = await reader.end_offsets(list(wanted))
            upto = {
                at: min(position, ends[at], young[at].offset if young[at] else ends[at])
                for at, position in wanted.items()
            }
            old = {at: RecordsToDelete(offset) for at, offset in upto.items() if offset > first[at]}
            if old:
                async with asyncio.timeout(REQUEST_TIMEOUT_MS / 1000), self._connection.admin() as admin:
                    await admin.delete_records(old)
        return sum(upto[at] - first[at] for at in old)

    async def find(self, says: SaysRecord) -> Sequence[StoredRecord]:
        """See ``EventLog.find``."""
        with told_plainly():
            return await kafka_erasing.find(self._connection, self._prefix, says)

    async def erase(
        self, records: Collection[tuple[TopicPartition, int]], positions: Positions
    ) -> Collection[tuple[TopicPartition, int]]:
        """See ``EventLog.erase``. Deletes the beginning of each partition."""
        offsets: defaultdict[TopicPartition, list[int]] = defaultdict(list)
        for at, offset in records:
            offsets[at].append(offset)
        with told_plainly():
            left = await kafka_erasing.erase(self._connection, offsets, positions)
        return [(at, offset) for at, offset in records if offset < left[at]]

    async def clean(self) -> None:
        """See ``EventLog.clean``. The brokers delete the files of deleted records."""

    async def ready(self) -> bool:
        """See ``EventLog.ready``: a broker answers, and every intake topic has a leader."""
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                cluster = await (await self._started()).client.fetch_all_metadata()
        except (KafkaError, TimeoutError, OSError):
            return False
        topics = [topic for topic in cluster.topics() if topic.startswith(self._prefix)]
        return all(
            cluster.available_partitions_for_topic(topic) == cluster.partitions_for_topic(topic) for topic in topics
        )

    async def complaints(self) -> Sequence[Complaint]:
        """See ``EventLog.complaints``. Brokers' settings are checked only if the hub's user may read them."""
        with told_plainly():
            async with self._asking:
                brokers = await brokers_of(self._connection)
                reading = await self._is_read(brokers)
        return [*judged(brokers), *([] if reading else [UNREAD])]

    async def _is_read(self, brokers: Brokers) -> bool:
        """Returns whether any worker reads; True where this cannot be determined."""
        if GROUPS_TOPIC not in brokers.topics:
            return False
        with suppress(KafkaError, TimeoutError, OSError):
            async with asyncio.timeout(ANSWER_WITHIN_S), self._connection.admin() as admin:
                (answer,) = await admin.describe_consumer_groups([self._group])
                return any(code or members for code, _, _, _, _, members, *_ in answer.groups)
        return True

    async def close(self) -> None:
        """See ``EventLog.close``."""
        async with self._starting:
            producer, self._producer = self._producer, None
        if producer is not None:
            await stop_producer(producer)

    async def _send_waiting(self, topic: Topic) -> None:
        """Send all waiting appends to ``topic``, of this and other callers, and set their results."""
        group = list(first_of(self._waiting[topic], GROUP_BYTES))
        outcome: HubError | None = _in_doubt()
        try:
            with told_plainly():
                await self._send(topic, group)
            outcome = None
        except HubError as error:
            outcome = error
        finally:
            for append in group:
                append.settled, append.error = True, outcome

    async def _unacknowledged(self, topic: Topic) -> TryAgain:
        missing = await few_replicas(self._producer.client, topic) if self._producer is not None else None
        return missing or _in_doubt()

    async def _send(self, topic: Topic, group: Sequence[Append]) -> None:
        left = [(append, index) for append in group for index in range(len(append.records))]
        while left:
            producer = await self._started()
            partitions = await _partitions_of(producer, topic)
            batches = filled(producer, topic, partitions, left, self._batch_bytes[topic])
            try:
                too_large = await deliver(batches)
            except KafkaError:
                # The failed batch has used its sequence number, so Kafka would refuse later ones: use a new producer.
                await self._discard(producer)
                raise
            for batch in too_large:
                self._note_too_large(topic, batch)
            if too_large:
                await self._discard(producer)
            left = [item for part in batches for batch in part if not batch.settled for item in batch.items]

    def _note_too_large(self, topic: Topic, batch: AppendBatch) -> None:
        if len(batch.items) > 1:
            self._batch_bytes[topic] = min(self._batch_bytes[topic], batch.size_bytes // 2)
            return
        ((append, index),) = batch.items
        append.refused.append(index)
        batch.settled = True

    async def _started(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    **self._connection.options(),
                    enable_idempotence=True,
                    acks="all",
                    compression_type=None if self._compression == "none" else self._compression,
                    max_batch_size=BATCH_BYTES,
                    request_timeout_ms=REQUEST_TIMEOUT_MS,
                )
                try:
                    await producer.start()
                except BaseException:
                    await stop_producer(producer)
                    raise
                self._producer = producer
            return self._producer

    async def _discard(self, producer: AIOKafkaProducer) -> None:
        async with self._starting:
            if self._producer is producer:
                self._producer = None
                await stop_producer(producer)


def _in_doubt() -> TryAgain:
    return TryAgain("log.away", "Kafka did not acknowledge in time.", retry_after_s=2)


async def _partitions_of(producer: AIOKafkaProducer, topic: Topic) -> list[int]:
    """Returns the partitions of a topic. Raises NotFound at once, whereas the producer would wait for the topic."""
    known = producer.client.cluster.partitions_for_topic(topic)
    for pause_s in (0.0, 0.05, 0.2):  # not every broker may know a new topic yet
        if known is not None:
            break
        await asyncio.sleep(pause_s)
        known = (await producer.client.fetch_all_metadata()).partitions_for_topic(topic)
    if known is None:
        raise NotFound("log.no-topic", f"There is no topic {topic}.", "Add the centre first.")
    return sorted(known)
