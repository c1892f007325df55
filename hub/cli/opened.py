"""The registry of a configuration with its broker, opened for the length of one command."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hub.app import open_store
from hub.config import Config
from hub.model.errors import Broken
from hub.registry.port import Broker
from hub.registry.service import Registry


@asynccontextmanager
async def opened_registry(config: Config) -> AsyncIterator[Registry]:
    """The registry of this deployment; the store is made and migrated where needed. Raises TryAgain, Broken."""
    async with opened_broker(config) as broker:
        store = await open_store(config)
        try:
            yield Registry(store, broker=broker)
        finally:
            await store.close()


@asynccontextmanager
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
        raise Broken("extra.missing", f"{error.name} is not installed.", "Install ctihub[kafka].") from None
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
