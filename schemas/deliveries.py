"""The body of ``GET /v1/deliveries``: the journal of reads."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from schemas.api import Body, Count, Moment


class DeliveryInfo(Body):
    """One answer to a reader. A live stream, a Kafka consumer group and a webhook are one, as far as they are."""

    principal: str
    """``anonymous``: all who sent no credentials."""
    token: str | None
    """The named token that read; None: the principal's own, a Kafka consumer group, or a webhook."""
    at: Moment
    """When it ended, or last got something."""
    began: Moment
    door: str
    """``taxii``, ``stream``, ``export``, ``changes``, ``lookup``, ``kafka``, ``webhook`` and so on."""
    collection: str | None
    """None if it was not one collection that the reader may read."""
    asked: str
    """The path below the collection with its parameters; ``…`` stands for what may be a value."""
    after: Count | None
    """The change after which it starts."""
    reached: Count | None
    """The last change that the reader has with it; None: that is not known, or not all was sent."""
    objects: Count | None
    bytes: Count | None
    """The size of the body, as it was sent."""
    status: Annotated[int, Field(ge=100, le=599)] | None
    """Of HTTP; None if the answer had not begun, for Kafka, and for a webhook without an answer."""
    client: str
    """``User-Agent``, or the Kafka consumer group, or the host of a webhook."""
    address: str


class DoorReached(Body):
    """How far a reader has come through one door with one token."""

    door: str
    token: str | None
    """A named token; None: the principal's own or one that was removed, all Kafka consumer groups, or all webhooks."""
    reached: Count
    at: Moment
    """When it last asked successfully."""


class ReaderLagInfo(Body):
    """How many changes of a collection a reader has not fetched through any door."""

    principal: str
    collection: str
    last_seq: Count
    """The last change of the collection."""
    reached: Count
    """The highest change that the reader has got; 0: none."""
    behind: Count
    """``last_seq - reached``."""
    at: Moment | None
    """When it last asked successfully; None: never."""
    doors: list[DoorReached]


class Deliveries(Body):
    """``GET /v1/deliveries``."""

    deliveries: list[DeliveryInfo]
    """The newest first."""
    behind: list[ReaderLagInfo]
    """Each reader and each collection that it may read, the greatest lag first."""
    behind_total: Count
    """The number of all of ``behind``, which has at most ``limit``."""
