"""The checks of ``ctihub doctor``. Each returns findings and never raises; a bad finding has what to do."""

from __future__ import annotations

import asyncio
import shutil
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import httpx

from hub.app import open_log, open_store, opened_broker
from hub.cli.certificate import examine
from hub.clock import Clock, wall_clock_us
from hub.config import Config, ensure_private, is_loopback
from hub.config_values import PostgresAt, SqliteAt
from hub.data_dir import open_to_others
from hub.model.errors import HubError, WrongUsage
from hub.registry.port import Broker, BrokerDifference
from hub.registry.service import Registry
from hub.store.migrations import HEAD
from hub.store.sql import SqlStore
from hub.warning_lists import ensure_known

LOW_BYTES = 1 << 30
CLOCK_BEHIND_S = 5
ANSWER_S = 20.0


class Health(StrEnum):
    """The result of a check."""

    GOOD = "ok"
    NOTE = "note"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of a check."""

    name: str
    health: Health
    says: str
    way_out: str = ""


def good(name: str, says: str) -> Finding:
    """Returns a finding without a problem."""
    return Finding(name, Health.GOOD, says)


def bad(name: str, error: HubError) -> Finding:
    """Returns an error as a finding."""
    return Finding(name, Health.BAD, error.says, error.way_out)


async def examined(config: Config, *, fix: bool) -> AsyncIterator[Finding]:
    """Yields all findings; a check follows those it depends on. ``fix`` repairs differences of the broker."""
    for check in (_private, _data_dir, _lists, _tls):
        async for finding in _safely(check, config):
            yield finding
    async for finding in _store_and_what_it_knows(config, fix=fix):
        yield finding
    for check in (_log, _port):
        async for finding in _safely(check, config):
            yield finding


_Check = Callable[[Config], Awaitable[list[Finding]]]


async def _safely(check: _Check, config: Config) -> AsyncIterator[Finding]:
    name = check.__name__.strip("_").replace("_", " ")
    try:
        for finding in await check(config):
            yield finding
    except HubError as error:
        yield bad(name, error)
    except OSError as error:
        yield _unusable(name, error)


def _unusable(name: str, error: OSError) -> Finding:
    about = f"{error.filename}: " if error.filename else ""
    return Finding(name, Health.BAD, f"{about}{error.strerror or error}.", "See DATA_DIR and DATABASE_URL.")


# ---------------------------------------------------------------- this machine


async def _private(config: Config) -> list[Finding]:
    ensure_private(config)
    how = "TLS" if config.tls_cert else "a proxy in front" if config.behind_proxy else "loopback only"
    return [good("private", f"HTTP is protected by {how}.")]


async def _data_dir(config: Config) -> list[Finding]:
    return await asyncio.to_thread(_look_at_folder, config.data_dir)


def _look_at_folder(folder: Path) -> list[Finding]:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder) as probe:
            probe.write(b"ctihub")
    except OSError as error:
        way_out = "Give it to the user that runs the hub, or set DATA_DIR."
        return [Finding("data dir", Health.BAD, f"{folder} cannot be written: {error.strerror}.", way_out)]
    if (found := open_to_others(folder)) is not None:
        health = Health.BAD if found.gives_content else Health.NOTE
        return [Finding("data dir", health, found.says, found.way_out), *_room(folder)]
    return _room(folder) or [good("data dir", f"{folder} can be written, by nobody else but its group, and has room.")]


def _room(folder: Path) -> list[Finding]:
    free = shutil.disk_usage(folder).free
    if free < LOW_BYTES:
        return [Finding("data dir", Health.NOTE, f"{folder} has {free >> 20:,} MiB left.", "Make room.")]
    return []


async def _lists(config: Config) -> list[Finding]:
    try:
        await asyncio.to_thread(ensure_known, config.held_lists, config.data_dir)
    except WrongUsage as error:
        return [Finding("lists", Health.BAD, error.says, error.way_out)]
    return [good("lists", f"Hits on {', '.join(config.held_lists)} are held.")]


async def _tls(config: Config) -> list[Finding]:
    if config.tls_cert is None or config.tls_key is None:
        return []
    left = await asyncio.to_thread(examine, config.tls_cert, config.tls_key)
    if left.days < 14:
        return [Finding("tls", Health.NOTE, f"{config.tls_cert} ends in {left.days} days.", "Renew it.")]
    return [good("tls", f"{config.tls_cert} fits its key and is good for {left.days} days.")]


async def _port(config: Config) -> list[Finding]:
    if await _hub_answers(config):
        return [good("port", f"A hub answers at {config.url}.")]
    return [await asyncio.to_thread(_look_at_port, config)]


async def _hub_answers(config: Config) -> bool:
    scheme = "https" if config.tls_cert else "http"
    host = config.http_host if is_loopback(config.http_host) else "127.0.0.1"
    host = f"[{host}]" if ":" in host else host
    try:
        # only checks that a hub answers; clients verify the certificate
        async with httpx.AsyncClient(verify=False, timeout=ANSWER_S) as client:  # noqa: S501
            answer = await client.get(f"{scheme}://{host}:{config.http_port}/healthz")
    except httpx.HTTPError:
        return False
    return answer.status_code == 200


def _look_at_port(config: Config) -> Finding:
    family = socket.AF_INET6 if ":" in config.http_host else socket.AF_INET
    where = f"{config.http_host}:{config.http_port}"
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((config.http_host, config.http_port))
        except OSError as error:
            says = f"{where} cannot be listened on, and no hub answers there: {error.strerror}."
            return Finding("port", Health.BAD, says, "Stop what listens there, or set HTTP_PORT.")
    return good("port", f"{where} is free; no hub runs there now.")


# ---------------------------------------------------------------- servers


async def _log(config: Config) -> list[Finding]:
    log = await open_log(config)
    try:
        ready = await log.ready()
    finally:
        await log.close()
    where = f"Kafka at {config.kafka_bootstrap}" if config.kafka_bootstrap else "a file in DATA_DIR"
    if ready:
        return [good("log", f"The event log ({where}) takes records.")]
    return [Finding("log", Health.BAD, f"The event log ({where}) takes no records now.", "Look at its own log.")]


async def _store_and_what_it_knows(config: Config, *, fix: bool) -> AsyncIterator[Finding]:
    try:
        store = await open_store(config)
    except HubError as error:
        yield bad("store", error)
        return
    except OSError as error:
        yield _unusable("store", error)
        return
    try:
        yield good("store", f"{_where(config)} answers, its schema is {HEAD}.")
        for finding in [await _clock(store), *await _work_left(store)]:
            yield finding
        async for finding in _safely(lambda _: _broker(config, store, fix=fix), config):
            yield finding
    except HubError as error:
        yield bad("store", error)
    finally:
        await store.close()


def _where(config: Config) -> str:
    match config.database:
        case SqliteAt(path):
            return str(path)
        case PostgresAt():
            return "PostgreSQL"


async def _clock(store: SqlStore) -> Finding:
    """A jump stops the hub. With a smaller lag, new versions are not ordered by the clock until it has caught up."""
    if (found := await Clock(store).judge()) is not None:
        return Finding("clock", Health.BAD, f"{found.says} Nothing is processed or dated.", found.way_out)
    behind_s = (await store.stored_times()).latest_us / 1e6 - time.time()
    if behind_s > CLOCK_BEHIND_S:
        says = f"The clock is {behind_s:,.0f} s behind what the store has seen."
        return Finding("clock", Health.BAD, says, "Set the clock of this machine (NTP).")
    return good("clock", "The clock fits what the store has seen.")


async def _work_left(store: SqlStore) -> list[Finding]:
    found = []
    if changes := len(await store.progress()):
        says = f"{changes:,} changes of policy are being carried out."
        found.append(Finding("policy", Health.NOTE, says, "A running worker finishes them: ctihub status."))
    if held := await store.intake.waiting():
        found.append(Finding("held", Health.NOTE, f"{held:,} objects wait for you.", "ctihub held list"))
    sources = (await store.policy()).sources
    for trip in await store.intake.trips():
        name = sources[trip.source].name
        says = f"{name} has withdrawn so much within an hour that {trip.waiting:,} more withdrawals are held."
        way_out = f"Ask a person there, then ctihub breaker confirm {name}, or refuse {name}."
        found.append(Finding("breaker", Health.NOTE, says, way_out))
    return found


async def _broker(config: Config, store: SqlStore, *, fix: bool) -> list[Finding]:
    async with opened_broker(config) as broker:
        if broker is None:
            return []
        return await _compared(broker, Registry(store.registry, now_us=wall_clock_us), fix=fix)


async def _compared(broker: Broker, registry: Registry, *, fix: bool) -> list[Finding]:
    wanted = await registry.entitlements()
    differences = await broker.compare(wanted)
    left = await broker.repair(wanted) if fix and differences else differences
    found = [_finding(each) for each in left]
    mended = len(differences) - len(left)
    if fix and mended > 0:
        return [good("broker", f"{mended:,} differences were mended."), *found]
    if not any(finding.health is Health.BAD for finding in found):
        return [good("broker", "The broker has what the registry says."), *found]
    return found


def _finding(difference: BrokerDifference) -> Finding:
    health = Health.NOTE if difference.note else Health.BAD
    way_out = difference.way_out or ("ctihub doctor --fix" if difference.repairable else "")
    return Finding("broker", health, difference.says, way_out)
