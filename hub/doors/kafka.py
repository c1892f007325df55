"""The relay: writes each row of each change log as one record to its topic, exactly once for read_committed consumers.

A transaction has rows of one log and the new position in that log, so both are committed or neither. A relay that
starts with the same transactional id first completes or aborts the transaction of its predecessor, and fences it.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.admin import NewTopic
from aiokafka.client import CoordinationType
from aiokafka.errors import (
    KafkaError,
    MessageSizeTooLargeError,
    ProducerFenced,
    TopicAlreadyExistsError,
    for_code,
)

from hub.doors.kafka_back import GROUP, read_back
from hub.doors.kafka_batch import RELAY_BATCH_BYTES, Sizes, TopicBatch
from hub.doors.kafka_tail import CHECK_ROWS, RelayedRow, TailComparison, TailRecord, compare_tail, last_seq, relayed_row
from hub.doors.metrics import RELAY_FENCES, RELAY_LAG, RELAYED, note_delivered
from hub.log.kafka_batches import replace_codecs
from hub.log.kafka_connection import (
    KafkaConnection,
    ensure_coordinator,
    few_replicas,
    hub_error,
    stop_producer,
)
from hub.log.kafka_needs import REFRESH_S, TRANSACTION_TIMEOUT_MS
from hub.log.kafka_topics import COLLECTION_PREFIX, REJECTED_PREFIX, settings_of
from hub.model.errors import Broken, HubError, TryAgain
from hub.model.words import Seq
from hub.store.port import LogEnd, LogReader

TRANSACTIONAL_ID = "_ctihub.relay.{shard}"

PAGE_ROWS = 1_000
PAGE_BYTES = 4 << 20
"""The size of a transaction. A commit costs a few round trips, so large ones are faster; but other logs wait."""
TRANSACTION_S = TRANSACTION_TIMEOUT_MS / 1000
START_WITHIN_S = 30.0
STOP_WITHIN_S = 1.0
CHECK_WITHIN_S = 60.0
IDLE_S = 1.0
"""How often to check the logs without a notification."""
RECHECK_S = 30.0
"""After how long a log is tried again whose topic is missing or differs."""
BACKOFF_S = (0.1, 0.5, 2.0, 5.0)
FENCED_BACKOFF_S = (5.0, 15.0, 60.0)
"""Waiting times of a relay that was fenced, so that two relays do not keep fencing each other."""

replace_codecs()

_log = structlog.get_logger()


async def relay_of(bootstrap: str, credentials: Mapping[str, str | None], logs: LogReader, **more: Any) -> Relay:
    """Returns a relay to these brokers. ``credentials`` are for ``KafkaConnection.of``, ``more`` for ``Relay``."""
    return Relay(await KafkaConnection.of(bootstrap, **credentials), logs, **more)


@dataclass(slots=True)
class _Aside:
    """A log that cannot be relayed now, and when to try again."""

    says: str
    until_s: float


class Relay:
    """Copies change logs to topics of the same names. With several ``shards``, each has the logs of some numbers."""

    def __init__(
        self,
        kafka: KafkaConnection,
        logs: LogReader,
        *,
        shard: int = 0,
        shards: int = 1,
        replication: int | None = None,
    ) -> None:
        self._kafka = kafka
        self._logs = logs
        self._shard = shard
        self._shards = shards
        self._replication = replication
        self.woken = asyncio.Event()
        """Set by each commit of the store."""
        self._places: dict[int, Seq] = {}
        """The last row of each log in its topic, as known to the current producer."""
        self._aside: dict[int, _Aside] = {}
        self._sizes = Sizes()
        self._refused: set[int] = set()
        """Logs whose last record the broker has refused."""
        self._refreshed_s = -REFRESH_S
        self._moved = False
        """Whether this producer has made progress."""

    @property
    def problems(self) -> Sequence[str]:
        """Returns which logs are not relayed, and why, for readiness and for ``ctihub doctor``."""
        return [aside.says for aside in self._aside.values()]

    async def run(self, stop: asyncio.Event) -> None:
        """Relay until ``stop`` is set; waits while the store or the broker is not available."""
        async with asyncio.TaskGroup() as tasks:
            helpers = [tasks.create_task(self._listen()), tasks.create_task(self._ring_at(stop))]
            failed = 0
            while not stop.is_set():
                try:
                    await self._session(stop)
                except ProducerFenced:
                    _log.error("relay.fenced", way_out="Run one relay only.")
                    pauses_s: tuple[float, ...] = FENCED_BACKOFF_S
                except (HubError, KafkaError, TimeoutError, OSError) as error:
                    told = error if isinstance(error, HubError) else hub_error(error)
                    _log.warning("relay.again", code=told.code, says=told.says, way_out=told.way_out)
                    pauses_s = BACKOFF_S
                else:
                    break
                RELAY_FENCES.inc()
                failed = 0 if self._moved else failed + 1
                await _pause(stop, pauses_s, failed)
            for helper in helpers:
                helper.cancel()

    async def _listen(self) -> None:
        while True:
            with contextlib.suppress(TryAgain):
                async with contextlib.aclosing(self._logs.watch()) as commits:
                    async for _ in commits:
                        self.woken.set()
            await asyncio.sleep(IDLE_S)

    async def _ring_at(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self.woken.set()

    # ------------------------------------------------------------ producer

    async def _session(self, stop: asyncio.Event) -> None:
        """Relay with one producer until it fails. Its state is then unknown, so the next session uses another one."""
        self._moved = False
        self._places.clear()
        async with self._producing() as producer:
            _log.info("relay.started", shard=self._shard)
            while not stop.is_set():
                self.woken.clear()
                if not await self._round(producer, stop):
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(IDLE_S):
                            await self.woken.wait()

    @contextlib.asynccontextmanager
    async def _producing(self) -> AsyncIterator[AIOKafkaProducer]:
        """Gives a producer that has fenced its predecessor and ended the predecessor's transaction."""
        producer = AIOKafkaProducer(
            **self._kafka.options(),
            transactional_id=TRANSACTIONAL_ID.format(shard=self._shard),
            transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
            acks="all",
            compression_type="gzip",  # which every client library supports
            max_batch_size=RELAY_BATCH_BYTES,
        )
        try:
            await self._start(producer)
            yield producer
        finally:
            await stop_producer(producer, within_s=STOP_WITHIN_S)

    async def _start(self, producer: AIOKafkaProducer) -> None:
        try:
            async with asyncio.timeout(START_WITHIN_S):
                await producer.start()
        except TimeoutError:
            transaction = TRANSACTIONAL_ID.format(shard=self._shard)
            await ensure_coordinator(producer.client, CoordinationType.TRANSACTION, transaction)
            raise

    async def _round(self, producer: AIOKafkaProducer, stop: asyncio.Event) -> bool:
        """Runs one transaction for each log that has new rows; returns whether there was any."""
        ends = {no: end for no, end in (await self._logs.ends()).items() if self._is_mine(no, end)}
        await self._look_at_new(ends)
        RELAY_LAG.set(sum(end.seq - self._places.get(no, 0) for no, end in ends.items()))
        grown = self._grown(ends)
        for no in grown:
            if stop.is_set():
                break
            if not ends[no].alert:
                await self._carry_new_alerts(producer, ends)
            await self._carry_page(producer, no, ends[no])
        if self._now_s() >= self._refreshed_s + REFRESH_S:
            await self._refresh(producer, ends)
        return bool(grown)

    def _grown(self, ends: Mapping[int, LogEnd]) -> list[int]:
        """The logs with new rows, in the order in which they are relayed: alert lanes first. A failure ends this
        producer, so logs that the broker has refused are last.
        """
        grown = [no for no, end in ends.items() if no in self._places and end.seq > self._places[no]]
        return sorted(grown, key=lambda no: (no in self._refused, not ends[no].alert))

    async def _carry_new_alerts(self, producer: AIOKafkaProducer, ends: Mapping[int, LogEnd]) -> None:
        """Relay what has come to alert lanes since the round began, so that it does not wait for the other logs."""
        if not self.woken.is_set() or not any(end.alert for end in ends.values()):
            return
        self.woken.clear()
        now = {no: end for no, end in (await self._logs.ends()).items() if no in ends and end.alert}
        for no in self._grown(now):
            if no not in self._refused:
                await self._carry_page(producer, no, now[no])

    def _is_mine(self, no: int, end: LogEnd) -> bool:
        return no % self._shards == self._shard and end.name.startswith((COLLECTION_PREFIX, REJECTED_PREFIX))

    def _now_s(self) -> float:
        return asyncio.get_running_loop().time()

    # ------------------------------------------------------------ a transaction

    async def _carry_page(self, producer: AIOKafkaProducer, no: int, end: LogEnd) -> None:
        topic, after = end.name, self._places[no]
        page = await self._logs.page(no, after, limit=PAGE_ROWS, limit_bytes=PAGE_BYTES)
        if page.has_gap(after) and page.has_gap(max(after, (await self._logs.ends())[no].pruned)):
            raise Broken("store.gap", f"The log {topic} has a gap after {after}.", "Restore the store from a backup.")
        last = page.rows[-1].seq
        try:
            async with _transaction(producer):
                batches = self._sizes.batches(producer, no, page)
                sent = [await producer.send_batch(batch.builder, topic, partition=0) for batch in batches]
                self._heed_refusals(batches, topic, await asyncio.gather(*sent, return_exceptions=True))
                await producer.send_offsets_to_transaction({KafkaPartition(topic, 0): last}, GROUP)
        except TimeoutError:
            raise await few_replicas(producer.client, topic) or TimeoutError from None
        except KafkaError as error:
            told = hub_error(error)
            if told.code in _FOR_THE_OPERATOR:
                self._refused.add(no)
                self._set_aside(no, topic, told.says, _FOR_THE_OPERATOR[told.code])
            raise
        self._places[no] = last
        self._refused.discard(no)
        self._moved = True
        RELAYED.inc(len(page.rows))
        if topic.startswith(COLLECTION_PREFIX):
            await self._note_delivered(no, after, last, is_alert=end.alert)

    async def _note_delivered(self, no: int, after: Seq, last: Seq, *, is_alert: bool) -> None:
        with contextlib.suppress(TryAgain):  # a figure less is no reason to give up this producer
            causes = (await self._logs.causes(no, after, last)).values()
            note_delivered("kafka", (one.received_us for one in causes if one.received_us), is_alert=is_alert)

    def _heed_refusals(self, batches: Sequence[TopicBatch], topic: str, outcomes: Sequence[Any]) -> None:
        """Raises the first refusal, since the transaction would otherwise be committed without that batch."""
        for batch, outcome in zip(batches, outcomes, strict=True):
            if isinstance(outcome, MessageSizeTooLargeError):
                self._sizes.refused(batch, topic)
                self._moved = True  # retry with a smaller batch at once
            if isinstance(outcome, BaseException):
                raise outcome

    async def _refresh(self, producer: AIOKafkaProducer, ends: Mapping[int, LogEnd]) -> None:
        """Commit all positions again, so that Kafka does not delete those of logs without changes."""
        said = {KafkaPartition(ends[no].name, 0): seq for no, seq in self._places.items() if seq and no in ends}
        if said:
            async with _transaction(producer):
                await producer.send_offsets_to_transaction(said, GROUP)
        self._refreshed_s = self._now_s()

    # ------------------------------------------------------------ positions

    async def _look_at_new(self, ends: Mapping[int, LogEnd]) -> None:
        """Determine the last relayed row of logs that are new to this producer."""
        for no in self._places.keys() - ends.keys():
            del self._places[no]  # its collection was removed
            self._sizes.forget(no)
        for no in [no for no, aside in self._aside.items() if no not in ends or aside.until_s <= self._now_s()]:
            del self._aside[no]
        new = {no: end for no, end in ends.items() if no not in self._places and no not in self._aside}
        if not new:
            return
        async with asyncio.timeout(CHECK_WITHIN_S), self._reading() as reader:
            there = await self._make_topics(reader, new)
            positions, tails = await read_back(reader, [end.name for end in there.values()])
        for no, end in there.items():
            at = KafkaPartition(end.name, 0)
            self._heed(no, end, await self._judge(no, end, positions[at], tails[at]))
        self._refreshed_s = -REFRESH_S  # commit positions that Kafka has deleted at once

    def _reading(self) -> contextlib.AbstractAsyncContextManager[AIOKafkaConsumer]:
        """A read_committed consumer for records and positions. It joins no group: topics are assigned explicitly."""
        return self._kafka.reader(
            group_id=GROUP, enable_auto_commit=False, isolation_level="read_committed", auto_offset_reset="earliest",
            max_partition_fetch_bytes=RELAY_BATCH_BYTES, fetch_max_bytes=4 * RELAY_BATCH_BYTES,
        )  # fmt: skip

    async def _judge(self, no: int, end: LogEnd, position: int | None, tail: Sequence[TailRecord]) -> TailComparison:
        last = min(last_seq(tail, position), end.seq)
        rows: list[RelayedRow] = []
        after = Seq(max(0, last - CHECK_ROWS))
        while after < last:
            page = await self._logs.page(no, after, limit=min(500, last - after), limit_bytes=PAGE_BYTES)
            rows.extend(relayed_row(row, body) for row, body in page.with_bodies())
            after = page.rows[-1].seq
        return compare_tail(tail, position, rows, head=end.seq, compacted=end.name.startswith(COLLECTION_PREFIX))

    def _heed(self, no: int, end: LogEnd, comparison: TailComparison) -> None:
        if comparison.differs:
            self._set_aside(no, end.name, f"the topic has {comparison.differs}", _REFILL)
            return
        if comparison.noted:
            _log.error("relay.tail_is_wrong", collection=end.name, says=comparison.noted, way_out=_REFILL)
        self._places[no] = comparison.place

    def _set_aside(self, no: int, topic: str, says: str, way_out: str) -> None:
        self._aside[no] = _Aside(f"{topic} is not relayed: {says.rstrip('.')}", self._now_s() + RECHECK_S)
        self._places.pop(no, None)
        _log.error("relay.set_aside", collection=topic, says=says, way_out=way_out)

    async def _make_topics(self, reader: AIOKafkaConsumer, ends: Mapping[int, LogEnd]) -> dict[int, LogEnd]:
        """Returns the logs that have a topic; creates missing topics if this is allowed."""
        known = await reader.topics()
        for no, end in ends.items():
            if end.name not in known:
                try:
                    await self._make_topic(end.name)
                except KafkaError as error:
                    self._set_aside(no, end.name, hub_error(error).says, _FOR_THE_OPERATOR["log.no-topic"])
        return {no: end for no, end in ends.items() if no not in self._aside}

    async def _make_topic(self, topic: str) -> None:
        async with self._kafka.admin() as admin:
            replication = self._replication or min(len((await admin.describe_cluster())["brokers"]), 3)
            new = NewTopic(topic, 1, replication, topic_configs=dict(settings_of(topic, replication)))
            for _, code, *_ in (await admin.create_topics([new])).topic_errors:
                if code and for_code(code) is not TopicAlreadyExistsError:
                    raise for_code(code)()


@contextlib.asynccontextmanager
async def _transaction(producer: AIOKafkaProducer) -> AsyncIterator[None]:
    """A transaction, committed at the end of the block. After a failure it stays open: the producer is discarded, and
    the next one ends it. An abort would wait for a broker that may not be available.
    """
    async with asyncio.timeout(TRANSACTION_S):
        await producer.begin_transaction()
        yield
        await producer.commit_transaction()


_FOR_THE_OPERATOR = {
    "log.not-allowed": "Run ctihub doctor --fix.",
    "log.no-topic": "Run ctihub doctor --fix.",
}
"""Errors of one topic that an operator must resolve, and how."""
_REFILL = "Delete the topic; ctihub doctor --fix creates it again, and the relay fills it."


async def _pause(stop: asyncio.Event, pauses_s: Sequence[float], failed: int) -> None:
    pause_s = pauses_s[min(failed, len(pauses_s) - 1)] * random.uniform(0.5, 1.0)  # noqa: S311 - nothing secret
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(pause_s):
            await stop.wait()
