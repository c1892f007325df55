"""The store's port: what every adapter promises. The store keeps contributions, views, change logs and receipts.

A worker writes through ``Transaction``. All others read through the readers of ``Store``, one for each subject. The
readers return values: no connection and no database row leaves the store.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from hub.model.lifecycle import KeptVersions
from hub.model.policy import Policy
from hub.model.reads import Answers, ClaimsPage, Reads
from hub.model.tasks import DueTask, TaskProgress
from hub.model.words import Positions, Seq, StixId, TopicPartition
from hub.model.writes import Head, Held, Writes
from hub.store.intake_port import IntakeReader
from hub.store.journal_port import JournalStore
from hub.store.own_port import OwnClaimReader
from hub.store.thing_port import ThingReader
from hub.store.webhook_port import WebhookStore


class LogEnd(NamedTuple):
    """The name of a log and the number of its last row."""

    name: str
    """``collection.<name>`` or ``rejected.<source>``; renamed when its collection was removed."""
    seq: Seq
    pruned: Seq = Seq(0)
    """Up to this row superseded versions may have been deleted; above it no row is missing."""
    edits: int = 0
    """How often earlier rows have been changed or deleted."""
    alert: bool = False
    """Whether it is the log of an alert lane, whose changes go first."""


class Transaction(Protocol):
    """One step of a worker, committed completely or not at all. Writers of the same key wait for one another."""

    async def policy(self) -> Policy:
        """Returns the current policy, read inside this transaction."""
        ...

    async def load(self, reads: Reads, policy: Policy) -> Answers:
        """Performs all ``reads``; returns their answers."""
        ...

    async def heads(self, logs: Collection[int]) -> dict[int, Head]:
        """Returns the ends of these logs and locks them until the commit. Call this directly before ``write``."""
        ...

    async def prepare(self, writes: Writes) -> None:
        """Write what needs no number of a log: contributions, references, placements. Call this after the last ``load``
        and before ``heads``, so that the logs are locked for a shorter time.
        """
        ...

    async def write(self, writes: Writes) -> None:
        """Write everything that ``prepare`` has not written."""
        ...

    async def advance(self, start: Positions, end: Positions, now_us: int) -> None:
        """Move the positions from ``start`` to ``end``. Raises Stale when another worker has moved them meanwhile."""
        ...

    async def take(self, task: DueTask) -> bool:
        """Lock a task until the commit. Returns False when another worker has locked it or has moved its cursor."""
        ...

    async def move(self, task: DueTask, cursor: bytes | None, due_us: int | None = None) -> None:
        """Record how far a taken task is done; ``cursor`` None: it is complete. ``due_us``: when it is due again."""
        ...

    async def alone(self) -> None:
        """Wait for all other steps, and block new ones until the commit. Call this first."""
        ...

    async def start(self, task: DueTask, now_us: int) -> DueTask:
        """Begin a taken ``Recompute`` over the contributions that there are now. Returns the task with its end."""
        ...

    async def page(self, task: DueTask, after: bytes, limit: int) -> ClaimsPage:
        """Returns the next contributions of a ``Recompute`` that was started, after the place ``after``: by their
        types, what is referred to first, and then by key, so that their order depends on nothing else.
        """
        ...

    async def note(self, task: DueTask, done: int, now_us: int) -> None:
        """Add to the number of contributions that a task has computed."""
        ...

    async def drop_versions(self, collection: int, kept: KeptVersions, limit: int) -> bool:
        """Delete the superseded versions that are not ``kept``: looks at the next ``limit`` rows. Returns whether there
        may be more.
        """
        ...

    async def set_date(self, task: DueTask, now_us: int) -> None:
        """Set the date to that of ``now_us``, unless it is set or later, and make the task due again at midnight."""
        ...

    async def released(self, limit: int) -> list[Held]:
        """Returns held objects that the operator has released and that no step has processed; locks them."""
        ...


# ---------------------------------------------------------------- reading logs


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows of a collection to read. Empty sets match everything."""

    ids: frozenset[str] = frozenset()
    """STIX ids of visible objects; cannot be combined with ``log``."""
    types: frozenset[str] = frozenset()
    versions: tuple[str, ...] = ("last",)
    """Any of ``last``, ``first``, ``all``, and versions in microseconds as text."""
    after_us: int | None = None
    """Only rows whose ``date_added`` is later."""
    log: bool = False
    """Read the whole change log, with withdrawals, instead of the visible objects."""


WHOLE_LOG = Filter(log=True)


ChangeKind = Literal["new", "changed", "withdrawn"]


class LogRow(NamedTuple):
    """A row of a log without its body. See ``hub/model/claims.Change``."""

    seq: Seq
    date_added_us: int
    version_us: int
    object_id: StixId
    type: str
    withdrawn: bool
    first: bool
    """Whether it is the first version under this id, or the first since it has come back."""
    size: int
    """Size of the body, in bytes."""

    @property
    def change(self) -> ChangeKind:
        """What it says of the object."""
        return "withdrawn" if self.withdrawn else "new" if self.first else "changed"

    @property
    def is_erased(self) -> bool:
        """Whether the row has lost its content because an operator had something erased."""
        return self.version_us == 0


class PageSpan(NamedTuple):
    """The ends of a page that has rows."""

    last: Seq
    first_us: int
    last_us: int
    """``date_added`` of the first and of the last row."""


@dataclass(frozen=True, slots=True)
class LogPage:
    """Rows of a log in order, their bodies if requested, and whether more rows follow."""

    rows: Sequence[LogRow]
    bodies: Sequence[bytes]
    more: bool
    end: Head | None = None
    """Only for a page without rows: the end of the log at that moment. No row up to it passes the filter."""

    @property
    def count(self) -> int:
        """The number of rows."""
        return len(self.rows)

    def has_gap(self, after: int) -> bool:
        """Returns whether a row above ``after`` is missing; only for a page of a whole log from there on."""
        seqs = [row.seq for row in self.rows if row.seq > after]
        return seqs != list(range(after + 1, after + len(seqs) + 1))

    @property
    def span(self) -> PageSpan | None:
        """The ends of the page; None without rows."""
        if not self.rows:
            return None
        return PageSpan(self.rows[-1].seq, self.rows[0].date_added_us, self.rows[-1].date_added_us)

    def with_bodies(self) -> Iterator[tuple[LogRow, bytes]]:
        """Yields each row with its body; only for a page that was requested with bodies."""
        return zip(self.rows, self.bodies, strict=True)


@dataclass(frozen=True, slots=True)
class JoinedPage:
    """As ``LogPage``, with the bodies as one value and without the rows."""

    bodies: bytes
    """Separated by commas."""
    span: PageSpan | None
    more: bool
    end: Head | None = None
    count: int = 0


class AsOf(NamedTuple):
    """What a log says of an object as of one of its rows."""

    row: LogRow | None
    """The last row of the object up to there; None: it was not there, or that is not kept."""
    body: bytes = b""
    is_kept: bool = True
    """False: what followed is known, but older versions may have been deleted."""
    is_near: bool = True
    """False: to find it, too many rows would have to be read."""
    next: Seq | None = None
    """The first row of the object after it."""


class RowCause(NamedTuple):
    """What a row of a log has followed."""

    before: Seq | None
    """The row with the previous version of the object; None: it is new, or came back."""
    received_us: int | None
    """When the hub received the newest claim that caused the row, in microseconds since 1970; None if nothing that was
    just received has caused it, but a decision, a date, or the filling of a collection."""


class LogReader(Protocol):
    """The change logs of collections and the logs of rejections. Promises:

    - a log has no gap above its ``pruned`` row, and below it only superseded versions are missing;
    - after a reader has read up to N, no new row appears at or below N;
    - committed rows are visible to every process immediately.
    """

    async def page(
        self, log: int, after: Seq, *, limit: int, limit_bytes: int, by: Filter = WHOLE_LOG, bodies: bool = True
    ) -> LogPage:
        """Returns the rows after ``after`` that pass ``by``: as many as the limits allow, one at least if there is one.

        It never reads more than ``limit_bytes`` of bodies (or one object, if that is larger).
        """
        ...

    async def joined(self, log: int, after: Seq, *, limit: int, limit_bytes: int, by: Filter) -> JoinedPage:
        """Returns the bodies of the rows that ``page`` returns, in a fraction of its time."""
        ...

    async def head(self, log: int) -> Head:
        """Returns the current end of a log. As long as it is the same, all rows of the log are the same."""
        ...

    async def ends(self) -> Mapping[int, LogEnd]:
        """Returns the name and the current end of each log, by number, without those of members' rejections."""
        ...

    async def number(self, name: str) -> int | None:
        """Returns the number of a log by its name; None if it does not exist."""
        ...

    async def as_of(self, log: int, object_ids: Collection[StixId], seq: Seq) -> AsOf:
        """Returns the last row up to ``seq`` of an object that a collection has shown under these ids, one after the
        other. It never takes an older row for one that may have been deleted.
        """
        ...

    async def causes(self, log: int, after: Seq, last: Seq) -> Mapping[Seq, RowCause]:
        """Returns what the rows after ``after`` up to ``last`` have followed, by number."""
        ...

    async def shows(self, log: int, object_id: str) -> bool:
        """Returns whether a collection shows any version of an object."""
        ...

    def watch(self) -> AsyncGenerator[None, None]:
        """Yields soon after each commit of this or another process. It may also yield without a commit."""
        ...


# ---------------------------------------------------------------- the store


class Snapshot(Protocol):
    """The store as of one moment."""

    @property
    def policy(self) -> Policy:
        """The policy of that moment."""
        ...

    @property
    def deferred(self) -> Mapping[tuple[int, StixId], bytes]:
        """What steps had deferred (``hub.model.reads.TURNS``)."""
        ...

    async def load(self, reads: Reads) -> Answers:
        """Performs all ``reads`` without locks; returns their answers."""
        ...


class Store(Protocol):
    """The hub's database. Promises, each a test in ``tests/contracts/store.py``:

    - a transaction is committed completely or not at all, even if any process dies at any moment;
    - the promises of its readers.
    """

    @property
    def logs(self) -> LogReader:
        """The reader of change logs and rejections."""
        ...

    @property
    def own_claims(self) -> OwnClaimReader:
        """The reader of what a source itself has published."""
        ...

    @property
    def things(self) -> ThingReader:
        """The reader of views and claims of single things."""
        ...

    @property
    def intake(self) -> IntakeReader:
        """The reader of positions, receipts and held objects."""
        ...

    @property
    def journal(self) -> JournalStore:
        """The journal of reads."""
        ...

    @property
    def webhooks(self) -> WebhookStore:
        """The webhooks, and who delivers them."""
        ...

    def snapshot(self) -> AbstractAsyncContextManager[Snapshot]:
        """The store as of now, until the end of the block. Steps never wait for it."""
        ...

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """A transaction: committed at the end of the block, rolled back on an exception. Raises TryAgain."""
        ...

    async def due(self, now_us: int) -> list[DueTask]:
        """Returns the tasks that are due, the oldest first; without the waiting of a transaction."""
        ...

    async def progress(self) -> Sequence[TaskProgress]:
        """Returns how far the tasks over contributions are, the oldest first."""
        ...

    async def positions(self, partitions: Collection[TopicPartition]) -> Positions:
        """Returns the next position of these partitions, except those from which nothing was read."""
        ...

    async def policy(self) -> Policy:
        """Returns the current policy. It is cached and read again only when its number has changed."""
        ...

    async def key(self) -> bytes:
        """Returns the hub's secret for signing what clients send back (cursors, receipts); one for all processes."""
        ...

    async def ready(self) -> bool:
        """Returns whether a read works now."""
        ...

    async def close(self) -> None:
        """Release files and connections."""
        ...
