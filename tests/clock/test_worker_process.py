"""What a worker's process does and says while its clock is in doubt, and when it is right again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select, update

from hub import worker_metrics
from hub.app import opened_by_clock
from hub.clock import Clock, wall_clock_us
from hub.config import Config
from hub.core.step import StepSettings
from hub.doors.gauges import Gauges
from hub.forgetting import Eraser
from hub.log.port import EventLog, Record, Topic, TopicPartition
from hub.model.errors import TryAgain
from hub.model.times import DAY_US, from_us
from hub.registry.service import Registry
from hub.role import Role
from hub.running import Running
from hub.store import forgotten_tables as ft
from hub.store import tables as t
from hub.store.sql import SqlStore
from hub.worker import Worker, WorkerSettings
from hub.worker_process import Chores

YEARS_US = 3650 * DAY_US


@dataclass
class Process:
    """A worker's process, all but its loop."""

    store: SqlStore
    log: EventLog
    clock: Clock
    running: Running
    chores: Chores

    async def shift(self, by_us: int) -> None:
        """As if the store had been made by another clock."""
        h = t.hub.c.created_us
        async with self.store.begin() as conn:
            await conn.execute(update(t.hub).values(created_us=h + by_us))
            await conn.execute(update(t.alive).values(at_us=t.alive.c.at_us + by_us))
            await conn.execute(update(t.ticks).values(at_us=t.ticks.c.at_us + by_us))
            await conn.execute(update(t.policy_changes).values(at_us=t.policy_changes.c.at_us + by_us))
            await conn.execute(update(t.tasks).values(due_us=t.tasks.c.due_us + by_us))

    async def work(self) -> None:
        """What its loop does of the tasks that are due."""
        worker = Worker(self.log.consumer(self.store.positions), self.store, WorkerSettings(), self.clock.now_us)
        while await worker.do_tasks():
            pass

    async def ticks(self) -> int:
        """How many days were set."""
        async with self.store.reading() as conn:
            return int((await conn.execute(select(func.count()).select_from(t.ticks))).scalar_one())


@pytest.fixture
async def process(tmp_path: Path) -> AsyncIterator[Process]:
    config = Config(data_dir=tmp_path)
    async with opened_by_clock(config) as (store, log, _, clock):
        running = Running(config, store, log, clock, Gauges(store, log, tmp_path), Role.WORKER)
        eraser = Eraser(store, log, StepSettings(), clock.now_us)
        yield Process(store, log, clock, running, Chores(store, log, clock, eraser))


@pytest.mark.parametrize("by_us", [YEARS_US, -YEARS_US])
async def test_in_doubt_a_worker_is_not_ready_sets_no_day_and_says_why(process: Process, by_us: int) -> None:
    await process.shift(by_us)
    await process.chores.once()
    (why,) = await process.running.why_not_ready()
    assert "ctihub clock accept" in why
    process.running.role = Role.DOORS
    assert await process.running.why_not_ready() == []
    process.running.role = Role.WORKER
    assert b"ctihub_clock_in_doubt 1.0" in worker_metrics.text(by_centre=False)
    with pytest.raises(TryAgain, match="clock"):
        await process.work()
    assert await process.ticks() == 0
    await process.shift(-by_us)
    await process.chores.once()
    assert await process.running.why_not_ready() == []
    assert b"ctihub_clock_in_doubt 0.0" in worker_metrics.text(by_centre=False)


async def test_what_cannot_be_erased_does_not_end_the_worker(process: Process) -> None:
    row = {"at_us": 0, "who": "dpo", "reason": "asked for", "what": "{", "closing_us": 0}
    async with process.store.begin() as conn:
        await conn.execute(insert(ft.forgettings).values(row))
    await process.chores.once()
    await process.work()


async def test_a_day_after_the_hub_was_made_is_set_when_the_clock_is_believed(process: Process) -> None:
    await process.chores.once()  # leaves a sign of life
    await process.work()
    assert await process.ticks() == 0
    async with process.store.begin() as conn:
        await conn.execute(update(t.tasks).values(due_us=t.tasks.c.due_us - DAY_US))
    await process.work()
    assert await process.ticks() == 1


async def test_what_came_in_doubt_has_a_time_before_the_worker_goes_on(process: Process) -> None:
    topic = Topic("intake.ro")
    await process.log.create(topic)
    await process.shift(YEARS_US)
    await process.clock.look()
    await process.log.append(topic, [Record(None, b"{}")])
    await process.shift(-YEARS_US)
    consumer = process.log.consumer(process.store.positions)
    try:
        await process.chores.once()
        assert process.clock.doubt is None
        (record,) = (await consumer.take(limit=1, limit_bytes=1_000, wait_s=0)).records
    finally:
        await consumer.close()
    assert record.time.year > 2000


@pytest.mark.parametrize(("value", "is_kept"), [("7d", False), ("10d", False), ("11d", True), ("forever", True)])
async def test_processed_records_are_kept_as_long_as_the_policy_says(
    process: Process, value: str, is_kept: bool
) -> None:
    at = TopicPartition(Topic("intake.ro"), 0)
    await process.log.create(at.topic)
    await process.log.append(at.topic, [Record(None, b"{}")])
    long_ago = from_us(wall_clock_us() - 10 * DAY_US - 1_000_000)
    assert await process.log.put_back(long_ago, later_than=long_ago) == 1
    async with process.store.transaction() as tx:
        await tx.advance({at: 0}, {at: 1}, wall_clock_us())
    await Registry(process.store.registry, now_us=wall_clock_us).settings.set("retention.log", value)
    await process.chores.once()
    # what is still there can be let go now
    assert await process.log.trim({at: 1}, older_than=from_us(wall_clock_us())) == is_kept
