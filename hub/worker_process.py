"""The process of a worker: it processes batches and does chores. It is a role of its own, or a child of ``serve``.

A child reads from a pipe: when the parent dies for any reason, the child sees the end of the pipe and stops. It imports
no door, so it starts faster and needs less memory.
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
from hub.core.step import StepSettings
from hub.forgetting import Eraser
from hub.log.port import EventLog
from hub.model.clock import JUMP_US, Doubt
from hub.model.errors import HubError, TryAgain
from hub.model.times import DAY_US, from_us
from hub.store.sql import SqlStore
from hub.worker import Worker, WorkerSettings

_log = structlog.get_logger()

DRAIN_S = 10.0
"""How long a stopping process may take to finish its current step."""
_CHORE_EVERY_S = 60.0
LOOK_EVERY_S = 2.0
"""How often a clock in doubt is judged again."""
_TELL_DOUBT_EVERY_S = 600.0
_YOUNG_OBJECTS = 5_000
"""How many new objects trigger the garbage collector for cycles. A batch allocates tens of thousands of objects, which
all live until its end and form no cycles: a threshold of 700 cost a fifth of the worker's time, and one of 100,000 a
third more memory."""
_TELL_EVERY_S = 2.0
"""How often a child reports its metrics."""
CHILD = "CTIHUB_CHILD_OF_SERVE"
"""An environment variable that is set for the child only."""


# ---------------------------------------------------------------- a worker


def load_warning_lists(config: Config) -> WarningLists:
    """The configured warning lists, with the hub's own rules."""
    own = [host for host in (urlsplit(config.url).hostname,) if host]
    lists, found = warning_lists.load_lists(config.held_lists, config.data_dir, own)
    for each in found:
        _log.debug("list.loaded", collection=each.name, count=each.entries, version=each.version)
    return lists


def worker_settings(config: Config) -> WorkerSettings:
    """The settings of a worker."""
    hold = load_warning_lists(config).holds
    return WorkerSettings(limits=config.limits, rules_url=f"{config.url}/rules/", hold=hold)


async def work(config: Config, store: SqlStore, log: EventLog, clock: Clock, stop: asyncio.Event) -> None:
    """Run a worker until ``stop``."""
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 5, 5)
    consumer = log.consumer(store.positions)
    worker = Worker(consumer, store, worker_settings(config), clock.now_us)
    eraser = Eraser(store, log, StepSettings(limits=config.limits, rules_url=f"{config.url}/rules/"), clock.now_us)
    chores_ = Chores(store, log, clock, eraser)
    try:
        await chores_.once()
        async with asyncio.TaskGroup() as tasks:
            chores = tasks.create_task(chores_.run(stop))
            working = tasks.create_task(worker.run(stop))
            stopping = tasks.create_task(_wait(stop))
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            # a step that waits for a lock is abandoned: nothing of it is written, and the next worker repeats it
            await asyncio.wait({working}, timeout=DRAIN_S)
            for task in (working, stopping, chores):
                task.cancel()
    finally:
        await consumer.close()


async def _wait(stop: asyncio.Event) -> None:
    await stop.wait()


class Chores:
    """The chores of a worker: judge the clock, delete old processed records of the log, erase what was to be erased."""

    def __init__(self, store: SqlStore, log: EventLog, clock: Clock, eraser: Eraser) -> None:
        self._eraser = eraser
        self._store = store
        self._log = log
        self._clock = clock
        self._told_s = -math.inf

    async def run(self, stop: asyncio.Event) -> None:
        """Repeat them until ``stop``; more often while the clock is in doubt, so that a corrected clock is noticed
        soon.
        """
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
                _log.info("clock.right", says="The clock fits the store again; the hub continues.")
            self._clock.trust()
            if witness.boot is not None:
                await self._store.mark_alive(witness.boot, alive_now(witness, now_us))
            days = (await self._store.policy()).retention.log_days
            if days is not None:
                await self._log.trim(await self._store.all_positions(), older_than=from_us(now_us - days * DAY_US))
            await self._erase()
        except TryAgain as error:
            _log.info("chores.again", code=error.code)
        except HubError as error:  # brokers may not let the hub delete records: the records stay, and the hub continues
            _log.error("chores.refused", code=error.code, says=error.says, way_out=error.way_out)

    async def _erase(self) -> None:
        """Erase what was to be erased. What nobody foresaw there must not keep the worker from its work."""
        try:
            for one in await self._eraser.resume():
                _log.info("value.erased", count=one.counts.total)
        except HubError:
            raise
        except Exception as error:  # noqa: BLE001 - told, and tried again with the next chores
            # in a thread, because formatting a traceback reads the source files
            await asyncio.to_thread(_log.error, "value.not_erased", way_out="Report the error below.", exc_info=error)

    def _tell(self, doubt: Doubt) -> None:
        if time.monotonic() - self._told_s >= _TELL_DOUBT_EVERY_S:
            self._told_s = time.monotonic()
            _log.error("clock.in_doubt", says=f"{doubt.says} Nothing is processed or dated.", way_out=doubt.way_out)


async def within(stop: asyncio.Event, seconds: float) -> None:
    """Wait for this time, or until ``stop`` is set."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()


# ---------------------------------------------------------------- a child process


async def _child() -> None:
    """Run as a child: the first line of standard input has the options; its end means stop."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole terminal; the parent decides
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
    """Write the metrics of this worker regularly; it continues if nobody reads them."""
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
    """Run to completion; an exception group with one error is raised as that error."""

    async def inner() -> None:
        try:
            await main
        except BaseExceptionGroup as group:
            if len(group.exceptions) == 1:
                raise group.exceptions[0] from None
            raise

    asyncio.run(inner())


def run_child() -> None:
    """Run as the worker of another process; errors for the operator are printed on one line."""
    try:
        run(_child())
    except HubError as error:
        _log.error("worker.ended", code=error.code, says=error.says, way_out=error.way_out)
        sys.exit(1)


if __name__ == "__main__" and os.environ.get(CHILD):
    run_child()
