"""The event log's port: what every adapter promises. Nothing above knows which adapter it has."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from hub.model.errors import TooLarge
from hub.model.event_log import INTAKE_PREFIX, Batch, Record, StoredRecord
from hub.model.words import Positions, Topic, TopicPartition

__all__ = [
    "INTAKE_PREFIX",
    "Batch",
    "Complaint",
    "Consumer",
    "EventLog",
    "Positions",
    "Record",
    "RecordsTooLarge",
    "StoredPositions",
    "StoredRecord",
    "Topic",
    "TopicPartition",
]

StoredPositions = Callable[[Collection[TopicPartition]], Awaitable[Positions]]
"""Asks the store where to go on; a partition that it does not name starts at its beginning."""


class RecordsTooLarge(TooLarge):
    """Some records of an append are larger than the log takes; all others are stored."""

    def __init__(self, indices: Sequence[int], positions: Positions) -> None:
        super().__init__("log.too-large", "The event log takes no record of this size.", "Send smaller objects.")
        self.indices = indices
        """Which records of the append."""
        self.positions = positions
        """After the last of the others, in each partition that got one."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """Something about the servers of the log that an operator should change."""

    says: str
    """One sentence."""
    way_out: str
    stops: bool
    """Whether something does not work at all."""


class Consumer(Protocol):
    """One worker's reading of all intake topics. Promises, each a test in ``tests/contracts/event_log.py``:

    - records of one partition come in the order of their appends, none missing, each once while this consumer lives;
    - topics that are made later are read too, within seconds;
    - a new consumer, or one that was told to ``rewind``, goes on at what ``StoredPositions`` says.
    """

    async def take(self, *, limit: int, limit_bytes: int, wait_s: float) -> Batch:
        """Up to ``limit`` records of about ``limit_bytes`` (one at least, if there is one); waits for the first.

        An empty batch after ``wait_s`` without a record. Raises TryAgain when the log is away.
        """
        ...

    async def rewind(self) -> None:
        """Forget what was taken and go on at the stored positions."""
        ...

    async def lag(self) -> Mapping[TopicPartition, int]:
        """How many records wait in each partition that this consumer reads."""
        ...

    async def close(self) -> None:
        """Leave; others may take over the partitions at once."""
        ...


class EventLog(Protocol):
    """The only way into the hub. Promises, each a test in ``tests/contracts/event_log.py``:

    - when ``append`` has returned, the records survive the death of any process;
    - the records of one ``append`` to a topic are stored in order, all or none is acknowledged;
    - what was appended is read in that order, with times that never fall within a partition.
    """

    async def create(self, topic: Topic) -> None:
        """Make sure that a topic exists. Idempotent."""
        ...

    async def append(self, topic: Topic, records: Sequence[Record]) -> Positions:
        """Store ``records`` durably and give the positions after the last of them in each partition that got one.

        Raises TryAgain when the log cannot say that it did, NotFound for a topic that was not made, RecordsTooLarge.
        """
        ...

    def consumer(self, stored: StoredPositions) -> Consumer:
        """A reader of all topics that begin with ``intake.``."""
        ...

    async def ends(self) -> Positions:
        """Where every intake partition ends: the position after its last record. Raises TryAgain when the log is away.

        What lies between the stored positions and these waits for a worker; Kafka counts its marks of transactions too.
        """
        ...

    async def trim(self, positions: Positions, *, older_than: datetime) -> int:
        """Let go of records below ``positions`` that are older; returns how many. Never of one that was not taken."""
        ...

    async def put_back(self, now: datetime, *, later_than: datetime) -> int:
        """Give ``now`` as their time to records that a wrong clock has dated later than ``later_than``, and to those
        that came undated while the clock was in doubt; returns how many.

        What another machine dates, as a broker does, stays as it is.
        """
        ...

    async def ready(self) -> bool:
        """Whether an append would work now."""
        ...

    async def complaints(self) -> Sequence[Complaint]:
        """What keeps records from being taken, or could. Raises TryAgain when the log is away."""
        ...

    async def close(self) -> None:
        """Release files and connections."""
        ...
