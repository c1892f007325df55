"""Reading the embedded event log: in order within a topic, in equal shares between topics."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

from hub.log.embedded_file import OFFSET_BITS, connect, decode_headers, run
from hub.log.port import INTAKE_PREFIX, Batch, StoredPositions, StoredRecord, Topic, TopicPartition
from hub.model.errors import Broken

T = TypeVar("T")

POLL_S = 0.005
"""How often a waiting consumer looks for appends of other processes; those of its own process wake it."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class _Wish:
    """What one ``take`` asked for; ``over`` tells the thread that nobody waits for it any more."""

    limit: int
    limit_bytes: int
    until: float
    over: bool = False


@dataclass(slots=True)
class _Waiting:
    """Records of one topic that are there to be taken: from ``position`` up to ``head``."""

    partition: TopicPartition
    first_id: int
    position: int
    head: int


class EmbeddedConsumer:
    """A ``Consumer`` with a connection and a thread of its own. One ``take`` at a time."""

    def __init__(self, path: Path, stored: StoredPositions, wake: threading.Event, leave: Callable[[], None]) -> None:
        self._path = path
        self._stored = stored
        self._wake = wake
        self._leave = leave
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="log-reader")
        self._db: sqlite3.Connection | None = None  # opened, used and closed by the thread alone
        self._positions: dict[TopicPartition, int] = {}
        self._served_last = ""

    async def take(self, *, limit: int, limit_bytes: int, wait_s: float) -> Batch:
        """See ``Consumer.take``. Topics share a batch equally, so that a long backlog keeps nobody waiting."""
        wish = _Wish(limit, limit_bytes, time.monotonic() + wait_s)
        try:
            while True:
                found = await self._in_thread(partial(self._look, dict(self._positions), wish))
                if isinstance(found, Batch):
                    break
                await self._seek(found)
        except asyncio.CancelledError:
            wish.over = True
            self._wake.set()
            raise
        # Only here and without an await: a take that was cancelled has taken nothing.
        self._positions.update(found.end)
        if found.records:
            self._served_last = found.records[-1].topic
        return found

    async def rewind(self) -> None:
        """See ``Consumer.rewind``."""
        self._positions.clear()

    async def lag(self) -> Mapping[TopicPartition, int]:
        """See ``Consumer.lag``."""
        heads = await self._in_thread(self._heads)
        await self._seek([waiting for waiting in heads if waiting.partition not in self._positions])
        return {at.partition: max(at.head - self._positions[at.partition], 0) for at in heads}

    async def close(self) -> None:
        """See ``Consumer.close``."""
        self._leave()
        await self._in_thread(self._close)
        self._thread.shutdown(wait=False)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await run(self._loop, self._thread, work)

    async def _seek(self, new: Collection[_Waiting]) -> None:
        if not new:
            return
        stored = await self._stored([waiting.partition for waiting in new])
        for waiting in new:
            self._positions[waiting.partition] = stored.get(waiting.partition, waiting.position)

    # All below runs in the reader's thread.

    @property
    def _connection(self) -> sqlite3.Connection:
        if self._db is None:
            self._db = connect(self._path)
        return self._db

    def _close(self) -> None:
        if self._db is not None:
            self._db.close()

    def _look(self, positions: Mapping[TopicPartition, int], wish: _Wish) -> Batch | list[_Waiting]:
        """Records from ``positions`` on, or the topics that have no position yet; waits for either."""
        while True:
            self._wake.clear()
            version = self._data_version()
            heads = self._heads()
            new = [waiting for waiting in heads if waiting.partition not in positions]
            if new:
                return new
            for waiting in heads:
                waiting.position = positions[waiting.partition]
            batch = self._read(heads, wish)
            if batch.records or not self._wait_for_change(version, wish):
                return batch

    def _wait_for_change(self, version: int, wish: _Wish) -> bool:
        """Whether anybody wrote to the file before the wish ran out of time."""
        while not wish.over and (left := wish.until - time.monotonic()) > 0:
            if self._wake.wait(min(POLL_S, left)) or self._data_version() != version:
                return not wish.over
        return False

    def _data_version(self) -> int:
        """A number that changes when another connection, of this process or any, has committed. Costs microseconds."""
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        return int(version)

    def _heads(self) -> list[_Waiting]:
        """Every intake topic, with the offset of its first record as position."""
        rows = self._connection.execute(
            "SELECT id, name, head, (SELECT min(record.id) FROM record WHERE record.id >= topic.id << 40 "
            "AND record.id < (topic.id + 1) << 40) FROM topic WHERE name GLOB ? ORDER BY name",
            (INTAKE_PREFIX + "*",),
        ).fetchall()
        return [
            _Waiting(
                TopicPartition(Topic(name), 0), first := number << OFFSET_BITS, (oldest or first + head) - first, head
            )
            for number, name, head, oldest in rows
        ]

    def _read(self, heads: Sequence[_Waiting], wish: _Wish) -> Batch:
        """One batch in equal shares, beginning behind the topic that was served last."""
        for at in heads:
            if at.position > at.head:
                raise _gap(at)
        waiting = [at for at in heads if at.position < at.head]
        waiting.sort(key=lambda at: (at.partition.topic <= self._served_last, at.partition.topic))
        records: list[StoredRecord] = []
        left_bytes = wish.limit_bytes
        start: dict[TopicPartition, int] = {}
        end: dict[TopicPartition, int] = {}
        while waiting and len(records) < wish.limit and (left_bytes > 0 or not records):
            share = max((wish.limit - len(records)) // len(waiting), 1)
            share_bytes = left_bytes // len(waiting)
            for at in tuple(waiting):
                if len(records) >= wish.limit or (left_bytes <= 0 and records):
                    break
                start.setdefault(at.partition, at.position)
                left_bytes -= self._read_slice(at, share, share_bytes, records)
                end[at.partition] = at.position
                if at.position == at.head:
                    waiting.remove(at)
        return Batch(tuple(records), start, end)

    def _read_slice(self, at: _Waiting, share: int, share_bytes: int, into: list[StoredRecord]) -> int:
        """Move up to ``share`` records of about ``share_bytes``, one at least; returns the bytes."""
        topic, partition = at.partition
        taken_bytes, time_ms, when = 0, -1, EPOCH
        bounds = (at.first_id + at.position, at.first_id + at.head, share)
        rows = self._connection.execute(
            "SELECT id, ms, key, value, headers FROM record WHERE id >= ? AND id < ? ORDER BY id LIMIT ?", bounds
        )
        expected = at.first_id + at.position
        for row_id, ms, key, value, headers in rows:
            if row_id != expected:
                break
            expected += 1
            if ms != time_ms:  # the records of one append share their time
                time_ms, when = ms, EPOCH + timedelta(milliseconds=ms)
            pairs = decode_headers(headers) if headers else ()
            into.append(StoredRecord(topic, partition, row_id - at.first_id, when, key, value, pairs))
            taken_bytes += len(key or b"") + len(value or b"") + len(headers or b"")
            if taken_bytes >= share_bytes:
                break
        rows.close()  # an open cursor would hold back the checkpoint of the write-ahead log
        if expected == at.first_id + at.position:
            raise _gap(at)
        at.position = expected - at.first_id
        return taken_bytes


def _gap(at: _Waiting) -> Broken:
    """The store's position and the log do not belong together; going on would drop records in silence."""
    return Broken(
        "log.gap",
        f"The store goes on at {at.partition.topic} {at.position}, which the event log does not hold.",
        "Restore the event log and the store from the same backup.",
    )
