"""The consumer of the embedded event log. It reads each topic in order, and topics in equal shares."""

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

from hub.log.embedded_file import OFFSET_BITS, connect, decode_headers, run_in_thread
from hub.log.gap import gap
from hub.log.port import INTAKE_PREFIX, Batch, StoredPositions, StoredRecord, Topic, TopicPartition
from hub.log.shares import in_turn, share_out, size_of

T = TypeVar("T")

POLL_S = 0.005
"""The interval, in seconds, in which a waiting consumer checks for appends of other processes."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class _Wish:
    """The parameters of one ``take``. ``over`` tells the thread that the caller no longer waits."""

    limit: int
    limit_bytes: int
    until: float
    over: bool = False


@dataclass(slots=True)
class _Waiting:
    """The available records of one topic, from ``position`` up to ``head``."""

    partition: TopicPartition
    first_id: int
    position: int
    head: int
    rows: Callable[[int, int, int], sqlite3.Cursor]

    @property
    def more(self) -> bool:
        return self.position < self.head

    def read(self, limit: int, limit_bytes: int) -> tuple[list[StoredRecord], int]:
        """See ``shares.Waiting``. Raises Broken when a record is missing."""
        topic, partition = self.partition
        records: list[StoredRecord] = []
        size, time_ms, when = 0, -1, EPOCH
        rows = self.rows(self.first_id + self.position, self.first_id + self.head, limit)
        for offset, (row_id, ms, key, value, headers) in enumerate(rows, self.position):
            if row_id != self.first_id + offset:
                break
            if ms != time_ms:  # the records of one append have the same time
                time_ms, when = ms, EPOCH + timedelta(milliseconds=ms)
            pairs = decode_headers(headers) if headers else ()
            records.append(StoredRecord(topic, partition, offset, when, key, value, pairs))
            size += size_of(key, value, pairs)
            if size >= limit_bytes:
                break
        rows.close()  # an open cursor would block the checkpoint of the write-ahead log
        if not records:
            raise gap(self.partition, self.position)
        self.position += len(records)
        return records, size


class EmbeddedConsumer:
    """A ``Consumer`` with its own connection and thread. Only one ``take`` may run at a time."""

    def __init__(self, path: Path, stored: StoredPositions, wake: threading.Event, leave: Callable[[], None]) -> None:
        self._path = path
        self._stored = stored
        self._wake = wake
        self._leave = leave
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="log-reader")
        self._db: sqlite3.Connection | None = None  # used in the thread only
        self._positions: dict[TopicPartition, int] = {}
        self._served_last: TopicPartition | None = None

    async def take(self, *, limit: int, limit_bytes: int, wait_s: float) -> Batch:
        """See ``Consumer.take``. Topics get equal shares of a batch, so that one long backlog does not delay others."""
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
        # Only here, without an await: a cancelled ``take`` does not move the position.
        self._positions.update(found.end)
        if found.records:
            self._served_last = TopicPartition(found.records[-1].topic, found.records[-1].partition)
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
        return await run_in_thread(self._loop, self._thread, work)

    async def _seek(self, new: Collection[_Waiting]) -> None:
        if not new:
            return
        stored = await self._stored([waiting.partition for waiting in new])
        for waiting in new:
            self._positions[waiting.partition] = stored.get(waiting.partition, waiting.position)

    # All methods below run in the reader's thread.

    @property
    def _connection(self) -> sqlite3.Connection:
        if self._db is None:
            self._db = connect(self._path)
        return self._db

    def _close(self) -> None:
        if self._db is not None:
            self._db.close()

    def _look(self, positions: Mapping[TopicPartition, int], wish: _Wish) -> Batch | list[_Waiting]:
        """Waits for records from ``positions`` on, or for topics that have no position yet; returns either."""
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
        """Waits for a commit; returns False when the time of ``wish`` is over first."""
        while not wish.over and (left := wish.until - time.monotonic()) > 0:
            if self._wake.wait(min(POLL_S, left)) or self._data_version() != version:
                return not wish.over
        return False

    def _data_version(self) -> int:
        """Returns a number that changes with each commit of another connection, of any process. Takes microseconds."""
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        return int(version)

    def _heads(self) -> list[_Waiting]:
        """Returns every intake topic, with the offset of its first record as position."""
        rows = self._connection.execute(
            "SELECT id, name, head, (SELECT min(record.id) FROM record WHERE record.id >= topic.id << 40 "
            "AND record.id < (topic.id + 1) << 40) FROM topic WHERE name GLOB ? ORDER BY name",
            (INTAKE_PREFIX + "*",),
        ).fetchall()
        waiting = []
        for number, name, head, oldest in rows:
            first_id = number << OFFSET_BITS
            position = head if oldest is None else oldest - first_id
            waiting.append(_Waiting(TopicPartition(Topic(name), 0), first_id, position, head, self._rows))
        return waiting

    def _read(self, heads: Sequence[_Waiting], wish: _Wish) -> Batch:
        for at in heads:
            if at.position > at.head:
                raise gap(at.partition, at.position)
        waiting = in_turn((at for at in heads if at.more), self._served_last)
        start = {at.partition: at.position for at in waiting}
        records = share_out(waiting, limit=wish.limit, limit_bytes=wish.limit_bytes)
        end = {at.partition: at.position for at in waiting if at.position > start[at.partition]}
        return Batch(tuple(records), {partition: start[partition] for partition in end}, end)

    def _rows(self, first_id: int, end_id: int, limit: int) -> sqlite3.Cursor:
        return self._connection.execute(
            "SELECT id, ms, key, value, headers FROM record WHERE id >= ? AND id < ? ORDER BY id LIMIT ?",
            (first_id, end_id, limit),
        )
