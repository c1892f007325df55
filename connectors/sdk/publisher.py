"""The port through which a runner publishes, and how items become batches. Adapters: ``http``, ``kafka``, ``lines``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol

import orjson

from connectors.sdk.connector import Checkpoint, Item
from connectors.sdk.output import write_out

BATCH_OBJECTS = 5_000
BATCH_BYTES = 4 << 20
"""A request's worth: large enough that its fsync and its round trip vanish, far below the hub's MAX_PUSH_BYTES."""


@dataclass(frozen=True, slots=True)
class ItemBatch:
    """Objects that are published together, in order, and how far the connector is once they are."""

    bodies: tuple[bytes, ...]
    """Each one line of JSON (or of what was meant to be JSON)."""
    checkpoint: Checkpoint | None
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """What the other side has durably. ``receipts``: where the verdicts will be read, if it hands out receipts."""

    received: int
    receipts: tuple[str, ...] = ()


class Publisher(Protocol):
    """Where batches go. Promises: when ``publish`` has returned, the objects survive the death of any process there;
    batches arrive in the order of the calls; one that raised may have arrived in part, and may be published again.
    """

    too_large: list[int]
    """Sizes in bytes of objects that were left out because the other side takes none so large. Whoever tells somebody
    of them empties it."""

    def publish(self, bodies: Sequence[bytes]) -> Acknowledged:
        """Publish objects, each one line of bytes. Waits and retries by itself within its patience.

        Raises TryLater when that is over, PublishRefused where no retry would help.
        """
        ...

    def close(self) -> None:
        """Release connections. Idempotent."""
        ...


class LinesPublisher:
    """Writes NDJSON to a stream, so that a connector runs where there is no hub."""

    def __init__(self, to: BinaryIO) -> None:
        self.too_large: list[int] = []
        self._to = to

    def publish(self, bodies: Sequence[bytes]) -> Acknowledged:
        """Write all of it, and flush."""
        write_out(self._to, b"\n".join(bodies) + b"\n")
        return Acknowledged(received=len(bodies))

    def close(self) -> None:
        """The stream belongs to who gave it."""


def batches(items: Iterable[Item], *, limit_objects: int, limit_bytes: int) -> Iterator[ItemBatch]:
    """Items in batches below both limits (one item at least, however long it is)."""
    bodies: list[bytes] = []
    size = 0
    last: Item | None = None
    for item in items:
        body = as_line(item.body)
        if bodies and (len(bodies) >= limit_objects or size + len(body) > limit_bytes):
            yield _batch(bodies, last, size)
            bodies, size, last = [], 0, None
        bodies.append(body)
        size += len(body) + 1
        if item.checkpoint is not None:
            last = item
    if bodies:
        yield _batch(bodies, last, size)


def _batch(bodies: list[bytes], last: Item | None, size: int) -> ItemBatch:
    checkpoint = last.checkpoint if last else None
    return ItemBatch(tuple(bodies), checkpoint() if callable(checkpoint) else checkpoint, size)


def as_line(body: bytes | Mapping[str, Any]) -> bytes:
    """An item's body as one line of NDJSON. Bytes stay what they are, save that line breaks become tabs."""
    if not isinstance(body, bytes):
        return _encode(body)
    if b"\n" in body or b"\r" in body:
        # blank between tokens like a line break, and as wrong as one inside a string: the verdict does not change
        return body.replace(b"\n", b"\t").replace(b"\r", b"\t")
    return body


def _encode(body: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(body)
    except TypeError:  # integers over 64 bits, lone surrogates: JSON all the same, and the hub's to judge
        return json.dumps(body, separators=(",", ":"), default=str).encode()
