"""Brokers on which the hub cannot work: it says what is wrong with their settings, and not that they are away."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from hub.doors.kafka import relay_of
from hub.log import kafka_consumer
from hub.log.kafka import KafkaLog
from hub.log.port import Topic
from hub.model.errors import TryAgain
from tests.contracts.event_log import Store, numbered, take
from tests.contracts.store_writer import open_store
from tests.contracts.test_kafka_log import address_of
from tests.servers.brokers import ForeignServer, foreign_broker
from tests.waiting import until


@pytest.fixture(scope="module")
def _broker() -> Iterator[ForeignServer]:
    """One node whose groups ask for three, and which ends transactions after 5 s."""
    settings = {"offsets_topic_replication_factor": "3", "transaction_max_timeout_ms": "5000"}
    with foreign_broker(**settings) as broker:
        yield broker


@pytest.fixture
def broker(_broker: ForeignServer) -> ForeignServer:
    return _broker


async def test_a_worker_that_no_group_takes_is_told_which_setting_is_wrong(
    broker: ForeignServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_consumer, "JOIN_WITHIN_S", 1.0)
    log = await KafkaLog.open(**address_of(broker))  # type: ignore[arg-type]
    await log.create(Topic("intake.ro"))
    await log.append(Topic("intake.ro"), numbered(3))
    consumer = log.consumer(Store())
    with pytest.raises(TryAgain) as told:
        await take(consumer)
    assert told.value.code == "log.no-coordinator"
    assert "offsets.topic.replication.factor" in told.value.way_out
    await consumer.close()
    await log.close()


async def test_what_stops_the_hub_is_told_to_operators(broker: ForeignServer) -> None:
    log = await KafkaLog.open(**address_of(broker))  # type: ignore[arg-type]
    stops = {each.says for each in await log.complaints() if each.stops}
    assert {says.split(",")[0] for says in stops} >= {
        "Kafka has offsets.topic.replication.factor=3",
        "Kafka has transaction.max.timeout.ms=5000",
    }
    await log.close()


async def test_a_relay_that_gets_no_transaction_says_which_setting_is_wrong(
    broker: ForeignServer, tmp_path: Path
) -> None:
    store = await open_store({"path": str(tmp_path / "hub.db")})
    address = address_of(broker)
    del address["append_within_s"]  # of the log alone
    relay = await relay_of(str(address.pop("bootstrap")), address, store.logs)  # type: ignore[arg-type]
    stop = asyncio.Event()
    with capture_logs() as lines:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(relay.run(stop))
            told = await until(lambda: [line for line in lines if line.get("code") == "log.transaction-timeout"])
            stop.set()
    assert "transaction.max.timeout.ms" in told[0]["way_out"]
    await store.close()
