"""How long a worker keeps others waiting, on PostgreSQL: the share of a batch's time under the locks that all need.

    python -m tests.bench.locks [--objects 20000] [--batch 1000] [--json]

A batch's time runs from its records to its commit. Under locks on its own things others wait only where they have the
same ones; under those on the collections' logs everybody waits. One worker first,
then two processes side by side, each with the centres of its own, which report the same things half of the time: what
they waited for locks in all. Exits with 1 when a lone worker spends a fifth or more of a batch under the locks that all
need.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import statistics
import sys
import time
from collections.abc import AsyncIterator, Collection, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from hub.log.port import INTAKE_PREFIX, Batch, StoredRecord, Topic, TopicPartition
from hub.model.claims import ClaimKey
from hub.model.errors import TryAgain
from hub.model.policy import Policy, Source
from hub.model.policy_changes import GroupAdded
from hub.model.principals import Principal, PrincipalKind
from hub.model.reads import Answers, Reads
from hub.model.times import from_us
from hub.model.tokens import TokenDigest
from hub.model.words import SourceName, StixId
from hub.model.writes import Head, Writes
from hub.store.locks import Locks
from hub.store.postgres import PostgresStore, open_postgres
from hub.store.transaction import SqlTransaction
from hub.worker import Worker, WorkerSettings
from tests.servers.session import servers
from tests.synthetic import indicators

MOST = 0.20
CENTRES = 4
START_US = 1_767_225_600_000_000


@dataclass(slots=True)
class Spent:
    """Seconds that the batches of one worker took, and for what."""

    total: float = 0.0
    waiting: float = 0.0
    """For locks, granted in the end."""
    own: float = 0.0
    """Under locks on its own things or more."""
    all: float = 0.0
    """Under locks that everybody needs."""
    again: int = 0
    """Batches that had to be repeated."""
    batches: int = 0

    def share(self, seconds: float) -> float:
        """A part of the batches' time."""
        return seconds / self.total


@dataclass(slots=True)
class Watch:
    """The moments of the batch in hand."""

    own_s: float | None = None
    all_s: float | None = None
    waited: float = 0.0

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Clock a wait."""
        began = time.perf_counter()
        yield
        self.waited += time.perf_counter() - began


class WatchedLocks:
    """Locks that note when they were granted."""

    def __init__(self, locks: Locks, watch: Watch) -> None:
        self._locks = locks
        self._watch = watch

    async def share(self) -> None:
        """See ``Locks``."""
        with self._watch.waiting():
            await self._locks.share()

    async def alone(self) -> None:
        """See ``Locks``."""
        with self._watch.waiting():
            await self._locks.alone()

    async def before(self, reads: Reads, policy: Policy) -> None:
        """See ``Locks``."""
        with self._watch.waiting():
            await self._locks.before(reads, policy)
        self._watch.own_s = self._watch.own_s or time.perf_counter()

    def note(self, answers: Answers, policy: Policy) -> None:
        """See ``Locks``."""
        self._locks.note(answers, policy)

    async def confirm(self, writes: Writes) -> None:
        """See ``Locks``."""
        with self._watch.waiting():
            await self._locks.confirm(writes)

    async def found(self, keys: Iterable[ClaimKey]) -> bool:
        """See ``Locks``."""
        with self._watch.waiting():
            return await self._locks.found(keys)


class WatchedTransaction(SqlTransaction):
    """A transaction that notes when it has the logs."""

    async def heads(self, logs: Collection[int]) -> dict[int, Head]:
        """See ``SqlTransaction``."""
        watch: Watch = self._store.lock_watch  # type: ignore[attr-defined]  # only a watched store makes these
        with watch.waiting():
            heads = await super().heads(logs)
        watch.all_s = watch.all_s or time.perf_counter()
        return heads


class WatchedStore(PostgresStore):
    """The store as it is, with a clock on its locks."""

    lock_watch = Watch()

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[SqlTransaction]:
        """See ``SqlStore``."""
        async with self.begin() as conn:
            yield WatchedTransaction(self, conn)

    def locks(self, conn: AsyncConnection) -> Any:
        """See ``SqlStore``."""
        return WatchedLocks(super().locks(conn), self.lock_watch)


async def opened(url: str) -> WatchedStore:
    """The store in a database, watched."""
    plain = await open_postgres(url, now_us=START_US)
    return WatchedStore(plain.engine, plain.address, plain.room)


async def register(store: PostgresStore) -> None:
    """Make the centres."""
    async with store.registry.change() as directory:
        for no in range(CENTRES):
            centre = Source(0, SourceName(f"c{no}"), StixId(f"identity--{no:08x}-0000-4000-8000-000000000000"), "RO")
            principal = Principal(0, centre.name, PrincipalKind.CENTRE, centre.identity)
            await directory.add_principal(principal, TokenDigest(0, b"%d" % no, "", 0), centre)
        await directory.record(GroupAdded("g", {}), START_US)


def batches(objects: int, size: int, centres: Collection[int]) -> Iterator[Batch]:
    """What these centres push, in batches that they share equally."""
    lines, _ = indicators(objects, centres=CENTRES)
    offsets = dict.fromkeys(centres, 0)
    part = size // len(centres)
    while any(offsets[no] < len(lines[no]) for no in centres):
        records: list[StoredRecord] = []
        start, end = {}, {}
        for no in centres:
            at = TopicPartition(Topic(f"{INTAKE_PREFIX}c{no}"), 0)
            some = lines[no][offsets[no] : offsets[no] + part]
            records += [
                StoredRecord(at.topic, 0, offsets[no] + i, from_us(START_US), None, line) for i, line in enumerate(some)
            ]
            start[at], end[at] = offsets[no], offsets[no] + len(some)
            offsets[no] += len(some)
        yield Batch(tuple(records), start, end)


async def work(store: WatchedStore, todo: Iterable[Batch]) -> Spent:
    """Carry batches, one after the other."""
    now_us = [START_US]
    worker = Worker(None, store, WorkerSettings(), lambda: now_us[0])  # type: ignore[arg-type]  # it takes none itself
    spent = Spent()
    for batch in todo:
        now_us[0] += 1_000_000
        while True:
            watch = store.lock_watch = Watch()
            began = time.perf_counter()
            try:
                await worker.process(batch)
                break
            except TryAgain:
                spent.again += 1
        ended = time.perf_counter()
        own_s, all_s = watch.own_s or ended, watch.all_s or ended
        spent.batches += 1
        spent.total += ended - began - watch.waited
        spent.waiting += watch.waited
        spent.own += ended - own_s
        spent.all += ended - all_s
    return spent


async def alone(url: str, objects: int, size: int) -> Spent:
    """What one worker spends that carries everything."""
    store = await opened(url)
    await register(store)
    spent = await work(store, batches(objects, size, range(CENTRES)))
    await store.close()
    return spent


def one_of_two(pipe: Connection, url: str, objects: int, size: int, centres: Collection[int]) -> None:
    """The body of a worker's process."""

    async def run() -> Spent:
        store = await opened(url)
        todo = list(batches(objects, size, centres))
        pipe.send("ready")
        pipe.recv()
        spent = await work(store, todo)
        await store.close()
        return spent

    pipe.send(asyncio.run(run()))


def side_by_side(url: str, objects: int, size: int) -> tuple[list[Spent], float]:
    """Two workers at once; what each spent, and the time until both had done."""
    asyncio.run(_register(url))
    pipes = []
    for centres in ([0, 1], [2, 3]):
        ours, theirs = multiprocessing.Pipe()
        multiprocessing.Process(target=one_of_two, args=(theirs, url, objects, size, centres), daemon=True).start()
        pipes.append(ours)
    for pipe in pipes:
        pipe.recv()
    began = time.perf_counter()
    for pipe in pipes:
        pipe.send("go")
    spent = [pipe.recv() for pipe in pipes]
    return spent, time.perf_counter() - began


async def _register(url: str) -> None:
    store = await opened(url)
    await register(store)
    await store.close()


def main() -> int:
    """Measure, print, and say whether it is good enough."""
    said = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    said.add_argument("--objects", type=int, default=20_000)
    said.add_argument("--batch", type=int, default=WorkerSettings().batch_records)
    said.add_argument("--json", action="store_true")
    options = said.parse_args()
    with servers() as started:
        postgres = started.postgres
        one = asyncio.run(alone(postgres.create_database("alone"), options.objects, options.batch))
        two, took = side_by_side(postgres.create_database("two"), options.objects, options.batch)
    found = {
        "objects": options.objects,
        "batch": options.batch,
        "one_worker_objects_per_s": round(options.objects / one.total),
        "under_locks_that_all_need": round(one.share(one.all), 3),
        "under_locks_of_its_own": round(one.share(one.own), 3),
        "two_workers_objects_per_s": round(options.objects / took),
        "two_waited_for_locks": round(statistics.mean(w.waiting / (w.total + w.waiting) for w in two), 3),
        "two_repeated": sum(w.again for w in two),
    }
    if options.json:
        print(json.dumps(found))
    else:
        for name, value in found.items():
            print(f"{name.replace('_', ' '):30} {value}")
    return 0 if one.share(one.all) < MOST else 1


if __name__ == "__main__":
    sys.exit(main())
