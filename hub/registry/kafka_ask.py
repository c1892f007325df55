"""Sends one raw protocol request to any broker, for requests that the libraries lack or handle badly."""

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import IncompatibleBrokerVersion, KafkaError

from hub.log.kafka_connection import KafkaConnection
from hub.model.errors import Broken, TryAgain

ANSWER_WITHIN_S = 10.0


async def ask(connection: KafkaConnection, request: Any) -> Any:
    """Returns the broker's answer. Raises TryAgain when there is none, Broken when brokers do not know the request."""
    try:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            client = AIOKafkaClient(**connection.options())
            try:
                await client.bootstrap()
                return await client.send(client.get_random_node(), request)
            finally:
                await client.close()
    except (IncompatibleBrokerVersion, NotImplementedError) as error:
        says = f"These brokers do not know what the hub asks: {error}."
        raise Broken("broker.too-old", says, "Use Kafka 4, or the provider's own tools.") from error
    except (KafkaError, TimeoutError, OSError) as error:
        raise TryAgain("broker.away", f"Kafka does not answer: {error!r}.", retry_after_s=5) from error
