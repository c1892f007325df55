"""The embedded event log: one SQLite file that several processes share. Records are durable before ``append`` returns.

A topic has one partition. Each process writes in one thread; a transaction groups all waiting appends, which share one
fsync. Each consumer reads in its own thread. SQLite's write-ahead log allows reading and writing at the same time.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

from hub.log import embedded_erasing
from hub.log.embedded_consumer import EmbeddedConsumer
from hub.log.embedded_file import (
    BUSY_TIMEOUT_S,
    OFFSET_BITS,
    TABLES,
    connect,
    encode_headers,
    fsync_folder,
    hub_error,
    run_in_thread,
)
from hub.log.port import (
    INTAKE_PREFIX,
    Complaint,
    Positions,
    Record,
    SaysRecord,
    StoredPositions,
    StoredRecord,
    Topic,
    TopicPartition,
)
from hub.model.errors import Broken, HubError, NotFound
from hub.sqlite_file import write_anew

T = TypeVar("T")

GROUP_RECORDS = 10_000
GROUP_BYTES = 16 << 20
"""The limits of one transaction of waiting appends, so that the first append does not wait for long."""
TRIM_STEP = 1_000
"""How many records one transaction of ``trim`` deletes: this takes a few milliseconds, then appends can proceed."""
FREE_BYTES = 16 << 20
"""With less free disk space than this the log is not ready."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UNDATED_MS = 0
"""The time of records that were received while the clock was in doubt."""


class EmbeddedLog:
    """An ``EventLog`` in the SQLite file ``path``. Create it with ``open`` and use it in that event loop only."""

    def __init__(self, path: Path, in_doubt: Callable[[], bool] = lambda: False) -> None:
        self._path = path
        self._in_doubt = in_doubt
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="log-writer")
        self._waiting: deque[_Append] = deque()
        self._wakes: set[threading.Event] = set()
        self._db: sqlite3.Connection = None  # type: ignore[assignment] # used in the thread only

    @classmethod
    async def open(cls, path: Path, *, in_doubt: Callable[[], bool] = lambda: False) -> EmbeddedLog:
        """Opens the log in ``path``, or creates it. Raises TryAgain, or Broken when the file is damaged.

        While the clock is ``in_doubt``, records are stored without a time; ``put_back`` sets it later.
        """
        log = cls(path, in_doubt)
        try:
            await log._in_thread(log._prepare)
        except HubError:
            log._thread.shutdown(wait=False)
            raise
        return log

    async def create(self, topic: Topic) -> None:
        """See ``EventLog.create``."""
        await self._in_thread(partial(self._create, topic))
        self._wake_consumers()

    async def append(self, topic: Topic, records: Sequence[Record]) -> Positions:
        """See ``EventLog.append``. Appends that wait at the same time share one transaction and one fsync."""
        if not records:
            return {}
        size = sum(len(record.value or b"") for record in records)
        append = _Append(topic, records, size, self._loop.create_future())
        self._waiting.append(append)
        self._thread.submit(self._write_group)  # does nothing if an earlier call has written this append
        return await append.done

    def consumer(self, stored: StoredPositions) -> EmbeddedConsumer:
        """See ``EventLog.consumer``. Every consumer reads every topic: there is one worker per embedded log."""
        wake = threading.Event()
        self._wakes.add(wake)
        return EmbeddedConsumer(self._path, stored, wake, lambda: self._wakes.discard(wake))

    async def ends(self) -> Positions:
        """See ``EventLog.ends``."""
        return await self._in_thread(self._ends)

    async def trim(self, positions: Positions, *, older_than: datetime) -> int:
        """See ``EventLog.trim``. Deletes in short transactions with pauses; the file reuses the space."""
        before_ms = (older_than - EPOCH) // timedelta(milliseconds=1)
        trimmed = 0
        for (topic, _), position in positions.items():
            while True:
                began = time.monotonic()
                count = await self._in_thread(partial(self._trim_step, topic, position, before_ms))
                trimmed += count
                if count < TRIM_STEP:
                    break
                # SQLite's lock has no queue: without a pause another process's append might never get its turn.
                await asyncio.sleep(time.monotonic() - began)
        return trimmed

    async def find(self, says: SaysRecord) -> Sequence[StoredRecord]:
        """See ``EventLog.find``. It reads in another thread, so that appends do not wait."""
        return await run_in_thread(self._loop, None, partial(embedded_erasing.find, self._path, says))

    async def erase(
        self,
        records: Collection[tuple[TopicPartition, int]],
        positions: Positions,  # noqa: ARG002
    ) -> Collection[tuple[TopicPartition, int]]:
        """See ``EventLog.erase``. Each record keeps its position, and the headers that its receipt needs."""
        await self._in_thread(partial(self._erase, records))
        return records

    async def clean(self) -> None:
        """See ``EventLog.clean``."""
        await run_in_thread(self._loop, None, partial(write_anew, self._path, timeout_s=BUSY_TIMEOUT_S))

    async def put_back(self, now: datetime, *, later_than: datetime) -> int:
        """See ``EventLog.put_back``. Later records of the topic get the time of the clock again."""
        now_ms, later_ms = ((each - EPOCH) // timedelta(milliseconds=1) for each in (now, later_than))
        return await self._in_thread(partial(self._put_back, now_ms, later_ms))

    async def ready(self) -> bool:
        """See ``EventLog.ready``: the write lock is available, and there is free disk space."""
        try:
            return await self._in_thread(self._could_write)
        except HubError:
            return False

    async def complaints(self) -> Sequence[Complaint]:
        """See ``EventLog.complaints``. Returns none, since there is no server."""
        return ()

    async def close(self) -> None:
        """See ``EventLog.close``. Waiting appends are written first."""
        await self._in_thread(self._db.close)
        self._thread.shutdown(wait=False)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await run_in_thread(self._loop, self._thread, work)

    # All methods below run in the writer's thread.

    def _prepare(self) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Only the hub's user may read what centres sent; SQLite gives its other files the same mode.
        os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
        self._db = connect(self._path)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute(
            "PRAGMA synchronous=FULL"
        )  # in WAL mode: fsync at each commit, so an append survives a power cut
        self._db.execute("PRAGMA wal_autocheckpoint=4000")
        self._db.execute("PRAGMA secure_delete=on")  # what is erased must not stay in free parts of pages
        self._db.execute(f"PRAGMA journal_size_limit={64 << 20}")
        with self._transaction():
            for table in TABLES:
                self._db.execute(table)
        fsync_folder(self._path.parent)  # the directory entry must survive a power cut too

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")  # lock now: an upgrade would fail beside a writer
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _create(self, topic: Topic) -> None:
        with self._transaction():
            self._db.execute("INSERT OR IGNORE INTO topic (name) VALUES (?)", (topic,))

    def _write_group(self) -> None:
        group = list(_first_of(self._waiting))
        outcomes: list[Positions | HubError] = []
        try:
            outcomes = self._commit(group)
        finally:
            with suppress(RuntimeError):  # the loop is closed: no caller waits any more
                self._loop.call_soon_threadsafe(_settle, group, outcomes)
        self._wake_consumers()

    def _commit(self, group: Sequence[_Append]) -> list[Positions | HubError]:
        if not group:
            return []
        try:
            with self._transaction():
                return [self._store(append) for append in group]
        except sqlite3.Error as error:
            if len(group) == 1 or error.sqlite_errorcode != sqlite3.SQLITE_FULL:
                return [hub_error(error)] * len(group)
        # One append that does not fit on the disk must not make the others fail.
        return [outcome for append in group for outcome in self._commit([append])]

    def _store(self, append: _Append) -> Positions | HubError:
        row = self._db.execute("SELECT id, head, last_ms FROM topic WHERE name = ?", (append.topic,)).fetchone()
        if row is None:
            return NotFound("log.no-topic", f"There is no topic {append.topic}.", "Add the centre first.")
        number, head, last_ms = row
        # times must not decrease when the clock is set back
        ms = UNDATED_MS if self._in_doubt() else max(time.time_ns() // 1_000_000, last_ms)
        first = number << OFFSET_BITS | head
        rows = [
            (row_id, ms, record.key, record.value, encode_headers(record.headers) if record.headers else None)
            for row_id, record in enumerate(append.records, first)
        ]
        self._db.executemany("INSERT INTO record (id, ms, key, value, headers) VALUES (?, ?, ?, ?, ?)", rows)
        head += len(rows)
        self._db.execute("UPDATE topic SET head = ?, last_ms = ? WHERE id = ?", (head, max(ms, last_ms), number))
        return {TopicPartition(append.topic, 0): head}

    def _ends(self) -> Positions:
        rows = self._db.execute("SELECT name, head FROM topic WHERE name GLOB ?", (INTAKE_PREFIX + "*",))
        return {TopicPartition(Topic(name), 0): head for name, head in rows}

    def _trim_step(self, topic: Topic, position: int, before_ms: int) -> int:
        with self._transaction():
            row = self._db.execute("SELECT id, head FROM topic WHERE name = ?", (topic,)).fetchone()
            if row is None:
                return 0
            first = row[0] << OFFSET_BITS
            bounds = (first, first + min(position, row[1]), TRIM_STEP)
            rows = self._db.execute("SELECT id, ms FROM record WHERE id >= ? AND id < ? ORDER BY id LIMIT ?", bounds)
            old = [row_id for row_id, ms in rows if ms < before_ms]  # a prefix, since times never decrease
            if old:
                self._db.execute("DELETE FROM record WHERE id BETWEEN ? AND ?", (old[0], old[-1]))
            return len(old)

    def _erase(self, records: Collection[tuple[TopicPartition, int]]) -> None:
        with self._transaction():
            for at, offset in records:
                embedded_erasing.erase(self._db, at, offset)
        self._db.execute("PRAGMA wal_checkpoint(truncate)").fetchall()  # does nothing while somebody reads

    def _put_back(self, now_ms: int, later_ms: int) -> int:
        with self._transaction():
            count = 0
            for number, last_ms in self._db.execute("SELECT id, last_ms FROM topic").fetchall():
                first = number << OFFSET_BITS
                # undated records are the last of their topic: later ones are added only after these have got a time
                ahead = last_ms > later_ms
                newest = "SELECT ms FROM record WHERE id >= ? AND id < ? ORDER BY id DESC LIMIT 1"
                last = self._db.execute(newest, (first, first + (1 << OFFSET_BITS))).fetchone()
                if not ahead and (last is None or last[0] != UNDATED_MS):
                    continue
                ms = now_ms if ahead else max(now_ms, last_ms)
                changed = "UPDATE record SET ms = ? WHERE id >= ? AND id < ? AND (ms = ? OR ms > ?)"
                bounds = (ms, first, first + (1 << OFFSET_BITS), UNDATED_MS, ms)
                count += self._db.execute(changed, bounds).rowcount
                self._db.execute("UPDATE topic SET last_ms = ? WHERE id = ?", (ms, number))
        return count

    def _could_write(self) -> bool:
        with self._transaction():
            space = os.statvfs(self._path.parent)
        return space.f_bavail * space.f_frsize >= FREE_BYTES

    def _wake_consumers(self) -> None:
        for wake in tuple(self._wakes):
            wake.set()


@dataclass(slots=True)
class _Append:
    topic: Topic
    records: Sequence[Record]
    size: int
    done: asyncio.Future[Positions]


def _first_of(waiting: deque[_Append]) -> Iterator[_Append]:
    """Removes and yields the appends of the next transaction, except those whose caller has been cancelled."""
    records = size = 0
    while waiting and records < GROUP_RECORDS and size < GROUP_BYTES:
        append = waiting.popleft()
        if append.done.cancelled():
            continue
        records += len(append.records)
        size += append.size
        yield append


def _settle(group: Sequence[_Append], outcomes: Sequence[Positions | HubError]) -> None:
    """Set the result of every append; runs in the event loop."""
    lost = Broken("log.broken", "The event log's writer failed.", "See the log of the hub for the reason.")
    for index, append in enumerate(group):
        outcome = outcomes[index] if index < len(outcomes) else lost
        if append.done.done():
            continue
        if isinstance(outcome, HubError):
            append.done.set_exception(outcome)
        else:
            append.done.set_result(outcome)
