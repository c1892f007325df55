"""The embedded event log: one SQLite file that several processes share, durable before it acknowledges.

A topic has one partition. Each process writes in one thread, whose transactions gather whatever waits (one fsync for
many appends); each consumer reads in a thread of its own. SQLite's write-ahead log lets them all work side by side.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

from hub.log.embedded_consumer import EmbeddedConsumer
from hub.log.embedded_file import OFFSET_BITS, TABLES, connect, encode_headers, fsync_folder, hub_error, run_in_thread
from hub.log.port import INTAKE_PREFIX, Complaint, Positions, Record, StoredPositions, Topic, TopicPartition
from hub.model.errors import Broken, HubError, NotFound

T = TypeVar("T")

GROUP_RECORDS = 10_000
GROUP_BYTES = 16 << 20
"""One transaction gathers waiting appends up to these sizes, so that the first of them is not kept waiting for long."""
TRIM_STEP = 1_000
"""Records that one transaction of ``trim`` deletes: a few milliseconds, after which appends have their turn."""
FREE_BYTES = 16 << 20
"""Less free space than this and the log is not ready: an append that fits may be the last."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UNDATED_MS = 0
"""The time of records that came while the clock was in doubt."""


class EmbeddedLog:
    """An ``EventLog`` in the SQLite file ``path``. Made with ``open``; belongs to the event loop that opened it."""

    def __init__(self, path: Path, in_doubt: Callable[[], bool] = lambda: False) -> None:
        self._path = path
        self._in_doubt = in_doubt
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="log-writer")
        self._waiting: deque[_Append] = deque()
        self._wakes: set[threading.Event] = set()
        self._db: sqlite3.Connection = None  # type: ignore[assignment] # opened, used and closed by the thread alone

    @classmethod
    async def open(cls, path: Path, *, in_doubt: Callable[[], bool] = lambda: False) -> EmbeddedLog:
        """The log in ``path``, made if it is not there. Raises TryAgain, or Broken when the file is damaged.

        While the clock is ``in_doubt``, records are kept without a time of arrival; ``put_back`` gives them one.
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
        self._thread.submit(self._write_group)  # finds nothing to do where an earlier one took this append along
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

    async def put_back(self, now: datetime, *, later_than: datetime) -> int:
        """See ``EventLog.put_back``. Later records of the topic are dated by the clock again."""
        now_ms, later_ms = ((each - EPOCH) // timedelta(milliseconds=1) for each in (now, later_than))
        return await self._in_thread(partial(self._put_back, now_ms, later_ms))

    async def ready(self) -> bool:
        """See ``EventLog.ready``: the write lock can be had, and there is free space."""
        try:
            return await self._in_thread(self._could_write)
        except HubError:
            return False

    async def complaints(self) -> Sequence[Complaint]:
        """See ``EventLog.complaints``. There is no server."""
        return ()

    async def close(self) -> None:
        """See ``EventLog.close``. What waits is written first."""
        await self._in_thread(self._db.close)
        self._thread.shutdown(wait=False)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await run_in_thread(self._loop, self._thread, work)

    # All below runs in the writer's thread.

    def _prepare(self) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # What centres sent in confidence is nobody else's to read; SQLite gives its side files the same mode.
        os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
        self._db = connect(self._path)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute(
            "PRAGMA synchronous=FULL"
        )  # in WAL mode: fsync at each commit, so an append survives a power cut
        self._db.execute("PRAGMA wal_autocheckpoint=4000")
        self._db.execute(f"PRAGMA journal_size_limit={64 << 20}")
        with self._transaction():
            for table in TABLES:
                self._db.execute(table)
        fsync_folder(self._path.parent)  # the file's name must survive a power cut too

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")  # the lock at once: a later upgrade would fail beside another writer
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
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
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
        # One append too big for the disk must not take the small ones with it.
        return [outcome for append in group for outcome in self._commit([append])]

    def _store(self, append: _Append) -> Positions | HubError:
        row = self._db.execute("SELECT id, head, last_ms FROM topic WHERE name = ?", (append.topic,)).fetchone()
        if row is None:
            return NotFound("log.no-topic", f"There is no topic {append.topic}.", "Add the centre first.")
        number, head, last_ms = row
        # a clock set back must not make times fall
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
            old = [row_id for row_id, ms in rows if ms < before_ms]  # a prefix, since times never fall
            if old:
                self._db.execute("DELETE FROM record WHERE id BETWEEN ? AND ?", (old[0], old[-1]))
            return len(old)

    def _put_back(self, now_ms: int, later_ms: int) -> int:
        with self._transaction():
            count = 0
            for number, last_ms in self._db.execute("SELECT id, last_ms FROM topic").fetchall():
                first = number << OFFSET_BITS
                # undated records are the last of their topic, as others follow only when these were given a time
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
    """The appends of the next transaction, those whose caller has gone left out."""
    records = size = 0
    while waiting and records < GROUP_RECORDS and size < GROUP_BYTES:
        append = waiting.popleft()
        if append.done.cancelled():
            continue
        records += len(append.records)
        size += append.size
        yield append


def _settle(group: Sequence[_Append], outcomes: Sequence[Positions | HubError]) -> None:
    """Tell every append how it ended; runs in the event loop."""
    lost = Broken("log.broken", "The event log's writer failed.", "See the log of the hub for the reason.")
    for index, append in enumerate(group):
        outcome = outcomes[index] if index < len(outcomes) else lost
        if append.done.done():
            continue
        if isinstance(outcome, HubError):
            append.done.set_exception(outcome)
        else:
            append.done.set_result(outcome)
