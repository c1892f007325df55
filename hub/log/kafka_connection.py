"""Connections to the operator's Kafka with aiokafka, and the translation of its errors."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, client, errors
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.helpers import create_ssl_context

from hub.model.errors import Broken, HubError, NotFound, TooLarge, TryAgain

# Brokers with auto.create.topics.enable would create a missing topic when a client requests its metadata.
client.MetadataRequest = partial(client.MetadataRequest, allow_auto_topic_creation=False)

SCRAM = "SCRAM-SHA-512"
REQUEST_TIMEOUT_MS = 15_000
STOP_WITHIN_S = 3.0
ANSWER_WITHIN_S = 3.0
LOOK_WITHIN_S = 1.0

# Errors of brokers that an operator must resolve before a retry can succeed.
_NOT_ALLOWED = (
    errors.TopicAuthorizationFailedError,
    errors.GroupAuthorizationFailedError,
    errors.ClusterAuthorizationFailedError,
    errors.TransactionalIdAuthorizationFailed,
)
_TOO_LARGE = (errors.MessageSizeTooLargeError, errors.RecordTooLargeError, errors.InvalidMessageError)
_OF_THE_BROKERS: dict[type[Exception], tuple[str, str, str]] = {
    errors.InvalidSessionTimeoutError: (
        "log.session-timeout",
        "Kafka allows no worker the session time that it asks for",
        "Set group.min.session.timeout.ms to 6000 or less and group.max.session.timeout.ms to 6000 or more.",
    ),
    errors.InvalidTransactionTimeout: (
        "log.transaction-timeout",
        "Kafka does not allow the relay's transactions to last 10 s",
        "Set transaction.max.timeout.ms to 10000 or more.",
    ),
    errors.GroupCoordinatorNotAvailableError: (
        "log.no-coordinator",
        "Kafka names no broker for the hub's groups or transactions",
        "If this lasts, see offsets.topic.replication.factor and transaction.state.log.replication.factor: neither may "
        "be above the number of brokers.",
    ),
    errors.NotEnoughReplicasError: (
        "log.few-replicas",
        "Kafka acknowledges nothing while fewer replicas are in sync than min.insync.replicas requires",
        "Start the brokers that are down; the topic needs more replicas than min.insync.replicas.",
    ),
    errors.InvalidReplicationFactorError: (
        "log.replication",
        "Kafka cannot make a topic with so many replicas",
        "Set KAFKA_REPLICATION to the number of brokers, 3 at most.",
    ),
    errors.PolicyViolationError: (
        "log.settings-refused",
        "Kafka does not allow a topic with the settings that the hub gives it",
        "Make the topic yourself, with the settings of docs/kafka.md.",
    ),
}
"""Errors that are caused by settings of the brokers: code, message, and what to do."""
_OF_THE_BROKERS[errors.NotEnoughReplicasAfterAppendError] = _OF_THE_BROKERS[errors.NotEnoughReplicasError]
_OF_THE_BROKERS[errors.InvalidConfigurationError] = _OF_THE_BROKERS[errors.PolicyViolationError]


@dataclass(frozen=True, slots=True)
class KafkaConnection:
    """Addresses and credentials. Credentials need a user name; SASL is always SCRAM-SHA-512."""

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
        """Returns a connection; reads ``ca_file``. With a user name the default protocol is SASL_SSL."""
        protocol = security_protocol or ("SASL_SSL" if username else "PLAINTEXT")
        tls = await asyncio.to_thread(create_ssl_context, cafile=ca_file) if protocol.endswith("SSL") else None
        return cls(bootstrap, protocol, username, password, ca_file, tls)

    def options(self) -> dict[str, Any]:
        """Returns the options for clients of aiokafka."""
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
        """A connected admin client for topics and records."""
        admin = AIOKafkaAdminClient(**self.options(), request_timeout_ms=REQUEST_TIMEOUT_MS)
        try:
            await admin.start()
            yield admin
        finally:
            await admin.close()

    @asynccontextmanager
    async def reader(self, **options: Any) -> AsyncIterator[AIOKafkaConsumer]:
        """A connected consumer without a group."""
        reader = AIOKafkaConsumer(**self.options(), request_timeout_ms=REQUEST_TIMEOUT_MS, **options)
        try:
            await reader.start()
            yield reader
        finally:
            await stop_consumer(reader)


async def stop_producer(producer: AIOKafkaProducer, *, within_s: float = STOP_WITHIN_S) -> None:
    """Stop a producer that may be unable to send its pending records, which were not acknowledged to any caller.

    Each step may take ``within_s`` seconds. ``stop`` waits for batches that cannot be sent; closing the client then
    makes the pending requests fail; the sender may still search for a coordinator, which it would do for ever.
    """
    await _let_go(producer.stop, producer.client.close, producer._sender.close, within_s=within_s)


async def stop_consumer(consumer: AIOKafkaConsumer, *, within_s: float = STOP_WITHIN_S) -> None:
    """Stop a consumer and leave its group. A Kafka that is not available removes it after the session timeout."""
    await _let_go(consumer.stop, consumer._client.close, within_s=within_s)


async def _let_go(*steps: Callable[[], Awaitable[None]], within_s: float) -> None:
    for step in steps:
        with suppress(errors.KafkaError, TimeoutError):
            async with asyncio.timeout(within_s):
                await step()


async def ensure_coordinator(kafka: client.AIOKafkaClient, kind: int, key: str) -> None:
    """Raises GroupCoordinatorNotAvailableError if no broker is the coordinator of this group or transaction.

    The library's clients search for one without limit and report nothing. Call this after such a call timed out.
    """
    async with asyncio.timeout(ANSWER_WITHIN_S):
        await kafka.coordinator_lookup(kind, key)


async def few_replicas(kafka: client.AIOKafkaClient, topic: str) -> TryAgain | None:
    """Returns an error if replicas of a topic are not in sync, the likely reason for missing acknowledgements."""
    try:
        async with asyncio.timeout(LOOK_WITHIN_S):
            cluster = await kafka.fetch_all_metadata()
    except (errors.KafkaError, TimeoutError, OSError):
        return None
    for at in (cluster._partitions.get(topic) or {}).values():
        if len(at.isr) < len(at.replicas):
            code, says, way_out = _OF_THE_BROKERS[errors.NotEnoughReplicasError]
            says = f"{topic} has {len(at.isr)} of {len(at.replicas)} replicas in sync. {says}."
            return TryAgain(code, says, way_out, retry_after_s=5)
    return None


@contextmanager
def told_plainly() -> Iterator[None]:
    """Raises errors of aiokafka, and timeouts, as errors of the hub."""
    try:
        yield
    except (errors.KafkaError, TimeoutError, OSError) as error:
        raise hub_error(error) from error


def hub_error(error: Exception) -> HubError:
    """Translates an error of aiokafka to one of the hub, mostly TryAgain.

    Wrong settings of the brokers are TryAgain too: the hub's processes wait until an operator has changed them.
    """
    if isinstance(error, _NOT_ALLOWED):
        says = f"Kafka does not allow the hub's user what it needs: {error}."
        return Broken("log.not-allowed", says, "Grant it; `ctihub doctor --fix` does.")
    if isinstance(error, _TOO_LARGE):
        return TooLarge("log.too-large", "Kafka refuses a batch of this size.", "Raise max.message.bytes of the topic.")
    if isinstance(error, errors.UnknownTopicOrPartitionError):
        return NotFound("log.no-topic", "Kafka has no such topic.", "Add the centre first.")
    for kind, (code, says, way_out) in _OF_THE_BROKERS.items():
        if isinstance(error, kind):
            return TryAgain(code, f"{says}.", way_out, retry_after_s=30)
    said = str(error) or type(error).__name__
    return TryAgain("log.away", f"Kafka does not answer: {said}.", retry_after_s=2)
