"""The roles: what a process of the hub does, from its start to its end.

``all`` runs the doors in this process and the worker in a child of it, so that a door answers while the worker
computes (``hub/worker_process.py``). A child that dies is followed by another.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import structlog
from starlette.types import ASGIApp

from hub import worker_metrics
from hub.app import kafka_credentials, opened_by_clock
from hub.clock import Clock
from hub.config import Config
from hub.data_dir import open_to_others
from hub.doors import metrics, vitals
from hub.doors.asking import silent
from hub.doors.context import Doors, ProcessReports
from hub.doors.gauges import Gauges
from hub.doors.http import make_app
from hub.doors.settings import DoorSettings
from hub.intake import IntakeLimits
from hub.listening import Ports
from hub.log.port import EventLog
from hub.model.errors import Broken, HubError, Refused
from hub.registry.access import Access
from hub.store.sql import SqlStore
from hub.worker_process import CHILD, DRAIN_S, LOOK_EVERY_S, held_lists, within, work

_log = structlog.get_logger()

_LONGEST_LINE_BYTES = 1 << 20
_RESTART_S = (0.2, 1.0, 5.0)


class Role(StrEnum):
    """What a process does."""

    ALL = "all"
    WORKER = "worker"
    DOORS = "doors"
    RELAY = "relay"


# ---------------------------------------------------------------- settings for the rooms below


def door_settings(config: Config) -> DoorSettings:
    """What the doors are told."""
    return DoorSettings(
        public_url=config.public_url or "",
        behind_proxy=config.behind_proxy,
        page_objects=config.page_objects,
        page_bytes=config.page_bytes,
        intake=IntakeLimits(objects=config.limits, push_bytes=config.max_push_bytes),
        held_lists=lambda: held_lists(config),
    )


# ---------------------------------------------------------------- running


async def serve(config: Config, role: Role, *, started: Callable[[str], None] = lambda _: None) -> None:
    """Run a role until SIGINT or SIGTERM; ``started`` is called with the URL once it answers."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    async with contextlib.AsyncExitStack() as stack:
        ports = Ports.opened(config, stack)
        await asyncio.to_thread(_tell_of_readers, config.data_dir)
        store, log, registry, clock = await stack.enter_async_context(opened_by_clock(config))
        running = Running(config, store, log, clock, Gauges(store, log, config.data_dir), role)
        doors = await _doors(running, registry.access) if role in (Role.ALL, Role.DOORS) else None
        app: ASGIApp
        if doors is not None:
            app = make_app(doors)
        else:
            shown = running.metrics if ports.inside is None else running.open_metrics
            app = vitals.make_app(running.why_not_ready, shown)
        servers = ports.servers(app, vitals.make_app(running.why_not_ready, running.metrics), drain_s=DRAIN_S)
        async with asyncio.TaskGroup() as tasks:
            for part in _parts(running, stop):
                tasks.create_task(part)
            serving = [tasks.create_task(server.run()) for server in servers]
            while not (all(server.started for server in servers) or any(task.done() for task in serving)):  # noqa: ASYNC110 - uvicorn has no event for it
                await asyncio.sleep(0.01)
            if servers[0].started:
                _log.info("hub.started", role=role.value, url=_url(config, ports.http))
                started(_url(config, ports.http))
            await _first(stop, serving)
            stop.set()
            if doors is not None:
                doors.stop_streams()
            for server in servers:
                server.stop()


async def _doors(running: Running, access: Access) -> Doors:
    config = running.config
    async with running.store.directory() as directory:
        key = await directory.cursor_key()
    return Doors(
        store=running.store,
        log=running.log,
        access=access,
        key=key,
        settings=door_settings(config),
        process=ProcessReports(
            troubles=running.troubles,
            notes=running.notes,
            metrics=running.open_metrics,
            relayed=await _relayed(config),
        ),
    )


def _parts(running: Running, stop: asyncio.Event) -> Iterator[Coroutine[None, None, None]]:
    """What the role does besides answering."""
    role, config = running.role, running.config
    if role is Role.ALL:
        yield _supervise(config, stop, running)
    if role is Role.WORKER:
        yield work(config, running.store, running.log, running.clock, stop)
    if role in (Role.ALL, Role.DOORS):
        yield _watch_clock(running.clock, stop)
    if role is Role.RELAY or (role is Role.ALL and config.kafka_bootstrap):
        yield _relay(running, stop)


def _tell_of_readers(folder: Path) -> None:
    if (found := open_to_others(folder)) is not None:
        _log.warning("data_dir.open", says=found.says, way_out=found.way_out)


@dataclass(slots=True)
class Running:
    """What the tasks of one process share."""

    config: Config
    store: SqlStore
    log: EventLog
    clock: Clock
    gauges: Gauges
    role: Role
    worker_up: bool = True
    relay_problems: Callable[[], list[str]] = list
    worker_says: bytes = b""
    """What the worker that is our child last counted."""

    async def open_metrics(self) -> bytes:
        """What anybody may see: what the process itself does, and nothing that follows what centres push."""
        return await asyncio.to_thread(metrics.process_text) + await self.gauges.open_text()

    async def metrics(self) -> bytes:
        """All there is, centres by name: for a port that stays inside."""
        workers = worker_metrics.text(by_centre=True) if self.role is Role.WORKER else self.worker_says
        return await asyncio.to_thread(metrics.text) + await self.gauges.text() + workers

    async def why_not_ready(self) -> list[str]:
        """What keeps this process from its work, a clause each. A worker stands still while its clock is in doubt."""
        notes = self.notes() if self.role is Role.WORKER else []
        return [*await silent(self.store, self.log), *self.troubles(), *notes]

    def notes(self) -> list[str]:
        """What keeps nobody from the doors, but the operator should see to, a clause each."""
        found = self.clock.doubt
        if found is None:
            return []
        return [f"Nothing is processed or dated. {found.says} {found.way_out}".removesuffix(".")]

    def troubles(self) -> list[str]:
        """What does not work of the parts of this process, a clause each."""
        return [*([] if self.worker_up else ["the worker has died and is started again"]), *self.relay_problems()]


async def _first(stop: asyncio.Event, serving: Sequence[asyncio.Task[None]]) -> None:
    """Wait until we are told to stop, or a server ended by itself."""
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait({stopping, *serving}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()


async def _watch_clock(clock: Clock, stop: asyncio.Event) -> None:
    """Judge the clock of a process that has no worker: for what operators change here, and for what status tells."""
    while not stop.is_set():
        with contextlib.suppress(HubError):  # of a store that is damaged, requests and the worker tell
            await clock.judge()
        await within(stop, LOOK_EVERY_S)


async def _relay(running: Running, stop: asyncio.Event) -> None:
    config = running.config
    if config.kafka_bootstrap is None:
        raise Refused("relay.no-kafka", "There is no Kafka to relay to.", "Set KAFKA_BOOTSTRAP.")
    from hub.doors.kafka import relay_of

    relay = await relay_of(
        config.kafka_bootstrap, kafka_credentials(config), running.store, replication=config.kafka_replication
    )
    running.relay_problems = lambda: list(relay.problems)
    await relay.run(stop)


async def _relayed(config: Config) -> Callable[[], Awaitable[Mapping[str, int]]] | None:
    """How the doors learn how far the relay is, which may run elsewhere; None without Kafka."""
    if config.kafka_bootstrap is None:
        return None
    from hub.doors.kafka import relayed_of

    return await relayed_of(config.kafka_bootstrap, kafka_credentials(config))


# ---------------------------------------------------------------- the worker as a child


async def _supervise(config: Config, stop: asyncio.Event, running: Running) -> None:
    """Keep a worker running beside the doors; a dead one is followed by another."""
    died = 0
    while not stop.is_set():
        child = await _start_child(config)
        running.worker_up = True
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_hear(child, running))  # ends with the child
            stopping, ended = asyncio.ensure_future(stop.wait()), asyncio.ensure_future(child.wait())
            try:
                await asyncio.wait({stopping, ended}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                stopping.cancel()
                await _end_child(child)
                ended.cancel()
        if stop.is_set():
            return
        running.worker_up = False
        _log.error("worker.died", code=str(child.returncode), way_out="It is started again; see the lines above.")
        await asyncio.sleep(_RESTART_S[min(died, len(_RESTART_S) - 1)])
        died += 1


async def _start_child(config: Config) -> asyncio.subprocess.Process:
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "hub.worker_process",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, CHILD: "1"},
        limit=_LONGEST_LINE_BYTES,
    )
    if child.stdin is None:
        raise Broken("worker.no-pipe", "The worker was started without a pipe.")
    child.stdin.write(config.as_line())  # over the pipe, since the passwords in it are nobody's business
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        await child.stdin.drain()
    return child


async def _hear(child: asyncio.subprocess.Process, running: Running) -> None:
    """Keep what the child last counted, for ``/metrics``: each line on its standard output is a whole new text."""
    if child.stdout is not None:
        async for line in child.stdout:
            running.worker_says = json.loads(line).encode()


async def _end_child(child: asyncio.subprocess.Process) -> None:
    """Let it finish what is in hand, within the deadline."""
    if child.stdin is not None:
        child.stdin.close()
    try:
        async with asyncio.timeout(DRAIN_S):
            await child.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()


def _url(config: Config, listening: socket.socket) -> str:
    return config.model_copy(update={"http_port": listening.getsockname()[1]}).url
