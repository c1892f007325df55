"""The store's port: what every adapter promises. Contributions and views inside, change logs for the doors."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from hub.model.claims import Change, Claim, ClaimKey, View
from hub.model.policy import Policy
from hub.model.questions import Answers, Questions
from hub.model.tasks import DueTask
from hub.model.words import CanonicalKey, Positions, Seq, StixId, TopicPartition
from hub.model.writes import Head, Held, Writes


class LogEnd(NamedTuple):
    """A log and where it ends."""

    name: str
    """``collection.<name>`` or ``rejected.<centre>``; another name for one whose collection was removed."""
    seq: Seq


class Transaction(Protocol):
    """One step of a worker, whole or not at all. Writers of one key wait for one another."""

    async def policy(self) -> Policy:
        """The policy in force, read inside this transaction."""
        ...

    async def load(self, questions: Questions, policy: Policy) -> Answers:
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


@dataclass(frozen=True, slots=True)
class Filter:
    """What a reader of a collection asks for. Empty means all."""

    ids: frozenset[str] = frozenset()
    types: frozenset[str] = frozenset()
    versions: str = "last"
    """``last``, ``first``, ``all``, or a version in microseconds as text."""
    after_us: int | None = None
    """Only rows whose ``date_added`` is later."""
    log: bool = False
    """The whole change log, withdrawals included, instead of what the collection holds."""


class Store(Protocol):
    """What the hub knows. Promises, each a test in ``tests/contracts/store.py``:

    - a transaction is whole or absent, also after the death of any process at any moment;
    - a log has no gap, and who has read up to N never later meets a new row at or below N;
    - what was committed is read by every process at once.
    """

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """Begin; commit at the end of the block, roll back on an exception. Raises TryAgain."""
        ...

    async def has_due(self, now_us: int) -> bool:
        """Whether there is a task to be done: one look, where a transaction would wait."""
        ...

    async def policy(self) -> Policy:
        """The policy in force; cheap, reads again only when it has a new number."""
        ...

    async def positions(self, partitions: Collection[TopicPartition]) -> Positions:
        """Where to go on in these partitions; one that nobody has read is left out."""
        ...

    async def read(self, log: int, after: Seq, *, limit: int, limit_bytes: int, by: Filter) -> list[Change]:
        """Rows above ``after`` in their order, as many as the limits allow, one at least if there is one."""
        ...

    async def head(self, log: int) -> Head:
        """Where a log ends now."""
        ...

    async def heads(self) -> Mapping[int, Head]:
        """Where every log ends now."""
        ...

    async def log_ends(self) -> Mapping[int, LogEnd]:
        """The name of every log and where it ends now."""
        ...

    def watch(self) -> AsyncGenerator[None, None]:
        """Yields soon after each commit that another process or this one made; may yield without one."""
        ...

    async def find_views(self, object_id: StixId, collections: Iterable[int]) -> list[View]:
        """The views that show or once showed an object under this id."""
        ...

    async def find_claims(self, things: Collection[CanonicalKey], ids: Collection[StixId]) -> Sequence[Claim]:
        """Contributions about things, or under ids."""
        ...

    async def things_naming(self, values: Collection[bytes], limit: int) -> Sequence[CanonicalKey]:
        """Things in whose pattern one of these values stands (``hub.patterns.lookup``), those that assert one first."""
        ...

    async def views_of(self, thing: CanonicalKey, collections: Iterable[int]) -> list[View]:
        """What these collections show of a thing."""
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
