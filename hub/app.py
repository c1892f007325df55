"""Opens the configured store, log and registry; the only module that chooses between adapters.

``hub/serving.py`` runs the roles with them; operators' commands use them directly.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable

from hub.clock import Clock, wall_clock_us
from hub.config import Config
from hub.config_values import PostgresAt, SqliteAt
from hub.log.embedded import EmbeddedLog
from hub.log.port import EventLog
from hub.model.errors import Broken, NotFound
from hub.registry.port import Broker
from hub.registry.service import Registry
from hub.store.sql import SqlStore
from hub.store.sqlite import open_sqlite

# ---------------------------------------------------------------- adapters


async def open_store(config: Config) -> SqlStore:
    """The configured store; created and migrated if necessary."""
    match config.database:
        case SqliteAt(path):
            return await open_sqlite(path, now_us=wall_clock_us())
        case PostgresAt(url):
            try:
                from hub.store.postgres import open_postgres
            except ImportError as error:
                raise _not_installed("postgres", error) from None
            return await open_postgres(url, now_us=wall_clock_us())


def require_store(config: Config) -> None:
    """For commands that must not create a hub: raises NotFound if the configured folder has none."""
    at = config.database
    if isinstance(at, SqliteAt) and not at.path.exists():
        says = f"There is no hub in {config.data_dir}."
        raise NotFound("hub.none", says, "Set DATA_DIR, in the environment CTIHUB_DATA_DIR, to the folder of the hub.")


async def open_log(config: Config, in_doubt: Callable[[], bool] = lambda: False) -> EventLog:
    """The configured event log. ``in_doubt``: tells a log that dates records itself whether the clock is in doubt."""
    if config.kafka_bootstrap is None:
        return await EmbeddedLog.open(config.data_dir / "log.sqlite", in_doubt=in_doubt)
    try:
        from hub.log.kafka import KafkaLog
    except ImportError as error:
        raise _not_installed("kafka", error) from None
    return await KafkaLog.open(
        config.kafka_bootstrap,
        **kafka_credentials(config),
        partitions=config.kafka_partitions,
        replication=config.kafka_replication,
    )


def _not_installed(extra: str, error: ImportError) -> Broken:
    return Broken("extra.missing", f"{error.name} is not installed.", f"Install ctihub[{extra}].")


@contextlib.asynccontextmanager
async def opened(config: Config) -> AsyncIterator[tuple[SqlStore, EventLog, Registry]]:
    """Store, log and registry; closed in reverse order at the end."""
    async with opened_by_clock(config) as (store, log, registry, _):
        yield store, log, registry


@contextlib.asynccontextmanager
async def opened_by_clock(config: Config) -> AsyncIterator[tuple[SqlStore, EventLog, Registry, Clock]]:
    """The same, with the clock that the registry uses; long-running processes must judge it regularly."""
    async with contextlib.AsyncExitStack() as stack:
        store = await open_store(config)
        stack.push_async_callback(store.close)
        clock = Clock(store)
        await clock.judge()
        log = await open_log(config, clock.is_in_doubt)
        stack.push_async_callback(log.close)
        broker = await stack.enter_async_context(opened_broker(config))
        yield store, log, Registry(store.registry, broker=broker, now_us=clock.change_us), clock


def kafka_credentials(config: Config) -> dict[str, str | None]:
    """The login of the hub's own processes, as arguments of ``KafkaConnection.of``."""
    return {
        "security_protocol": config.kafka_security_protocol,
        "username": config.kafka_username,
        "password": config.kafka_password.get_secret_value() if config.kafka_password else None,
        "ca_file": str(config.kafka_ca_file) if config.kafka_ca_file else None,
    }


def kafka_admin_credentials(config: Config) -> dict[str, str | None]:
    """The login of the administrator, by default that of the hub's own processes, for the same."""
    password = config.kafka_admin_password or config.kafka_password
    return kafka_credentials(config) | {
        "username": config.kafka_admin_username or config.kafka_username,
        "password": password.get_secret_value() if password else None,
    }


@contextlib.asynccontextmanager
async def opened_broker(config: Config) -> AsyncIterator[Broker | None]:
    """The broker that enforces the registry; None without Kafka."""
    broker = _broker(config)
    try:
        yield broker
    finally:
        if broker is not None:
            await broker.close()


def _broker(config: Config) -> Broker | None:
    if config.kafka_bootstrap is None:
        return None
    try:
        from hub.registry.broker import KafkaBroker
    except ImportError as error:
        raise _not_installed("kafka", error) from None
    password = config.kafka_admin_password or config.kafka_password
    return KafkaBroker(
        config.kafka_bootstrap,
        security_protocol=config.kafka_security_protocol,
        username=config.kafka_admin_username or config.kafka_username,
        password=password.get_secret_value() if password else None,
        ca_file=str(config.kafka_ca_file) if config.kafka_ca_file else None,
        hub_username=config.kafka_username,
        partitions=config.kafka_partitions,
        replication=config.kafka_replication,
    )
