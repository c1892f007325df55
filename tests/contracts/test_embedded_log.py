"""The embedded log keeps the port's promises, and a few of its own: other processes, full disks, torn files."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import signal
import sqlite3
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hub.log import embedded_file
from hub.log.embedded import TRIM_STEP, EmbeddedLog
from hub.log.port import EventLog, Record, StoredRecord, Topic, TopicPartition
from hub.model.errors import Broken, TryAgain
from hub.model.record_headers import headers_of, read_headers
from tests.contracts.event_log import EventLogContract, Store, a_record, numbered, take, take_count, take_some, values
from tests.waiting import WITHIN_S, until

RO = Topic("intake.ro")
AT = TopicPartition(RO, 0)


class TestEmbeddedLog(EventLogContract):
    @pytest.fixture(autouse=True)
    def _file(self, tmp_path: Path) -> None:
        self.path = tmp_path / "log" / "events.sqlite"

    async def address(self) -> dict[str, object]:
        return {"path": str(self.path)}

    async def open(self) -> EventLog:
        return await EmbeddedLog.open(self.path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.sqlite"


@pytest.fixture
async def log(path: Path) -> AsyncIterator[EmbeddedLog]:
    log = await EmbeddedLog.open(path)
    await log.create(RO)
    yield log
    await log.close()


@asynccontextmanager
async def an_appender(path: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Another process that appends to ``intake.ro`` as fast as it can, printing the next number each time."""
    words = [sys.executable, "-m", "tests.contracts.appender", json.dumps({"path": str(path)}), RO, "0"]
    child = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE, limit=1 << 24)
    try:
        yield child
    finally:
        if child.returncode is None:
            child.send_signal(signal.SIGKILL)
        await child.communicate()


async def test_an_append_of_another_process_ends_a_take_that_waits(log: EmbeddedLog, path: Path) -> None:
    consumer = log.consumer(Store())
    async with asyncio.timeout(WITHIN_S), asyncio.TaskGroup() as tasks:
        taking = tasks.create_task(take(consumer, wait_s=10 * WITHIN_S))
        async with an_appender(path) as child:
            assert child.stdout is not None
            await child.stdout.readline()
            assert (await taking).records
    await consumer.close()


async def test_an_append_of_the_same_process_does_not_wait_for_the_next_look(
    log: EmbeddedLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.log.embedded_consumer.POLL_S", 10 * WITHIN_S)
    consumer = log.consumer(Store())
    (wake,) = log._wakes
    for number in range(5):
        wake.set()
        async with asyncio.timeout(WITHIN_S), asyncio.TaskGroup() as tasks:
            taking = tasks.create_task(take(consumer, wait_s=10 * WITHIN_S))
            await until(lambda: not wake.is_set())  # it has begun to look
            await log.append(RO, numbered(1, number))
            assert values((await taking).records) == [b"%d" % number]
    await consumer.close()


async def test_two_processes_append_to_one_topic_without_losing_a_record(log: EmbeddedLog, path: Path) -> None:
    mine = 100
    async with asyncio.timeout(WITHIN_S), an_appender(path) as child:
        assert child.stdout is not None
        await child.stdout.readline()
        for _ in range(mine):
            await log.append(RO, [a_record(b"-1")])
        printed = [await child.stdout.readline()]
        child.send_signal(signal.SIGKILL)
        printed += (await child.stdout.read()).splitlines()
    read = [int(value or b"") for value in values(await drained(log))]
    theirs = [number for number in read if number >= 0]
    assert len(read) - len(theirs) == mine
    assert theirs == list(range(len(theirs)))
    assert len(theirs) >= int(printed[-1])


async def drained(log: EmbeddedLog) -> list[StoredRecord]:
    consumer = log.consumer(Store())
    records: list[StoredRecord] = []
    while batch := (await take(consumer, limit=10_000, limit_bytes=1 << 26, wait_s=0)).records:
        records.extend(batch)
    await consumer.close()
    return records


async def test_appends_that_wait_together_share_their_transactions(log: EmbeddedLog, path: Path) -> None:
    """Counted by the commits that another connection sees while 400 tasks append at once."""
    with closing(sqlite3.connect(path)) as other:
        commits, before = 0, other.execute("PRAGMA data_version").fetchone()
        async with asyncio.TaskGroup() as tasks:
            appends = [tasks.create_task(log.append(RO, [a_record()])) for _ in range(400)]
            while not all(append.done() for append in appends):
                await asyncio.sleep(0)
                now = other.execute("PRAGMA data_version").fetchone()
                commits, before = commits + (now != before), now
    assert 1 <= commits < 100


async def test_a_full_disk_is_told_and_passes(log: EmbeddedLog, monkeypatch: pytest.MonkeyPatch) -> None:
    await log._in_thread(lambda: log._db.execute("PRAGMA max_page_count = 40"))
    with pytest.raises(TryAgain) as told:
        await log.append(RO, [a_record(b"x" * 300_000)])
    assert told.value.code == "log.full"
    await log._in_thread(lambda: log._db.execute("PRAGMA max_page_count = 400000"))
    await log.append(RO, [a_record(b"after")])
    assert values(await drained(log)) == [b"after"]


async def test_an_append_too_big_for_the_disk_takes_no_small_one_with_it(log: EmbeddedLog) -> None:
    await log._in_thread(lambda: log._db.execute("PRAGMA max_page_count = 40"))
    sizes = [10, 10, 300_000, 10, 10]
    async with asyncio.TaskGroup() as tasks:
        ends = [tasks.create_task(_outcome(log.append(RO, [a_record(b"x" * size)]))) for size in sizes]
    assert [end.result() for end in ends] == [None, None, TryAgain, None, None]


async def _outcome(appending: object) -> type[BaseException] | None:
    try:
        await appending  # type: ignore[misc]
    except TryAgain as error:
        return type(error)
    return None


async def test_a_locked_file_is_told_and_passes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_file, "BUSY_TIMEOUT_S", 0.05)
    log = await EmbeddedLog.open(path)
    await log.create(RO)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert not await log.ready()
        with pytest.raises(TryAgain) as told:
            await log.append(RO, [a_record()])
        assert told.value.code == "log.busy"
        other.execute("ROLLBACK")
    assert await log.ready()
    await log.append(RO, [a_record(b"after")])
    await log.close()


async def test_a_file_that_is_no_log_is_broken(path: Path) -> None:
    path.write_bytes(b"not a database, but long enough to be looked at" * 100)
    with pytest.raises(Broken) as told:
        await EmbeddedLog.open(path)
    assert told.value.code == "log.damaged"


async def test_a_file_torn_at_any_byte_holds_whole_appends_up_to_there(
    log: EmbeddedLog, path: Path, tmp_path: Path
) -> None:
    """What a power cut leaves: the write-ahead log ends, or turns to noise, at some byte."""
    for number in range(30):
        await log.append(RO, numbered(7, number * 7))
    wal = Path(f"{path}-wal").read_bytes()
    for round_ in range(25):
        torn = tmp_path / f"torn{round_}" / "events.sqlite"
        torn.parent.mkdir()
        shutil.copy(path, torn)
        cut = random.randrange(len(wal) + 1)
        noise = random.randbytes(len(wal) - cut) if round_ % 2 else b""
        Path(f"{torn}-wal").write_bytes(wal[:cut] + noise)
        again = await EmbeddedLog.open(torn)
        await again.create(RO)
        read = values(await drained(again))
        assert len(read) % 7 == 0
        assert read == [b"%d" % number for number in range(len(read))]
        assert await again.append(RO, [a_record(b"goes on")]) == {AT: len(read) + 1}
        await again.close()


async def test_each_commit_reaches_the_disk(log: EmbeddedLog) -> None:
    """A killed process does not show it, only a power cut would: 2 is FULL, an fsync at each commit."""
    assert await log._in_thread(lambda: log._db.execute("PRAGMA synchronous").fetchone()) == (2,)
    assert await log._in_thread(lambda: log._db.execute("PRAGMA journal_mode").fetchone()) == ("wal",)


async def test_a_clock_set_back_does_not_make_times_fall(log: EmbeddedLog, monkeypatch: pytest.MonkeyPatch) -> None:
    await log.append(RO, [a_record()])
    monkeypatch.setattr("hub.log.embedded.time.time_ns", lambda: 1_000_000_000_000_000_000)
    await log.append(RO, [a_record()])
    first, second = await drained(log)
    assert second.time == first.time


async def test_trimming_keeps_no_append_waiting(log: EmbeddedLog, path: Path) -> None:
    """A long history is let go in steps, and after most of them another writer gets its turn without waiting."""
    for _ in range(20):
        await log.append(RO, [a_record(b"x" * 600) for _ in range(TRIM_STEP)])
    left: set[int] = set()
    over = threading.Event()

    def write() -> None:
        """As another process would: SQLite's lock has no queue, whoever waits looks again after a while."""
        with closing(sqlite3.connect(path, timeout=WITHIN_S, isolation_level=None)) as other:
            while not over.is_set():
                (count,) = other.execute("SELECT count(*) FROM record").fetchone()
                if count in left:
                    over.wait(0.001)
                    continue
                other.execute("BEGIN IMMEDIATE")
                left.add(other.execute("SELECT count(*) FROM record").fetchone()[0])
                other.execute("COMMIT")

    async with asyncio.TaskGroup() as tasks:
        writing = tasks.create_task(asyncio.to_thread(write))
        trimmed = await log.trim({AT: 20 * TRIM_STEP}, older_than=datetime.now(UTC) + timedelta(hours=1))
        over.set()
        await writing
    assert trimmed == 20 * TRIM_STEP
    assert len(left - {0, 20 * TRIM_STEP}) >= 8


async def test_the_file_reuses_the_space_of_what_was_let_go(log: EmbeddedLog, path: Path) -> None:
    sizes = []
    for round_ in range(1, 7):
        await log.append(RO, [a_record(b"x" * 2000) for _ in range(TRIM_STEP)])
        await log.trim({AT: round_ * TRIM_STEP}, older_than=datetime.now(UTC) + timedelta(hours=1))
        with closing(sqlite3.connect(path)) as other:
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        sizes.append(path.stat().st_size)
    assert sizes[-1] <= sizes[0] * 1.2


async def test_the_store_is_asked_once_for_each_topic(log: EmbeddedLog) -> None:
    store = Store()
    consumer = log.consumer(store)
    await log.append(RO, numbered(1))
    await take_count(consumer, 1)
    it = Topic("intake.it")
    await log.create(it)
    await until(lambda: _asked(consumer, store, 2))
    assert store.asked == [frozenset({AT}), frozenset({TopicPartition(it, 0)})]
    await consumer.close()


async def _asked(consumer: object, store: Store, times: int) -> bool:
    await take(consumer, wait_s=0)  # type: ignore[arg-type]
    return len(store.asked) >= times


async def test_a_batch_is_shared_out_equally_between_centres(log: EmbeddedLog) -> None:
    names = [Topic(f"intake.{name}") for name in "abc"]
    for name in names:
        await log.create(name)
        await log.append(name, numbered(1000))
    consumer = log.consumer(Store())
    batch = await take_some(consumer, limit=90)
    assert [len(values(batch.records, name)) for name in names] == [30, 30, 30]
    batch = await take_some(consumer, limit=2)
    served = {record.topic for record in batch.records}
    served |= {record.topic for record in (await take_some(consumer, limit=1)).records}
    assert served == set(names)
    await consumer.close()


async def test_the_file_is_for_its_owner_alone(log: EmbeddedLog, path: Path) -> None:
    await log.append(RO, numbered(1))
    modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.glob(f"{path.name}*")}
    assert set(modes.values()) == {0o600}, modes


async def test_an_erased_record_keeps_what_its_receipt_needs_and_leaves_no_byte(tmp_path: Path) -> None:
    log = await EmbeddedLog.open(tmp_path / "log.db")
    try:
        await log.create(RO)
        pushed = Record(b"a-key", b"secret" * 2_000, headers_of("r-1", 3))
        await log.append(RO, [pushed, Record(None, b"other")])
        await log.erase([(AT, 0)], {})
        assert values(await log.find(lambda record: True)) == [b"other"]
        consumer = log.consumer(Store())
        first = (await take_some(consumer)).records[0]
        await consumer.close()
        told = read_headers(first.headers)
        assert (first.key, first.value, told.is_erased, told.receipt, told.index) == (None, None, True, "r-1", 3)
        await log.clean()
        stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        assert b"other" in stored
        assert b"secret" not in stored
        assert b"a-key" not in stored
    finally:
        await log.close()
