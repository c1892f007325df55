"""Publishing to Kafka as a centre, and reading from it as a member. Only this module uses aiokafka.

It is selected with ``--to kafka``, never by the host's configuration. It needs the extra ``ctihub[kafka]``.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, Self, get_args

import orjson
from anyio.from_thread import BlockingPortal, start_blocking_portal

from connectors.sdk.client import PATIENCE_S, Notify, retries
from connectors.sdk.errors import ConnectorError, PublishRefused, TryLater, WrongSettings
from connectors.sdk.publisher import Acknowledged
from connectors.sdk.stream import ReceivedChange

try:
    import aiokafka
    from aiokafka import errors as kafka_errors
    from aiokafka.helpers import create_ssl_context
except ImportError as error:
    raise WrongSettings(
        "kafka.not-installed",
        "Kafka needs the library aiokafka, which is not installed.",
        "pip install 'ctihub[kafka]'",
    ) from error

# Brokers with auto.create.topics.enable would create a missing topic when a client requests its metadata: objects sent
# to a misspelt name would be lost.
aiokafka.client.MetadataRequest = partial(aiokafka.client.MetadataRequest, allow_auto_topic_creation=False)

_SecurityProtocol = Literal["SASL_SSL", "SASL_PLAINTEXT", "PLAINTEXT"]
PROTOCOLS: tuple[_SecurityProtocol, ...] = get_args(_SecurityProtocol)
_REQUEST_TIMEOUT_MS = 30_000
_MAX_BATCH_BYTES = 256 << 10
"""Small compared with the largest object, so that a record that is too large is alone in its batch."""
_MAX_REQUEST_BYTES = 16 << 20
_STOP_S = 5.0
_START_S = 20.0

_DENIED = (
    kafka_errors.TopicAuthorizationFailedError,
    kafka_errors.ClusterAuthorizationFailedError,
    kafka_errors.GroupAuthorizationFailedError,
)
_AWAY = (
    kafka_errors.KafkaTimeoutError,
    kafka_errors.RequestTimedOutError,
    kafka_errors.ProducerClosed,
    kafka_errors.UnknownProducerId,
    kafka_errors.OutOfOrderSequenceNumber,
    kafka_errors.InvalidProducerEpoch,
    TimeoutError,
    ConnectionError,
)


@dataclass(frozen=True, slots=True)
class KafkaAccess:
    """Address and credentials. The user is the principal's name, the password its token (SCRAM-SHA-512)."""

    bootstrap: str
    user: str
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    protocol: _SecurityProtocol = "SASL_SSL"

    def options(self) -> dict[str, Any]:
        """Returns the options for aiokafka. Raises WrongSettings."""
        options: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap,
            "security_protocol": self.protocol,
            "request_timeout_ms": _REQUEST_TIMEOUT_MS,
            "client_id": f"ctihub-{self.user}",
        }
        if self.protocol == "PLAINTEXT":
            return options
        if not self.password:
            raise WrongSettings("token.missing", "Kafka wants a token.", "Give --token, or CTIHUB_TOKEN.")
        options |= {
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_plain_username": self.user,
            "sasl_plain_password": self.password,
        }
        if self.protocol == "SASL_SSL":
            options["ssl_context"] = self._tls()
        return options

    def _tls(self) -> Any:
        try:
            return create_ssl_context(cafile=self.ca_file)
        except OSError as error:
            raise WrongSettings(
                "ca-file.unreadable", f"The CA file {self.ca_file} cannot be read: {error}.", "Check --ca-file."
            ) from error

    def failed(self, error: BaseException, topic: str) -> ConnectorError:
        """Translates an error. Kafka reports a wrong password only as a failed connection."""
        if isinstance(error, ConnectorError):
            return error
        if isinstance(error, _DENIED):
            return PublishRefused(
                "kafka.not-allowed", f"{self.user} has no right on the topic {topic}.", "Ask the hub's operator for it."
            )
        if isinstance(error, kafka_errors.UnknownTopicOrPartitionError):
            return PublishRefused("kafka.no-topic", f"There is no topic {topic}.", "Check the name of the centre.")
        if isinstance(error, _AWAY) or getattr(error, "retriable", False):
            return TryLater(
                "kafka.unreachable",
                f"Kafka at {self.bootstrap} does not take what is sent: {str(error) or type(error).__name__}.",
                "Check the address, the user, the token and the CA file.",
            )
        return PublishRefused("kafka.refused", f"Kafka refused to serve {topic}: {error}.")


class KafkaPublisher:
    """Publishes to ``intake.<centre>`` with an idempotent producer, acks=all, and one sending task to keep the order.

    aiokafka runs in a separate thread with its event loop; the runner makes one call at a time.
    """

    def __init__(
        self,
        broker: KafkaAccess,
        *,
        centre: str | None = None,
        patience_s: float | None = PATIENCE_S,
        notify: Notify | None = None,
    ) -> None:
        self.topic = f"intake.{centre or broker.user}"
        self.too_large: list[int] = []
        """Sizes in bytes of objects that are too large for the topic."""
        self._broker = broker
        self._patience_s = patience_s
        self._notify = notify or (lambda _: None)
        self._stack = ExitStack()
        self._portal: BlockingPortal = self._stack.enter_context(start_blocking_portal("asyncio"))
        self._producer: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def publish(self, bodies: Sequence[bytes]) -> Acknowledged:
        """Publish objects; all in-sync replicas have acknowledged every record when this returns."""
        for attempt in retries(self._patience_s, self._notify):
            with attempt:
                return self._portal.call(self._publish, bodies)
        raise AssertionError("unreachable: the last attempt raises")

    def withdraw(self, ids: Sequence[str]) -> Acknowledged:
        """Withdraw softly, by null values; all in-sync replicas have acknowledged them when this returns."""
        for attempt in retries(self._patience_s, self._notify):
            with attempt:
                return self._portal.call(self._withdraw, ids)
        raise AssertionError("unreachable: the last attempt raises")

    def close(self) -> None:
        """Stop the producer and its loop. Idempotent."""
        if self._producer is not None:
            self._portal.call(self._stop)
        self._stack.close()

    async def _publish(self, bodies: Sequence[bytes]) -> Acknowledged:
        before = len(self.too_large)
        try:
            await self._deliver(bodies)
        except Exception as error:
            await self._stop()  # a failed producer is not used again: its sequence numbers are uncertain
            raise self._broker.failed(error, self.topic) from error
        return Acknowledged(received=len(bodies) - (len(self.too_large) - before))

    async def _withdraw(self, ids: Sequence[str]) -> Acknowledged:
        try:
            producer = await self._started()
            sent = [await producer.send(self.topic, value=None, key=one.encode()) for one in ids]
            await asyncio.gather(*sent)
        except Exception as error:
            await self._stop()
            raise self._broker.failed(error, self.topic) from error
        return Acknowledged(received=len(ids))

    async def _deliver(self, bodies: Sequence[bytes]) -> None:
        """Send all objects; halves a batch that is too large until the object that is too large is alone.

        After such a refusal the broker refuses later records as out of order, and a batch of small objects may be too
        large for a topic with a small limit. So only an object that was refused alone is too large.
        """
        outcomes = await self._outcomes(bodies)
        errors = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        if not errors:
            return
        if not any(isinstance(error, kafka_errors.MessageSizeTooLargeError) for error in errors):
            raise errors[0]
        await self._stop()
        unsent = [body for body, outcome in zip(bodies, outcomes, strict=True) if isinstance(outcome, BaseException)]
        if len(unsent) == 1:
            self.too_large.append(len(unsent[0]))
            return
        middle = len(unsent) // 2
        await self._deliver(unsent[:middle])
        await self._deliver(unsent[middle:])

    async def _outcomes(self, bodies: Sequence[bytes]) -> list[Any]:
        """Returns the result or exception of each. One task sends all, which keeps the order."""
        producer = await self._started()
        sent = [await self._send(producer, body) for body in bodies]
        return await asyncio.gather(*sent, return_exceptions=True)

    async def _started(self) -> Any:
        if self._producer is None:
            producer = aiokafka.AIOKafkaProducer(
                **self._broker.options(),
                enable_idempotence=True,
                acks="all",
                compression_type="zstd",
                max_batch_size=_MAX_BATCH_BYTES,
                max_request_size=_MAX_REQUEST_BYTES,
                linger_ms=5,
            )
            try:
                async with asyncio.timeout(_START_S):
                    await producer.start()
            except BaseException:
                await producer.stop()
                raise
            self._producer = producer
        return self._producer

    async def _send(self, producer: Any, body: bytes) -> Any:
        try:
            return await producer.send(self.topic, value=body, key=_key(body))
        except kafka_errors.MessageSizeTooLargeError as error:  # larger than a request may be: nothing was sent
            refused: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            refused.set_exception(error)
            return refused

    async def _stop(self) -> None:
        producer, self._producer = self._producer, None
        if producer is None:
            return
        # stop waits for pending records; closing the client makes them fail; the sender may still search for a broker
        for step in (producer.stop, producer.client.close, producer._sender.close):
            try:
                async with asyncio.timeout(_STOP_S):
                    await step()
            except TimeoutError:
                continue
            except kafka_errors.KafkaError as error:
                self._notify(f"Kafka let go with an error: {error}.")


def _key(body: bytes) -> bytes | None:
    """Returns the STIX id, so that all versions of an object are in one partition; None if it cannot be read."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    name = found.get("id") if isinstance(found, dict) else None
    return name.encode() if isinstance(name, str) and name.isascii() and len(name) <= 1_024 else None


class KafkaFollower:
    """Reads ``collection.<name>`` as a member's Kafka client should: committed records with increasing ``seq`` only."""

    def __init__(self, broker: KafkaAccess, collection: str, *, after: int | Literal["now"] = 0) -> None:
        self.seq: int | None = None if after == "now" else after
        self._broker = broker
        self._topic = f"collection.{collection}"
        self.trouble: TryLater | None = None
        """Always None: errors are raised."""
        self.on_attempt: Callable[[], None] = lambda: None
        """Called when the consumer has its partitions: before that, missing records mean nothing."""

    async def changes(self) -> AsyncGenerator[ReceivedChange, None]:
        """Yields every change after ``seq`` that compaction has kept, in order, each once, without end."""
        consumer = aiokafka.AIOKafkaConsumer(
            # subscribe, never assign: without the right to read the topic, assign loops without raising
            self._topic,
            **self._broker.options(),
            group_id=f"{self._broker.user}.subscribe-{secrets.token_hex(4)}",
            enable_auto_commit=False,
            auto_offset_reset="latest" if self.seq is None else "earliest",
            isolation_level="read_committed",
        )
        try:
            async with asyncio.timeout(_START_S):
                await consumer.start()
            self.on_attempt()
            async for record in consumer:
                change = _change(record)
                if self.seq is None or change.seq > self.seq:
                    self.seq = change.seq
                    yield change
        except (kafka_errors.KafkaError, OSError) as error:  # TimeoutError is an OSError
            raise self._broker.failed(error, self._topic) from error
        finally:
            await consumer.stop()


def _change(record: Any) -> ReceivedChange:
    """Converts a record to a change. Raises PublishRefused if it is not a hub's."""
    seq = next((int(value) for name, value in record.headers if name == "seq" and value.isdigit()), None)
    if seq is None or record.key is None:
        raise PublishRefused("stream.unreadable", f"The topic {record.topic} holds a record that is not a hub's.")
    withdrawn = record.key.decode("utf-8", "replace") if record.value is None else None
    return ReceivedChange(seq, record.value, withdrawn)
