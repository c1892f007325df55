"""How to reach the operator's Kafka, as the client library wants it said, and what its errors mean to a caller."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, errors
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.helpers import create_ssl_context

from hub.model.errors import Broken, HubError, NotFound, TooLarge, TryAgain

SCRAM = "SCRAM-SHA-512"
REQUEST_TIMEOUT_MS = 15_000
STOP_WITHIN_S = 3.0

# What the broker says when a new try cannot help until somebody has acted.
_NOT_ALLOWED = (
    errors.TopicAuthorizationFailedError,
    errors.GroupAuthorizationFailedError,
    errors.ClusterAuthorizationFailedError,
    errors.TransactionalIdAuthorizationFailed,
)
_TOO_LARGE = (errors.MessageSizeTooLargeError, errors.RecordTooLargeError, errors.InvalidMessageError)


@dataclass(frozen=True, slots=True)
class KafkaConnection:
    """Addresses and credentials. Without a user name there are none; SASL is always SCRAM-SHA-512."""

    bootstrap: str
    security_protocol: str
    username: str | None
    password: str | None
    ca_file: str | None
    tls: ssl.SSLContext | None

    @classmethod
    async def of(
        cls,
        bootstrap: str,
        *,
        security_protocol: str | None = None,
        username: str | None = None,
        password: str | None = None,
        ca_file: str | None = None,
    ) -> KafkaConnection:
        """A connection's options, the authority's file read. With a user name the default is SASL_SSL."""
        protocol = security_protocol or ("SASL_SSL" if username else "PLAINTEXT")
        tls = await asyncio.to_thread(create_ssl_context, cafile=ca_file) if protocol.endswith("SSL") else None
        return cls(bootstrap, protocol, username, password, ca_file, tls)

    def options(self) -> dict[str, Any]:
        """For the clients of aiokafka."""
        options: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap,
            "security_protocol": self.security_protocol,
            "ssl_context": self.tls,
        }
        if self.username:
            options |= {
                "sasl_mechanism": SCRAM,
                "sasl_plain_username": self.username,
                "sasl_plain_password": self.password,
            }
        return options

    @asynccontextmanager
    async def admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        """A client for topics and records, connected."""
        admin = AIOKafkaAdminClient(**self.options(), request_timeout_ms=REQUEST_TIMEOUT_MS)
        try:
            await admin.start()
            yield admin
        finally:
            await admin.close()

    @asynccontextmanager
    async def reader(self, **options: Any) -> AsyncIterator[AIOKafkaConsumer]:
        """A consumer outside of any group, connected."""
        reader = AIOKafkaConsumer(**self.options(), request_timeout_ms=REQUEST_TIMEOUT_MS, **options)
        try:
            await reader.start()
            yield reader
        finally:
            await stop_consumer(reader)


async def stop_producer(producer: AIOKafkaProducer, *, within_s: float = STOP_WITHIN_S) -> None:
    """Stop a producer that may be unable to deliver what it still holds: nobody was told that this is stored.

    Each step has ``within_s``. While a batch cannot be delivered ``stop`` waits for it; closing the client fails the
    requests in flight; the sender may then still look for a coordinator, which it would do for ever.
    """
    await _let_go(producer.stop, producer.client.close, producer._sender.close, within_s=within_s)


async def stop_consumer(consumer: AIOKafkaConsumer, *, within_s: float = STOP_WITHIN_S) -> None:
    """Stop a consumer, and leave its group; a Kafka that is away will notice by itself."""
    await _let_go(consumer.stop, consumer._client.close, within_s=within_s)


async def _let_go(*steps: Callable[[], Awaitable[None]], within_s: float) -> None:
    for step in steps:
        with suppress(errors.KafkaError, TimeoutError):
            async with asyncio.timeout(within_s):
                await step()


@contextmanager
def told_plainly() -> Iterator[None]:
    """Errors of aiokafka as the caller may treat them; a deadline that passed is a log that is away."""
    try:
        yield
    except (errors.KafkaError, TimeoutError, OSError) as error:
        raise hub_error(error) from error


def hub_error(error: Exception) -> HubError:
    """What an error of aiokafka means to whoever called: mostly that it may pass by itself."""
    if isinstance(error, _NOT_ALLOWED):
        says = f"Kafka does not allow the hub's user what it needs: {error}."
        return Broken("log.not-allowed", says, "Grant it; `ctihub doctor --fix` does.")
    if isinstance(error, _TOO_LARGE):
        return TooLarge("log.too-large", "Kafka refuses a record of this size.", "Send it in smaller parts.")
    if isinstance(error, errors.UnknownTopicOrPartitionError):
        return NotFound("log.no-topic", "Kafka has no such topic.", "Add the centre first.")
    said = str(error) or type(error).__name__
    return TryAgain("log.away", f"Kafka does not answer: {said}.", retry_after_s=2)
