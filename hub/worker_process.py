"""A worker's process: it carries batches and does chores. It is a role of its own, or a child of ``serve``.

A child reads from a pipe: when the parent dies, for whatever reason, the child sees the end of the pipe and stops. It
imports no door, so it is ready sooner and takes less memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import math
import os
import signal
import sys
import time
from collections.abc import Awaitable
from urllib.parse import urlsplit

import structlog

from hub import telemetry, warning_lists, worker_metrics
from hub.app import opened_by_clock
from hub.clock import Clock, alive_now, wall_clock_us
from hub.config import Config
from hub.core.hold import WarningLists
from hub.log.port import EventLog
from hub.model.clock import JUMP_US, Doubt
from hub.model.errors import Broken, HubError, TryAgain
from hub.model.times import from_us
from hub.store.sql import SqlStore
from hub.worker import Worker, WorkerSettings

_log = structlog.get_logger()

DRAIN_S = 10.0
"""How long a process that is told to stop takes for what is in hand."""
KEEP_S = 7 * 86_400
"""How long the embedded log keeps what has been carried into the store."""
_CHORE_EVERY_S = 60.0
LOOK_EVERY_S = 2.0
"""So often a clock in doubt is judged again."""
_TELL_DOUBT_EVERY_S = 600.0
_YOUNG_OBJECTS = 5_000
"""How many objects may be new before the collector of cycles looks at them. A batch is tens of thousands of objects,
which all live to its end and are in no cycle: looking every 700 cost a fifth of the worker's time, and every 100,000 a
third more memory."""
_TELL_EVERY_S = 2.0
"""So often a worker that is a child tells what it counted."""
CHILD = "CTIHUB_CHILD_OF_SERVE"
"""Environment variable that is set for the child only."""


# ---------------------------------------------------------------- the work


def load_warning_lists(config: Config) -> WarningLists:
    """The configured warning lists, with the hub's own rules."""
    own = [host for host in (urlsplit(config.url).hostname,) if host]
    lists, found = warning_lists.load_lists(config.held_lists, config.data_dir, own)
    for each in found:
        _log.debug("list.loaded", collection=each.name, count=each.entries, version=each.version)
    return lists


def worker_settings(config: Config) -> WorkerSettings:
    """What a worker is told."""
    hold = load_warning_lists(config).holds
    return WorkerSettings(limits=config.limits, rules_url=f"{config.url}/rules/", hold=hold)


async def work(config: Config, store: SqlStore, log: EventLog, clock: Clock, stop: asyncio.Event) -> None:
    """Be a worker until ``stop``."""
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 5, 5)
    consumer = log.consumer(store.positions)
    worker = Worker(consumer, store, worker_settings(config), clock.now_us)
    chores_ = Chores(store, log, clock)
    try:
        await chores_.once()
        async with asyncio.TaskGroup() as tasks:
            chores = tasks.create_task(chores_.run(stop))
            working = tasks.create_task(worker.run(stop))
            stopping = tasks.create_task(_wait(stop))
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            # a step that waits for a lock is given up: nothing of it is written, and the next worker does it again
            await asyncio.wait({working}, timeout=DRAIN_S)
            for task in (working, stopping, chores):
                task.cancel()
    finally:
        await consumer.close()


async def _wait(stop: asyncio.Event) -> None:
    await stop.wait()


class Chores:
    """What a worker does besides: judge the clock, let go of what was carried and is old."""

    def __init__(self, store: SqlStore, log: EventLog, clock: Clock) -> None:
        self._store = store
        self._log = log
        self._clock = clock
        self._told_s = -math.inf

    async def run(self, stop: asyncio.Event) -> None:
        """Do them again and again; in doubt often, so that a clock that was set right is seen soon."""
        done_s = time.monotonic()
        while not stop.is_set():
            await within(stop, LOOK_EVERY_S)
            if self._clock.doubt is not None or time.monotonic() - done_s >= _CHORE_EVERY_S:
                await self.once()
                done_s = time.monotonic()

    async def once(self) -> None:
        """Do them now, as far as the servers and the clock allow."""
        try:
            doubt, witness = await self._clock.look()
            worker_metrics.CLOCK_IN_DOUBT.set(doubt is not None)
            if doubt is not None:
                self._tell(doubt)
                return
            now_us = wall_clock_us()
            late = from_us(now_us + JUMP_US)
            await self._log.put_back(from_us(now_us), later_than=late)
            if self._clock.doubt is not None:
                _log.info("clock.right", says="The clock fits the store again; the hub goes on.")
            self._clock.trust()
            if witness.boot is not None:
                await self._store.mark_alive(witness.boot, alive_now(witness, now_us))
            await self._log.trim(await self._store.all_positions(), older_than=from_us(now_us - KEEP_S * 1_000_000))
        except TryAgain as error:
            _log.info("chores.again", code=error.code)
        except Broken as error:  # brokers that do not let the hub delete records: they stay, and the hub works on
            _log.error("chores.refused", code=error.code, says=error.says, way_out=error.way_out)

    def _tell(self, doubt: Doubt) -> None:
        if time.monotonic() - self._told_s >= _TELL_DOUBT_EVERY_S:
            self._told_s = time.monotonic()
            _log.error("clock.in_doubt", says=f"{doubt.says} Nothing is processed or dated.", way_out=doubt.way_out)


async def within(stop: asyncio.Event, seconds: float) -> None:
    """Wait so long, or until we are told to stop."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()


# ---------------------------------------------------------------- as a child


async def _child() -> None:
    """The child's life: options from the first line of standard input; its end means stop."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole terminal; the parent says when
    reader = asyncio.StreamReader(limit=1 << 20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    config = Config.of_line(await reader.readline())
    telemetry.configure(config.log_level, config.log_format)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with opened_by_clock(config) as (store, log, _, clock), asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(_until_end(reader, stop))
        telling = tasks.create_task(_tell())
        await work(config, store, log, clock, stop)
        watching.cancel()
        telling.cancel()


async def _tell() -> None:
    """Say again and again what this worker counted; nobody listening is no reason to stop working."""
    while True:
        line = json.dumps(worker_metrics.text(by_centre=True).decode()) + "\n"
        with contextlib.suppress(BrokenPipeError):
            await asyncio.to_thread(_write, line)
        await asyncio.sleep(_TELL_EVERY_S)


def _write(line: str) -> None:
    sys.stdout.write(line)
    sys.stdout.flush()


async def _until_end(reader: asyncio.StreamReader, stop: asyncio.Event) -> None:
    while await reader.read(1024):
        pass
    stop.set()


def run(main: Awaitable[None]) -> None:
    """Run to the end; a group of one error is that error."""

    async def inner() -> None:
        try:
            await main
        except BaseExceptionGroup as group:
            if len(group.exceptions) == 1:
                raise group.exceptions[0] from None
            raise

    asyncio.run(inner())


def run_child() -> None:
    """Be the worker of another process to the end; what an operator must mend is told in one line."""
    try:
        run(_child())
    except HubError as error:
        _log.error("worker.ended", code=error.code, says=error.says, way_out=error.way_out)
        sys.exit(1)


if __name__ == "__main__" and os.environ.get(CHILD):
    run_child()
