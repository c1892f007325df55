"""The port of a store in which a value can be erased. See ``hub/forgetting`` for the order of the work."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from hub.model.claims import Claim, ClaimKey
from hub.model.forgettings import Erasable, Forgetting, Request
from hub.model.words import CanonicalKey, Limits, Positions, StixId, TopicPartition
from hub.store.port import Store, Transaction


class ErasablePart(StrEnum):
    """The tables in which a value may occur, besides the contributions; in the order in which they are searched."""

    VERSIONS = "versions"
    """The change logs, with the rejections."""
    RECEIPTS = "receipts"
    HELD = "held"
    OTHERS = "others"
    """Small tables: indexes, views that have ended, tasks, pins, decisions of operators."""


@dataclass(frozen=True, slots=True)
class Search:
    """What to erase, and for which request."""

    no: int
    what: Erasable
    limits: Limits
    now_us: int
    closing_us: int = 0
    """Until when the closing versions stay."""
    records: frozenset[tuple[str, int, int]] = frozenset()
    """Topic, partition and offset of records that say it: what is stored about them is erased too."""
    pushed: frozenset[tuple[str, int]] = frozenset()
    """Receipt and index of pushed objects that say it."""


class ErasingTransaction(Transaction, Protocol):
    """A step of a worker that also deletes."""

    async def add(self, what: Erasable, request: Request, now_us: int, closing_us: int, key: bytes) -> int:
        """Remember a request, and recognise the value from now on; returns its number. ``key``: the hub's secret."""
        ...

    async def delete_claims(self, no: int, keys: Collection[ClaimKey]) -> None:
        """Delete withdrawn contributions and their indexes, and count them."""
        ...

    async def erase(self, part: ErasablePart, search: Search, cursor: bytes, limit: int) -> bytes | None:
        """Search the next ``limit`` rows of a part, erase what is found, and count it. ``cursor``: empty at first.
        Returns where to continue; None: the part is done, or the request was lifted.
        """
        ...

    async def count_records(self, no: int, count: int) -> None:
        """Add to the number of erased records of the event log."""
        ...

    async def searched(self, no: int, now_us: int) -> None:
        """All was erased but the closing versions, if these are to stay."""
        ...

    async def erased(self, no: int, now_us: int) -> None:
        """Nothing is left of it elsewhere: delete what was to be erased, and record how much was."""
        ...

    async def done(self, no: int, now_us: int) -> None:
        """The files were cleaned too."""
        ...

    async def lift(self, no: int, now_us: int) -> Sequence[int]:
        """Recognise the value no more, so that it may come again, whichever requests name it; and erase no more of it.
        Returns the numbers of the requests that are lifted: this one, and those that name no other value.
        """
        ...


class ErasingStore(Protocol):
    """What erasing needs of a store."""

    def transaction(self, *, gives_way: bool = True) -> AbstractAsyncContextManager[ErasingTransaction]:
        """A transaction that erases: committed at the end of the block, rolled back on an exception. ``gives_way``: it
        waits for operators' changes, as workers do.
        """
        ...

    async def requests(self) -> Sequence[Forgetting]:
        """Returns all requests, the oldest first."""
        ...

    async def claims_after(self, no: int, limit: int) -> tuple[Sequence[Claim], int | None]:
        """Returns the next contributions in the order of their first arrival, and where to continue; None: there are no
        more.
        """
        ...

    async def put_off(self, what: Erasable) -> Mapping[int, Sequence[CanonicalKey]]:
        """Returns the things, by collection, of which a version that says this is shown while the next is put off."""
        ...

    async def shown_under(self, things: Collection[CanonicalKey]) -> Sequence[StixId]:
        """Returns the ids under which collections show these things, or have shown them."""
        ...

    async def things_shown(self, object_id: StixId) -> Sequence[CanonicalKey]:
        """Returns the things that any collection shows, or has shown, under an id."""
        ...

    async def positions(self) -> Positions:
        """Returns the next position of every partition of the event log."""
        ...

    async def unwanted(self) -> Sequence[tuple[TopicPartition, int]]:
        """Returns the partitions and offsets of records that say again what was erased."""
        ...

    async def settle_unwanted(self, records: Collection[tuple[TopicPartition, int]]) -> None:
        """The content of these records was erased."""
        ...

    async def clean(self) -> None:
        """Write the files anew without what was deleted; writers wait. Raises TryAgain while a reader prevents it."""
        ...


class ErasableStore(Store, Protocol):
    """A store in which a value can be erased."""

    @property
    def erasing(self) -> ErasingStore:
        """What erasing needs."""
        ...
