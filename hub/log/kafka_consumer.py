"""Reading the intake topics as one worker of a group: every partition is read by one worker at a time.

Kafka's own committed offsets are not used. A worker goes on at what the store says, and the store's transaction
refuses the batch of one that lost its partition without noticing.
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
"""What is tried one after the other where the brokers allow another time only, and do not tell which."""
SESSION_WAY_OUT = f"Let the brokers allow {SESSION_TIMEOUT_MS} ms; until then a dead worker's share waits for longer."
HEARTBEATS = 12
"""In a session. The group's new round is noticed with a heartbeat, so they count for how soon a share is taken over."""
LONGEST_HEARTBEAT_MS = 1_000
REBALANCE_TIMEOUT_MS = 5_000
METADATA_AGE_MS = 1_000
"""How often to look for topics that were made meanwhile."""
SETTLE_WITHIN_S = 2.0
"""How long a partition is kept for the batch in hand to be written, when the group shares out anew."""
JOIN_WITHIN_S = 40.0
"""A group shares out anew when its members have come, or the sessions of those that died are over."""
LEAST_WAIT_S = 0.05
FETCH_BYTES = 16 << 20
PARTITION_BYTES = 256 << 10
"""What is fetched ahead, compressed: in one answer of a broker, and of one partition. A worker that does not take holds
two such pieces of a partition and fetches no more of it. Small, so that a piece is decoded in milliseconds."""
PIECE_RECORDS = 10_000
"""Of a piece with more records than this the rest stays undecoded: tiny ones take far more memory decoded than not."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CREATE_TIME = 0
LOG_APPEND_TIME = "message.timestamp.type=LogAppendTime"

_log = structlog.get_logger()

replace_codecs()


class KafkaConsumer:
    """A ``Consumer`` in a group. One ``take`` at a time; ``lag`` may be asked meanwhile."""

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
        """Partitions of this consumer for which the store was not asked yet."""
        self._positions: dict[TopicPartition, int] = {}
        self._fetched: dict[TopicPartition, deque[Any]] = {}
        self._of_senders: set[str] = set()
        """Topics whose records carry the times of their senders' clocks, where the hub counts on the log's."""
        self._served_last: TopicPartition | None = None
        self._settled = asyncio.Event()
        """Nothing is in hand: the last batch was written, or given up."""
        self._settled.set()

    async def take(self, *, limit: int, limit_bytes: int, wait_s: float) -> Batch:
        """See ``Consumer.take``. Topics share a batch equally, so that a long backlog keeps nobody waiting."""
        self._settled.set()
        until = asyncio.get_running_loop().time() + wait_s
        with told_plainly():
            kafka = await self._joined()
            if not await self._fetch(kafka, until):
                await _check_that_it_answers(kafka)
        # From here on without an await: a take that was cancelled has taken nothing.
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
        """Join with a session time that these brokers allow; told once, since a share is taken over later then."""
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
            auto_offset_reset="none",  # a gap is an error, never skipped in silence
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
        """Have records at hand; False when there are none by ``until``."""
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
                continue  # the group has shared out anew meanwhile: there is something to seek
            except OffsetOutOfRangeError as error:
                ((at, position),) = error.args[0].items()
                raise gap(_ours(at), position) from error
            except KafkaError:
                await self._leave()  # whatever state the client is in now: the next take begins with a new one
                raise
            if any(self._fetched.values()):
                return True
            if loop.time() >= until:
                return False

    async def _seek(self, kafka: AIOKafkaConsumer) -> None:
        """Go on where the store says with every partition that came new to this consumer."""
        async with self._seeking:
            while new := self._unseeked:
                stored = await self._stored(new)
                unnamed = [at for at in new if at not in stored and at not in self._positions]
                first = await kafka.beginning_offsets([KafkaPartition(*at) for at in unnamed]) if unnamed else {}
                for at in new:
                    # A partition that stayed here while the group shared out anew goes on behind the batch in hand,
                    # which the store may not have yet; if somebody else had it meanwhile, the store is ahead.
                    known = (stored.get(at), self._positions.get(at), first.get(KafkaPartition(*at)))
                    position = max(offset for offset in known if offset is not None)
                    kafka.seek(KafkaPartition(*at), position)
                    self._positions[at] = position
                if self._unseeked is new:
                    self._unseeked = frozenset()

    async def _fill(self, kafka: AIOKafkaConsumer, until: float) -> None:
        """Move what was fetched ahead to where it can be shared out; waits for the first record.

        Always whole pieces: while the client holds a part of one it fetches no other partition of that broker.
        """
        await asyncio.sleep(0)  # with records at hand nothing below would wait, and the client could not fetch others
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
        """The group is about to share out anew: let the batch in hand be written before somebody else reads on."""
        with suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_WITHIN_S):
                await self._settled.wait()
        self._fetched.clear()

    def _assigned(self, mine: frozenset[TopicPartition]) -> None:
        self._positions = {at: position for at, position in self._positions.items() if at in mine}
        self._fetched.clear()
        self._unseeked = mine


class _Share(ConsumerRebalanceListener):  # type: ignore[misc] # the library has no types
    """What the group has given to this consumer."""

    def __init__(
        self, revoked: Callable[[], Awaitable[None]], assigned: Callable[[frozenset[TopicPartition]], None]
    ) -> None:
        self.partitions: frozenset[TopicPartition] = frozenset()
        self.known = asyncio.Event()
        self._revoked = revoked
        self._assigned = assigned

    async def on_partitions_revoked(self, revoked: Collection[KafkaPartition]) -> None:  # noqa: ARG002
        """The library calls it with all partitions: a group that shares out anew takes everything back first."""
        self.known.clear()
        await self._revoked()

    async def on_partitions_assigned(self, assigned: Collection[KafkaPartition]) -> None:
        """Only notes what is new: an error here would be swallowed, so the store is asked in ``take``."""
        self.partitions = frozenset(_ours(at) for at in assigned)
        self._assigned(self.partitions)
        self.known.set()


@dataclass(slots=True)
class _Fetched:
    """Records of one partition that are at hand."""

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
            if raw.timestamp != time_ms:  # the records of one batch share their time
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
    """Nothing came: because nothing was there, or because Kafka is away? The client does not say."""
    async with asyncio.timeout(ANSWER_WITHIN_S):
        await kafka.topics()
