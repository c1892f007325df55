"""The consumer of the intake topics, one worker of a group. Each partition is read by one worker at a time.

Kafka's committed offsets are not used. A worker continues at the position in the store, and the store's transaction
refuses a batch of a worker that has lost its partition without noticing.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.client import CoordinationType
from aiokafka.errors import (
    IllegalStateError,
    InvalidSessionTimeoutError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)

from hub.log.gap import gap
from hub.log.kafka_batches import replace_codecs
from hub.log.kafka_connection import (
    ANSWER_WITHIN_S,
    REQUEST_TIMEOUT_MS,
    KafkaConnection,
    ensure_coordinator,
    stop_consumer,
    told_plainly,
)
from hub.log.kafka_needs import SESSION_TIMEOUT_MS, brokers_of, session_within
from hub.log.port import Batch, StoredPositions, StoredRecord, Topic, TopicPartition
from hub.log.shares import in_turn, share_out, size_of

OTHER_SESSIONS_MS = (10_000, 30_000, 60_000, 300_000, 1_800_000, 3_000, 1_000)
"""Session times to try, in this order, if the brokers refuse the default and their settings cannot be read."""
SESSION_WAY_OUT = f"Let the brokers allow {SESSION_TIMEOUT_MS} ms; until then a dead worker's share waits for longer."
HEARTBEATS = 12
"""Heartbeats per session. A consumer notices a rebalance with a heartbeat, so they affect how fast that is."""
LONGEST_HEARTBEAT_MS = 1_000
REBALANCE_TIMEOUT_MS = 5_000
METADATA_AGE_MS = 1_000
"""How often to check for new topics."""
SETTLE_WITHIN_S = 2.0
"""How long a rebalance waits for the current batch to be written."""
JOIN_WITHIN_S = 40.0
"""A rebalance waits until all members have joined or the sessions of dead ones have ended."""
LEAST_WAIT_S = 0.05
FETCH_BYTES = 16 << 20
PARTITION_BYTES = 256 << 10
"""The compressed size of prefetched data: per answer of a broker, and per partition. A worker that takes nothing holds
at most two such pieces of a partition. They are small, so that a piece is decoded in milliseconds."""
PIECE_RECORDS = 10_000
"""How many records of a piece are decoded at most: decoded tiny records take far more memory than encoded ones."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CREATE_TIME = 0
LOG_APPEND_TIME = "message.timestamp.type=LogAppendTime"

_log = structlog.get_logger()

replace_codecs()


class KafkaConsumer:
    """A ``Consumer`` in a group. Only one ``take`` may run at a time; ``lag`` may be called meanwhile."""

    def __init__(self, connection: KafkaConnection, stored: StoredPositions, *, group: str, prefix: str) -> None:
        self._connection = connection
        self._stored = stored
        self._group = group
        self._pattern = f"^{re.escape(prefix)}"
        self._kafka: AIOKafkaConsumer | None = None
        self._session_ms = SESSION_TIMEOUT_MS
        self._starting = asyncio.Lock()
        self._seeking = asyncio.Lock()
        self._share = _Share(self._revoked, self._assigned)
        self._unseeked: frozenset[TopicPartition] = frozenset()
        """Partitions of this consumer whose stored position has not been read yet."""
        self._positions: dict[TopicPartition, int] = {}
        self._fetched: dict[TopicPartition, deque[Any]] = {}
        self._of_senders: set[str] = set()
        """Topics whose records have the times of the senders' clocks; the hub needs the log's times."""
        self._served_last: TopicPartition | None = None
        self._settled = asyncio.Event()
        """Set when no batch is in progress: the last one was written or abandoned."""
        self._settled.set()

    async def take(self, *, limit: int, limit_bytes: int, wait_s: float) -> Batch:
        """See ``Consumer.take``. Topics get equal shares of a batch, so that one long backlog does not delay others."""
        self._settled.set()
        until = asyncio.get_running_loop().time() + wait_s
        with told_plainly():
            kafka = await self._joined()
            if not await self._fetch(kafka, until):
                await _check_that_it_answers(kafka)
        # No await from here on: a cancelled ``take`` does not move the position.
        batch = self._next_batch(limit, limit_bytes)
        self._positions.update(batch.end)
        if batch.records:
            self._settled.clear()
            self._served_last = TopicPartition(batch.records[-1].topic, batch.records[-1].partition)
        return batch

    async def rewind(self) -> None:
        """See ``Consumer.rewind``."""
        self._positions.clear()
        self._fetched.clear()
        self._unseeked = self._share.partitions
        self._settled.set()

    async def lag(self) -> Mapping[TopicPartition, int]:
        """See ``Consumer.lag``."""
        with told_plainly():
            async with asyncio.timeout(ANSWER_WITHIN_S):
                kafka = await self._joined()
                await self._share.known.wait()
                await self._seek(kafka)
                mine = list(kafka.assignment())
                ends = await kafka.end_offsets(mine)
                next_offsets = {at: await kafka.position(at) for at in mine}
        ahead = {at: len(self._fetched.get(_ours(at), ())) for at in mine}
        return {_ours(at): max(ends[at] - next_offsets[at], 0) + ahead[at] for at in mine}

    async def close(self) -> None:
        """See ``Consumer.close``."""
        self._settled.set()
        await self._leave()

    async def _joined(self) -> AIOKafkaConsumer:
        async with self._starting:
            if self._kafka is None:
                try:
                    self._kafka = await self._join(self._session_ms)
                except InvalidSessionTimeoutError:
                    self._kafka = await self._join_otherwise()
            return self._kafka

    async def _join_otherwise(self) -> AIOKafkaConsumer:
        """Join with a session time that these brokers allow. Logged once, as it changes how soon others take over."""
        for session_ms in await self._other_sessions_ms():
            with suppress(InvalidSessionTimeoutError):
                kafka = await self._join(session_ms)
                if session_ms != self._session_ms:
                    _log.warning("log.session", session_ms=session_ms, way_out=SESSION_WAY_OUT)
                self._session_ms = session_ms
                return kafka
        raise InvalidSessionTimeoutError

    async def _other_sessions_ms(self) -> Sequence[int]:
        allowed_ms = None
        with suppress(KafkaError, TimeoutError, OSError):
            allowed_ms = session_within(await brokers_of(self._connection))
        return OTHER_SESSIONS_MS if allowed_ms is None else (allowed_ms,)

    async def _join(self, session_ms: int) -> AIOKafkaConsumer:
        kafka = AIOKafkaConsumer(
            **self._connection.options(),
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="none",  # a gap is an error, never skipped silently
            isolation_level="read_committed",
            session_timeout_ms=session_ms,
            heartbeat_interval_ms=min(session_ms // HEARTBEATS, LONGEST_HEARTBEAT_MS),
            rebalance_timeout_ms=REBALANCE_TIMEOUT_MS,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
            metadata_max_age_ms=METADATA_AGE_MS,
            fetch_max_bytes=FETCH_BYTES,
            max_partition_fetch_bytes=PARTITION_BYTES,
        )
        kafka.subscribe(pattern=self._pattern, listener=self._share)
        try:
            await self._start(kafka)
        except BaseException:
            await stop_consumer(kafka)
            raise
        return kafka

    async def _start(self, kafka: AIOKafkaConsumer) -> None:
        try:
            async with asyncio.timeout(JOIN_WITHIN_S):
                await kafka.start()
        except TimeoutError:
            await ensure_coordinator(kafka._client, CoordinationType.GROUP, self._group)
            raise

    async def _leave(self) -> None:
        async with self._starting:
            kafka, self._kafka = self._kafka, None
            self._share.known.clear()
            self._fetched.clear()
            if kafka is not None:
                await stop_consumer(kafka)

    async def _fetch(self, kafka: AIOKafkaConsumer, until: float) -> bool:
        """Waits for fetched records; returns False when there are none by ``until``."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                async with asyncio.timeout_at(max(until, loop.time() + LEAST_WAIT_S)):
                    await self._share.known.wait()
                    await self._seek(kafka)
                    await self._fill(kafka, until)
            except TimeoutError:
                return False
            except (NoOffsetForPartitionError, IllegalStateError):
                continue  # there was a rebalance: seek the new partitions
            except OffsetOutOfRangeError as error:
                ((at, position),) = error.args[0].items()
                raise gap(_ours(at), position) from error
            except KafkaError:
                await self._leave()  # the client's state is unknown: the next ``take`` starts a new client
                raise
            if any(self._fetched.values()):
                return True
            if loop.time() >= until:
                return False

    async def _seek(self, kafka: AIOKafkaConsumer) -> None:
        """Continue at the stored position in every partition that is new to this consumer."""
        async with self._seeking:
            while new := self._unseeked:
                stored = await self._stored(new)
                unnamed = [at for at in new if at not in stored and at not in self._positions]
                first = await kafka.beginning_offsets([KafkaPartition(*at) for at in unnamed]) if unnamed else {}
                for at in new:
                    # A partition that was kept in a rebalance continues after the current batch, which may not
                    # be stored yet. If another consumer had it meanwhile, the stored position is greater.
                    known = (stored.get(at), self._positions.get(at), first.get(KafkaPartition(*at)))
                    position = max(offset for offset in known if offset is not None)
                    kafka.seek(KafkaPartition(*at), position)
                    self._positions[at] = position
                if self._unseeked is new:
                    self._unseeked = frozenset()

    async def _fill(self, kafka: AIOKafkaConsumer, until: float) -> None:
        """Move prefetched records to ``_fetched``; waits for the first record.

        It takes whole pieces: while the client holds a part of one, it fetches no other partition of that broker.
        """
        await asyncio.sleep(0)  # nothing below waits if records are available, so let the client fetch others
        for at in kafka.assignment():
            if not self._fetched.get(_ours(at)):
                self._keep(await kafka.getmany(at, timeout_ms=0, max_records=PIECE_RECORDS))
        if not any(self._fetched.values()):
            left_s = max(until - asyncio.get_running_loop().time(), 0)
            self._keep(await kafka.getmany(timeout_ms=int(left_s * 1000), max_records=PIECE_RECORDS))

    def _keep(self, fetched: Mapping[KafkaPartition, Sequence[Any]]) -> None:
        for at, records in fetched.items():
            if _ours(at) in self._positions:
                self._note_times(at.topic, records)
                self._fetched.setdefault(_ours(at), deque()).extend(records)

    def _note_times(self, topic: str, records: Sequence[Any]) -> None:
        if records and records[0].timestamp_type == CREATE_TIME and topic not in self._of_senders:
            self._of_senders.add(topic)
            _log.warning("log.times_of_senders", topic=topic, way_out=f"Set {LOG_APPEND_TIME} on the topic.")

    def _next_batch(self, limit: int, limit_bytes: int) -> Batch:
        fetched = (_Fetched(at, self._positions[at], queue) for at, queue in self._fetched.items() if queue)
        waiting = in_turn(fetched, self._served_last)
        start = {at.partition: at.position for at in waiting}
        records = share_out(waiting, limit=limit, limit_bytes=limit_bytes)
        end = {at.partition: at.position for at in waiting if at.position > start[at.partition]}
        return Batch(tuple(records), {partition: start[partition] for partition in end}, end)

    async def _revoked(self) -> None:
        """Called before a rebalance: wait for the current batch, so that another consumer continues after it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_WITHIN_S):
                await self._settled.wait()
        self._fetched.clear()

    def _assigned(self, mine: frozenset[TopicPartition]) -> None:
        self._positions = {at: position for at, position in self._positions.items() if at in mine}
        self._fetched.clear()
        self._unseeked = mine


class _Share(ConsumerRebalanceListener):  # type: ignore[misc] # the library has no types
    """The partitions that the group has assigned to this consumer."""

    def __init__(
        self, revoked: Callable[[], Awaitable[None]], assigned: Callable[[frozenset[TopicPartition]], None]
    ) -> None:
        self.partitions: frozenset[TopicPartition] = frozenset()
        self.known = asyncio.Event()
        self._revoked = revoked
        self._assigned = assigned

    async def on_partitions_revoked(self, revoked: Collection[KafkaPartition]) -> None:  # noqa: ARG002
        """The library calls this with all partitions: a rebalance revokes all of them first."""
        self.known.clear()
        await self._revoked()

    async def on_partitions_assigned(self, assigned: Collection[KafkaPartition]) -> None:
        """Only records new partitions. The library would ignore an error here, so ``take`` reads the store."""
        self.partitions = frozenset(_ours(at) for at in assigned)
        self._assigned(self.partitions)
        self.known.set()


@dataclass(slots=True)
class _Fetched:
    """Fetched records of one partition."""

    partition: TopicPartition
    position: int
    queue: deque[Any]

    @property
    def more(self) -> bool:
        return bool(self.queue)

    def read(self, limit: int, limit_bytes: int) -> tuple[list[StoredRecord], int]:
        """See ``shares.Waiting``."""
        topic, partition = self.partition
        records: list[StoredRecord] = []
        size, time_ms, when = 0, -1, EPOCH
        while self.queue and len(records) < limit and (size < limit_bytes or not records):
            raw = self.queue.popleft()
            if raw.timestamp != time_ms:  # the records of one batch have the same time
                time_ms, when = raw.timestamp, EPOCH + timedelta(milliseconds=raw.timestamp)
            # Another client's header may be null.
            headers = tuple((name, said or b"") for name, said in raw.headers) if raw.headers else ()
            records.append(StoredRecord(topic, partition, raw.offset, when, raw.key, raw.value, headers))
            size += size_of(raw.key, raw.value, headers)
        self.position = records[-1].offset + 1
        return records, size


def _ours(at: KafkaPartition) -> TopicPartition:
    return TopicPartition(Topic(at.topic), at.partition)


async def _check_that_it_answers(kafka: AIOKafkaConsumer) -> None:
    """Raises if Kafka does not answer. The client does not distinguish this from an empty topic."""
    async with asyncio.timeout(ANSWER_WITHIN_S):
        await kafka.topics()
