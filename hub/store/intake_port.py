"""The part of the store's port about what sources sent: positions, receipts, held objects."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from hub.model.breaker import Trip
from hub.model.held import HeldState
from hub.model.words import TopicPartition
from hub.model.writes import ReceiptCounts


@dataclass(frozen=True, slots=True)
class Reached:
    """The next position of a partition of the event log, and when it last changed."""

    next: int
    moved_us: int


@dataclass(frozen=True, slots=True)
class ObjectProblem:
    """A problem of one object of a push, as its receipt reports it."""

    index: int
    """The index of the object in the push, from 0."""
    id: str | None
    state: str
    """The state of the object; with ``accepted`` the problem is a warning."""
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class PushedObject:
    """What became of one object of a push over TAXII."""

    index: int
    """The index of the object in the push, from 0."""
    id: str | None
    """As sent; None if it could not be read, or was erased."""
    version: str | None
    """As sent; None if it has none that could be read."""
    problems: Sequence[ObjectProblem]


@dataclass(frozen=True, slots=True)
class OwnHeld:
    """Something that a source sent and that was held, without its content, for the source itself."""

    no: int
    stix_id: str
    code: str
    says: str
    at_us: int
    state: HeldState
    receipt: str | None
    is_withdrawal: bool


class IntakeReader(Protocol):
    """Reads about what sources sent: positions, receipts, held objects."""

    async def reached(self) -> Mapping[TopicPartition, Reached]:
        """Returns the position of every partition from which a worker has stored records."""
        ...

    async def counts(self) -> Mapping[int, ReceiptCounts]:
        """Returns the counts of all objects that each source has sent, by source."""
        ...

    async def receipt_counts(self, receipt: str, source: int) -> ReceiptCounts:
        """Returns the counts of a receipt so far, summed over its parts."""
        ...

    def problems(
        self, receipt: str, source: int, *, from_index: int, in_one_partition: bool
    ) -> AsyncGenerator[ObjectProblem, None]:
        """Yields the problems of a receipt from ``from_index`` on, in order. Close the generator: it has a transaction.

        ``in_one_partition``: all records of the push are in one partition, so they were processed in order.
        """
        ...

    async def objects(self, receipt: str, source: int) -> Sequence[PushedObject]:
        """Returns the objects of a push over TAXII that have been processed, by index."""
        ...

    async def waiting(self) -> int:
        """Returns how many objects wait for the operator."""
        ...

    async def held_of(self, source: int, states: Collection[HeldState], after: int, limit: int) -> Sequence[OwnHeld]:
        """Returns what is held of a source in one of these states, after a number, ordered by number."""
        ...

    async def trips(self) -> Sequence[Trip]:
        """Returns the breakers that have tripped and wait for a decision, the first first."""
        ...

    async def released(self, known: Collection[int]) -> Mapping[int, bytes]:
        """Returns the objects released for their content, as they were received, by number, except the ``known``."""
        ...
