"""The store's port: what every adapter promises. Contributions and views inside, change logs for the doors.

``Transaction`` is how a worker writes. Everybody else reads through the readers of ``Store``, each of one subject. They
give values: no connection and no row of a database leaves the store.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from hub.model.claims import Claim, ClaimKey, View
from hub.model.policy import Policy
from hub.model.reads import Answers, Reads
from hub.model.tasks import DueTask
from hub.model.words import CanonicalKey, Positions, Seq, StixId, TopicPartition
from hub.model.writes import Head, Held, ReceiptCounts, Writes


class LogEnd(NamedTuple):
    """A log and where it ends."""

    name: str
    """``collection.<name>`` or ``rejected.<source>``; another name for one whose collection was removed."""
    seq: Seq


class Transaction(Protocol):
    """One step of a worker, whole or not at all. Writers of one key wait for one another."""

    async def policy(self) -> Policy:
        """The policy in force, read inside this transaction."""
        ...

    async def load(self, reads: Reads, policy: Policy) -> Answers:
        """Look up all that is asked."""
        ...

    async def heads(self, logs: Collection[int]) -> dict[int, Head]:
        """Where these logs end; until the commit nobody else appends to them. Call it last before ``write``."""
        ...

    async def prepare(self, writes: Writes) -> None:
        """Write what needs no number: contributions, references, placements. Come before ``heads``, when all has been
        loaded: what is written here keeps nobody waiting for the logs.
        """
        ...

    async def write(self, writes: Writes) -> None:
        """Write it all, but for what was prepared."""
        ...

    async def advance(self, start: Positions, end: Positions, now_us: int) -> None:
        """Move the log positions. Raises Stale when they are not at ``start`` any more: another worker was here."""
        ...

    async def due(self, now_us: int) -> list[DueTask]:
        """The tasks that are to be done now, the oldest first."""
        ...

    async def take(self, task: DueTask) -> bool:
        """Keep other workers from a task until the commit; False when one has it, or has got further with it."""
        ...

    async def move(self, task: DueTask, cursor: bytes | None) -> None:
        """A task that was taken is done as far as this; None: to its end."""
        ...

    async def alone(self) -> None:
        """Wait for every other step, and let none begin before the commit. Come first."""
        ...

    async def claims_above(self, key: bytes, source: int | None, limit: int) -> list[ClaimKey]:
        """The next contributions, of one source or of all, in the order of their keys."""
        ...

    async def set_date(self, task: DueTask, now_us: int) -> None:
        """Set the date to that of ``now_us``, unless one as late is set, and have the task done again at midnight."""
        ...

    async def released(self, limit: int) -> list[Held]:
        """Held objects that the operator has released and that nobody has taken up yet."""
        ...


# ---------------------------------------------------------------- reading logs


@dataclass(frozen=True, slots=True)
class Filter:
    """What a reader of a collection asks for. Empty means all."""

    ids: frozenset[str] = frozenset()
    """Objects that the collection shows; not with ``log``."""
    types: frozenset[str] = frozenset()
    versions: tuple[str, ...] = ("last",)
    """Any of ``last``, ``first``, ``all``, and versions in microseconds as text."""
    after_us: int | None = None
    """Only rows whose ``date_added`` is later."""
    log: bool = False
    """The whole change log, withdrawals included, instead of what the collection holds."""


WHOLE_LOG = Filter(log=True)

LOG_OF_NOBODY = "rejections"
"""The name of the log of what was rejected in intake topics that belong to no source."""


class LogRow(NamedTuple):
    """What a reader of a log is told of a row besides its body. See ``hub/model/claims.Change``."""

    seq: Seq
    date_added_us: int
    version_us: int
    object_id: StixId
    type: str
    withdrawn: bool
    size: int
    """Of its body, in bytes."""


@dataclass(frozen=True, slots=True)
class LogPage:
    """Rows of a log in their order, with their bodies where these were asked for, and whether more follow."""

    rows: Sequence[LogRow]
    bodies: Sequence[bytes]
    more: bool
    end: Head | None = None
    """Of a page without rows: where the log ended at that moment. Nothing up to there passes the filter."""

    def with_bodies(self) -> Iterator[tuple[LogRow, bytes]]:
        """Each row with its body, where these were asked for."""
        return zip(self.rows, self.bodies, strict=True)


class LogReader(Protocol):
    """The change logs of collections and the logs of rejections. Promises:

    - a log has no gap, and who has read up to N never later meets a new row at or below N;
    - what was committed is read by every process at once.
    """

    async def page(
        self, log: int, after: Seq, *, limit: int, limit_bytes: int, by: Filter = WHOLE_LOG, bodies: bool = True
    ) -> LogPage:
        """The rows above ``after`` that pass ``by``, as many as the limits allow, one at least if there is one.

        However large the objects, no more than ``limit_bytes`` of them (or one object) are read.
        """
        ...

    async def head(self, log: int) -> Head:
        """Where a log ends now."""
        ...

    async def ends(self) -> Mapping[int, LogEnd]:
        """The name of every log and where it ends now."""
        ...

    async def number(self, name: str) -> int | None:
        """The number of the log ``collection.<name>`` or ``rejected.<source>``; None when there is none."""
        ...

    async def shows(self, log: int, object_id: str) -> bool:
        """Whether a collection shows an object, in whatever version."""
        ...

    def watch(self) -> AsyncGenerator[None, None]:
        """Yields soon after each commit that another process or this one made; may yield without one."""
        ...


# ---------------------------------------------------------------- things


class ShownView(NamedTuple):
    """A view, and the bytes of the row that it points to."""

    view: View
    body: bytes


class Placed(NamedTuple):
    """A contribution that stands for a merged relationship in one collection."""

    thing: CanonicalKey
    collection: int
    claim: Claim


class ThingReader(Protocol):
    """What the hub knows of single things: what collections show of them, and what is claimed about them."""

    async def shown(self, things: Collection[CanonicalKey], collections: Collection[int]) -> Sequence[ShownView]:
        """What these collections show, or last showed, of these things."""
        ...

    async def views_under(self, object_id: StixId, collections: Collection[int]) -> Sequence[View]:
        """The views that show or once showed an object under this id."""
        ...

    async def claims_about(self, things: Collection[CanonicalKey]) -> Sequence[Claim]:
        """Contributions about these things; see ``placed`` for those about merged relationships."""
        ...

    async def claims_under(self, ids: Collection[StixId]) -> Sequence[Claim]:
        """Contributions under these ids, of whatever source."""
        ...

    async def placed(self, things: Collection[CanonicalKey]) -> Sequence[Placed]:
        """The contributions that stand for these merged relationships, by collection."""
        ...

    async def relationships_of(self, keys: Collection[ClaimKey]) -> Collection[CanonicalKey]:
        """The merged relationships for which these contributions stand, in whatever collection."""
        ...

    async def naming(self, values: Collection[bytes], limit: int) -> Sequence[CanonicalKey]:
        """Things in whose pattern one of these values stands (``hub.patterns.lookup``), those that assert one first."""
        ...


# ---------------------------------------------------------------- what came in, and what became of it


@dataclass(frozen=True, slots=True)
class Reached:
    """How far a partition of the event log has been carried into the store, and when that last moved."""

    next: int
    moved_us: int


@dataclass(frozen=True, slots=True)
class ObjectProblem:
    """What is said of one object of a push, in its receipt."""

    index: int
    """Which object of the push, from 0."""
    id: str | None
    state: str
    """``accepted`` means a warning."""
    code: str
    message: str


class IntakeReader(Protocol):
    """What came in, and what became of it."""

    async def reached(self) -> Mapping[TopicPartition, Reached]:
        """Every partition of which something has been carried."""
        ...

    async def counts(self) -> Mapping[int, ReceiptCounts]:
        """Per source, what all that it ever sent came to."""
        ...

    async def receipt_counts(self, receipt: str, source: int) -> ReceiptCounts:
        """What a receipt came to so far, summed over its parts."""
        ...

    def problems(
        self, receipt: str, source: int, *, from_index: int, in_one_partition: bool
    ) -> AsyncGenerator[ObjectProblem, None]:
        """The problems of a receipt at or above an index, ordered by it. Close the generator: it holds a transaction.

        ``in_one_partition``: all that was pushed went into one partition, so that it was carried in its order.
        """
        ...

    async def waiting(self) -> int:
        """How many objects wait for the operator."""
        ...

    async def released(self, known: Collection[int]) -> Mapping[int, bytes]:
        """The objects that operators have let pass, as they came, by their numbers; without the ``known`` ones."""
        ...


# ---------------------------------------------------------------- the store


class Store(Protocol):
    """What the hub knows. Promises, each a test in ``tests/contracts/store.py``:

    - a transaction is whole or absent, also after the death of any process at any moment;
    - those of its readers, by subject.
    """

    @property
    def logs(self) -> LogReader:
        """What collections show, change by change, and what was rejected."""
        ...

    @property
    def things(self) -> ThingReader:
        """What is known of single things."""
        ...

    @property
    def intake(self) -> IntakeReader:
        """What became of what was sent."""
        ...

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """Begin; commit at the end of the block, roll back on an exception. Raises TryAgain."""
        ...

    async def has_due(self, now_us: int) -> bool:
        """Whether there is a task to be done: one look, where a transaction would wait."""
        ...

    async def positions(self, partitions: Collection[TopicPartition]) -> Positions:
        """Where to go on in these partitions; one that nobody has read is left out."""
        ...

    async def policy(self) -> Policy:
        """The policy in force; cheap, reads again only when it has a new number."""
        ...

    async def key(self) -> bytes:
        """The hub's secret for what clients bring back (cursors, receipts); the same for all its processes."""
        ...

    async def ready(self) -> bool:
        """Whether a read would work now."""
        ...

    async def close(self) -> None:
        """Release files and connections."""
        ...
