"""The port for publishing, and the batches of items. Adapters are in ``http``, ``kafka`` and, for NDJSON, here."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol

import orjson

from connectors.sdk.connector import Checkpoint, Item, SourceList
from connectors.sdk.errors import WrongSettings
from connectors.sdk.output import write_out
from connectors.sdk.places import ObjectPlace

BATCH_OBJECTS = 5_000
BATCH_BYTES = 4 << 20
"""The size of a request: large, so that fsync and round trip do not matter, but far below MAX_PUSH_BYTES."""


@dataclass(frozen=True, slots=True)
class ItemBatch:
    """Objects to publish together, in order, and the checkpoint after them."""

    bodies: tuple[bytes, ...]
    """Each is one line of JSON, possibly malformed."""
    checkpoint: Checkpoint | None
    size_bytes: int
    lists: tuple[SourceList | None, ...] = ()
    """The list that each object stands in."""
    places: tuple[ObjectPlace | None, ...] = ()
    """Where each object stands in its file."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The result of publishing. ``receipts``: the URLs of the receipts, if the target has any."""

    received: int
    receipts: tuple[str, ...] = ()
    left_out: tuple[int, ...] = ()
    """The indexes of the objects that exceed the target's limit, in order, if the target tells them."""


class Publisher(Protocol):
    """The target of batches. Promises: when ``publish`` has returned, the objects survive the death of any process of
    the target; batches arrive in the order of the calls; a batch that failed may have arrived in part, and may be
    published again.
    """

    too_large: list[int]
    """Sizes in bytes of objects that were left out because they exceed the target's limit. The caller that reports them
    clears it."""

    def publish(self, bodies: Sequence[bytes]) -> Acknowledged:
        """Publish objects, each one line of bytes. Retries for a limited time.

        Raises TryLater after that time, PublishRefused if a retry does not help.
        """
        ...

    def withdraw(self, ids: Sequence[str]) -> Acknowledged:
        """Withdraw softly what the source lists no more. Raises as ``publish``, and WrongSettings if the target has no
        withdrawals.
        """
        ...

    def close(self) -> None:
        """Release connections. Idempotent."""
        ...


class LinesPublisher:
    """Writes NDJSON to a stream, so that a connector can run without a hub."""

    def __init__(self, to: BinaryIO) -> None:
        self.too_large: list[int] = []
        self._to = to

    def publish(self, bodies: Sequence[bytes]) -> Acknowledged:
        """Write all of it, and flush."""
        write_out(self._to, b"\n".join(bodies) + b"\n")
        return Acknowledged(received=len(bodies))

    def withdraw(self, ids: Sequence[str]) -> Acknowledged:
        """Raises WrongSettings: a stream of objects has no withdrawals."""
        raise WrongSettings(
            "withdraw.nowhere", f"{len(ids):,} withdrawals have no place in a stream of objects.", "Publish to a hub."
        )

    def close(self) -> None:
        """Does nothing: the caller closes the stream."""


def batches(items: Iterable[Item], *, limit_objects: int, limit_bytes: int) -> Iterator[ItemBatch]:
    """Yields items in batches within both limits (at least one item, however long)."""
    taken: list[tuple[bytes, Item]] = []
    size = 0
    for item in items:
        body = as_line(item.body)
        if taken and (len(taken) >= limit_objects or size + len(body) > limit_bytes):
            yield _batch(taken, size)
            taken, size = [], 0
        taken.append((body, item))
        size += len(body) + 1
    if taken:
        yield _batch(taken, size)


def _batch(taken: list[tuple[bytes, Item]], size: int) -> ItemBatch:
    checkpoint = next((item.checkpoint for _, item in reversed(taken) if item.checkpoint is not None), None)
    return ItemBatch(
        tuple(body for body, _ in taken),
        checkpoint() if callable(checkpoint) else checkpoint,
        size,
        tuple(item.source_list for _, item in taken),
        tuple(item.place for _, item in taken),
    )


def as_line(body: bytes | Mapping[str, Any]) -> bytes:
    """Returns an item's body as one line of NDJSON. In bytes, only line breaks are changed, to tabs."""
    if not isinstance(body, bytes):
        return _encode(body)
    if b"\n" in body or b"\r" in body:
        # between tokens a tab is as valid as a line break, inside a string as invalid: the verdict is the same
        return body.replace(b"\n", b"\t").replace(b"\r", b"\t")
    return body


def _encode(body: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(body)
    except TypeError:  # integers over 64 bits or lone surrogates: valid for json, and the hub decides
        return json.dumps(body, separators=(",", ":"), default=str).encode()
