"""The Kafka log keeps the port's promises against a real broker, and a few of its own: a group, a broker that dies."""

from __future__ import annotations

import pytest

from hub.log.kafka import KafkaLog
from hub.log.port import EventLog
from tests.contracts.event_log import EventLogContract
from tests.servers.kafka import KafkaServer


def address_of(kafka: KafkaServer, **options: object) -> dict[str, object]:
    return {
        "bootstrap": kafka.bootstrap,
        "username": kafka.admin_username,
        "password": kafka.admin_password,
        "ca_file": str(kafka.ca_file),
        **options,
    }


class TestKafkaLog(EventLogContract):
    @pytest.fixture(autouse=True)
    def _broker(self, kafka: KafkaServer) -> None:
        self.kafka = kafka

    async def address(self) -> dict[str, object]:
        return address_of(self.kafka)

    async def open(self) -> EventLog:
        return await KafkaLog.open(**await self.address())  # type: ignore[arg-type]
