"""The event log's port: what every adapter promises. Callers do not depend on the adapter."""

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
    "SaysRecord",
    "StoredPositions",
    "StoredRecord",
    "Topic",
    "TopicPartition",
]

StoredPositions = Callable[[Collection[TopicPartition]], Awaitable[Positions]]
"""Returns the stored positions. A partition without one is read from its beginning."""


SaysRecord = Callable[[StoredRecord], bool]
"""Whether a record is one of those that are searched for. Called in any thread."""


class RecordsTooLarge(TooLarge):
    """Some records of an append exceed the log's limit; all others are stored."""

    def __init__(self, indices: Sequence[int], positions: Positions) -> None:
        super().__init__("log.too-large", "The event log takes no record of this size.", "Send smaller objects.")
        self.indices = indices
        """The indexes of the refused records in the append."""
        self.positions = positions
        """The positions after the stored records, by partition."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """A problem of the log's servers that an operator should resolve."""

    says: str
    """One sentence."""
    way_out: str
    stops: bool
    """Whether a part of the hub does not work."""


class Consumer(Protocol):
    """A worker's reader of all intake topics. Promises, each a test in ``tests/contracts/event_log.py``:

    - records of one partition are returned in the order of their appends, none missing, each once per consumer;
    - topics that are created later are read too, within seconds;
    - a new consumer, and any consumer after ``rewind``, continues at the positions of ``StoredPositions``.
    """

    async def take(self, *, limit: int, limit_bytes: int, wait_s: float) -> Batch:
        """Returns up to ``limit`` records of about ``limit_bytes`` (one at least, if there is one).

        Waits up to ``wait_s`` seconds for the first record, then returns an empty batch. Raises TryAgain when the log
        is not available.
        """
        ...

    async def rewind(self) -> None:
        """Discard fetched records and continue at the stored positions."""
        ...

    async def lag(self) -> Mapping[TopicPartition, int]:
        """Returns the number of unread records in each partition that this consumer reads."""
        ...

    async def close(self) -> None:
        """Release the partitions, so that other consumers can take them over."""
        ...


class EventLog(Protocol):
    """All that enters the hub goes through it. Promises, each a test in ``tests/contracts/event_log.py``:

    - when ``append`` has returned, the records survive the death of any process;
    - the records of one ``append`` to a topic are stored in order, and acknowledged together or not at all;
    - records are read in the order of their appends, with times that never decrease within a partition.
    """

    async def create(self, topic: Topic) -> None:
        """Create a topic if it does not exist."""
        ...

    async def append(self, topic: Topic, records: Sequence[Record]) -> Positions:
        """Store ``records`` durably; returns the position after the last of them, by partition.

        Raises TryAgain when the log does not acknowledge them, NotFound for an unknown topic, RecordsTooLarge.
        """
        ...

    def consumer(self, stored: StoredPositions) -> Consumer:
        """Returns a new consumer of all topics that begin with ``intake.``."""
        ...

    async def ends(self) -> Positions:
        """Returns the position after the last record of every intake partition. Raises TryAgain.

        Records between the stored positions and these wait for a worker. Kafka's transaction markers count as well.
        """
        ...

    async def trim(self, positions: Positions, *, older_than: datetime) -> int:
        """Delete records below ``positions`` that are older than ``older_than``; returns how many."""
        ...

    async def find(self, says: SaysRecord) -> Sequence[StoredRecord]:
        """Returns the records that are there now and that ``says`` holds for, also those that were not read yet. Where
        the log has topics of rejections, these are searched as well.
        """
        ...

    async def erase(
        self, records: Collection[tuple[TopicPartition, int]], positions: Positions
    ) -> Collection[tuple[TopicPartition, int]]:
        """Erase the content of these records (partition and offset), so that nobody can read it again; returns those
        that are erased. A log that can only delete the beginning of a partition also deletes what precedes them, and
        nothing above ``positions``. An erased record that is still there is read as one that was erased.
        """
        ...

    async def clean(self) -> None:
        """Remove what was erased or deleted from the files as well, where the hub keeps them. Raises TryAgain."""
        ...

    async def put_back(self, now: datetime, *, later_than: datetime) -> int:
        """Set the time of records to ``now`` if it is later than ``later_than`` because of a wrong clock, or missing
        because the clock was in doubt; returns how many.

        Times from the clock of another machine, such as a Kafka broker, are not changed.
        """
        ...

    async def ready(self) -> bool:
        """Returns whether an append works now."""
        ...

    async def complaints(self) -> Sequence[Complaint]:
        """Returns problems that prevent reading records, or may do so. Raises TryAgain."""
        ...

    async def close(self) -> None:
        """Release files and connections."""
        ...
