"""Runs the roles: what a process of the hub does, from start to end.

``all`` runs the doors in this process and the worker in a child process (``hub/worker_child.py``).
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import socket
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from pathlib import Path

import structlog
from starlette.types import ASGIApp

from hub.app import kafka_admin_credentials, kafka_credentials, opened_by_clock
from hub.clock import Clock
from hub.config import Config, is_loopback
from hub.data_dir import open_to_others
from hub.doors import vitals
from hub.doors.context import Doors, ProcessReports
from hub.doors.gauges import Gauges
from hub.doors.http import make_app
from hub.doors.settings import DoorSettings
from hub.doors.targets import TargetRules
from hub.doors.webhooks.process import deliver_webhooks
from hub.intake import IntakeLimits
from hub.listening import Ports
from hub.model.errors import HubError, Refused
from hub.registry.access import Access
from hub.registry.broker_ends import BrokerEnds
from hub.registry.port import NO_GRANTS
from hub.registry.service import Registry
from hub.role import Role
from hub.running import Running
from hub.worker_child import WorkerChild
from hub.worker_process import DRAIN_S, LOOK_EVERY_S, load_warning_lists, within, work

_log = structlog.get_logger()


# ---------------------------------------------------------------- settings


def door_settings(config: Config) -> DoorSettings:
    """The settings of the doors."""
    return DoorSettings(
        public_url=config.public_url or "",
        behind_proxy=config.behind_proxy,
        requests_per_s=config.max_requests_per_second,
        page_objects=config.page_objects,
        page_bytes=config.page_bytes,
        intake=IntakeLimits(objects=config.limits, push_bytes=config.max_push_bytes),
        lists_folder=config.data_dir,
        warning_lists=lambda: load_warning_lists(config),
        targets=TargetRules(config.webhook_allow, http=config.webhook_http),
        webhook_ca_file=config.webhook_ca_file,
    )


# ---------------------------------------------------------------- running


async def serve(config: Config, role: Role, *, started: Callable[[str, str | None], None] = lambda *_: None) -> None:
    """Run a role until SIGINT or SIGTERM. ``started`` is called once it answers, with the URL for others and, if doors
    listen there, with that on the loopback address of this machine.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    async with contextlib.AsyncExitStack() as stack:
        ports = Ports.opened(config, stack)
        await asyncio.to_thread(_tell_of_readers, config.data_dir)
        store, log, registry, clock = await stack.enter_async_context(opened_by_clock(config))
        child = WorkerChild(config) if role is Role.ALL else None
        running = Running(config, store, log, clock, Gauges(store, log, config.data_dir), role, child)
        doors = await _doors(running, registry.access) if role in (Role.ALL, Role.DOORS) else None
        app: ASGIApp
        if doors is not None:
            app = make_app(doors)
        else:
            shown = running.metrics if ports.inside is None else running.open_metrics
            app = vitals.make_app(running.why_not_ready, shown)
        servers = ports.servers(app, vitals.make_app(running.why_not_ready, running.metrics), drain_s=DRAIN_S)
        async with asyncio.TaskGroup() as tasks:
            for part in _parts(running, registry, stop):
                tasks.create_task(part)
            if doors is not None:
                tasks.create_task(deliver_webhooks(doors, registry.access, stop))
            serving = [tasks.create_task(server.run()) for server in servers]
            while not (all(server.started for server in servers) or any(task.done() for task in serving)):  # noqa: ASYNC110 - uvicorn has no event for it
                await asyncio.sleep(0.01)
            gc.freeze()  # what was loaded stays; looking at it for cycles stops all requests for 100 ms
            if servers[0].started:
                _log.info("hub.started", role=role.value, url=_url(config, ports.http))
                started(_url(config, ports.http), None if doors is None else _loopback_url(config, ports.http))
            await _first(stop, serving)
            stop.set()
            if doors is not None:
                doors.stop_streams()
            for server in servers:
                server.stop()


async def _doors(running: Running, access: Access) -> Doors:
    config = running.config
    return Doors(
        store=running.store,
        log=running.log,
        access=access,
        key=await running.store.key(),
        settings=door_settings(config),
        process=ProcessReports(
            troubles=running.troubles,
            notes=running.notes,
            metrics=running.open_metrics,
            relayed=await _relayed(config),
        ),
        now_us=running.clock.change_us,
    )


def _parts(running: Running, registry: Registry, stop: asyncio.Event) -> Iterator[Coroutine[None, None, None]]:
    """The tasks of the role besides answering requests."""
    role, config = running.role, running.config
    if running.child is not None:
        yield running.child.run(stop)
    if role is Role.WORKER:
        yield work(config, running.store, running.log, running.clock, stop)
    if role in (Role.ALL, Role.DOORS):
        yield _watch_clock(running.clock, stop)
    if role is Role.RELAY or (role is Role.ALL and config.kafka_bootstrap):
        yield _relay(running, stop)
        if (ends := registry.ends_on_broker()) is not None:
            yield _watch_ends(ends, stop)
        yield _watch_groups(running, registry.access, stop)


def _tell_of_readers(folder: Path) -> None:
    if (found := open_to_others(folder)) is not None:
        _log.warning("data_dir.open", says=found.says, way_out=found.way_out)


async def _first(stop: asyncio.Event, serving: Sequence[asyncio.Task[None]]) -> None:
    """Wait until the process is told to stop, or a server has ended."""
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait({stopping, *serving}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()


async def _watch_clock(clock: Clock, stop: asyncio.Event) -> None:
    """Judge the clock regularly in a process without a worker: operators' changes and status use it."""
    while not stop.is_set():
        with contextlib.suppress(HubError):  # requests and the worker report a damaged store
            await clock.judge()
        await within(stop, LOOK_EVERY_S)


async def _watch_ends(ends: BrokerEnds, stop: asyncio.Event) -> None:
    """Take tokens off the brokers when they end. Beside the relay, since there is one in each deployment with Kafka."""
    while not stop.is_set():
        try:
            if count := await ends.look():
                _log.info("tokens.ended_on_broker", count=count)
        except HubError as error:
            if error.code != NO_GRANTS:
                _log.error("tokens.not_ended_on_broker", code=error.code, way_out=error.way_out)
        await within(stop, LOOK_EVERY_S)


async def _relay(running: Running, stop: asyncio.Event) -> None:
    config = running.config
    if config.kafka_bootstrap is None:
        raise Refused("relay.no-kafka", "There is no Kafka to relay to.", "Set KAFKA_BOOTSTRAP.")
    from hub.doors.kafka import relay_of

    relay = await relay_of(
        config.kafka_bootstrap, kafka_credentials(config), running.store.logs, replication=config.kafka_replication
    )
    running.relay_problems = lambda: list(relay.problems)
    await relay.run(stop)


async def _watch_groups(running: Running, access: Access, stop: asyncio.Event) -> None:
    """Enter in the journal how far Kafka consumers are; beside the relay, of which there is one."""
    config = running.config
    if config.kafka_bootstrap is None:
        return
    from hub.doors.kafka_groups import group_watch_of

    watch = await group_watch_of(
        config.kafka_bootstrap,
        kafka_credentials(config),
        kafka_admin_credentials(config),
        running.store,
        access=access,
        now_us=running.clock.change_us,
    )
    await watch.run(stop)


async def _relayed(config: Config) -> Callable[[], Awaitable[Mapping[str, int]]] | None:
    """A function that returns how far the relay is, which may run in another process; None without Kafka."""
    if config.kafka_bootstrap is None:
        return None
    from hub.doors.kafka_back import relayed_of

    return await relayed_of(config.kafka_bootstrap, kafka_credentials(config))


def _url(config: Config, listening: socket.socket) -> str:
    return config.model_copy(update={"http_port": listening.getsockname()[1]}).url


def _loopback_url(config: Config, listening: socket.socket) -> str | None:
    host, port = listening.getsockname()[:2]
    at = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not listened on
    if not is_loopback(at):
        return None
    return f"{'https' if config.tls_cert else 'http'}://{f'[{at}]' if ':' in at else at}:{port}"
