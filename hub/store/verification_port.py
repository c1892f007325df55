"""What a verification needs of the store: all of it, as of one moment."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence, Set
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from hub.model.claims import Claim, ClaimKey
from hub.model.policy import Policy
from hub.model.tasks import Recompute, RecomputeDue
from hub.model.verification import Difference, StoredSlice
from hub.model.words import CanonicalKey
from hub.model.writes import Writes
from hub.store.port import Snapshot, Transaction


class StoreSnapshot(Snapshot, Protocol):
    """The whole store as of one moment. Steps go on meanwhile; the database keeps what they replace until it ends."""

    async def unfinished(self) -> Sequence[Recompute | RecomputeDue]:
        """Returns the changes of policy or date that were not carried out completely."""
        ...

    async def last_claim(self) -> int:
        """Returns the number of the last claim."""
        ...

    async def slice(self, after: int, until: int, limit: int) -> StoredSlice:
        """Returns what there is about the next ``limit`` claims, in the order of their numbers, up to ``until``."""
        ...

    async def without_claims(self, after: bytes, limit: int) -> StoredSlice:
        """Returns the next things with views and without claims, in the order of their keys."""
        ...

    async def misplaced(self, limit: int) -> Sequence[Difference]:
        """Returns placements of relationships that there are not."""
        ...

    async def uses(self) -> Mapping[tuple[int, str], int]:
        """Returns how many views use something, as counted, by collection and name."""
        ...

    async def log_differences(self, log: int, limit: int) -> Sequence[Difference]:
        """Returns where the numbers, dates and newest rows of a collection's log are wrong: at most ``limit`` of each
        kind.
        """
        ...

    async def receipt_differences(self) -> Sequence[Difference]:
        """Returns the sources whose counts do not fit their receipts, rejections and live claims."""
        ...


class RepairTransaction(Transaction, Protocol):
    """A step of a worker that first makes what is stored fit the logs. No other step runs meanwhile."""

    async def claims(self, keys: Collection[ClaimKey]) -> Sequence[Claim]:
        """Returns these contributions, as they are stored."""
        ...

    async def used(self) -> Set[str]:
        """Returns the names of all objects of which uses are counted."""
        ...

    async def types_of(self, things: Collection[CanonicalKey]) -> Mapping[CanonicalKey, str]:
        """Returns the types of the claims about these things."""
        ...

    async def things_of(self, objects: Collection[tuple[int, str]]) -> Mapping[tuple[int, str], CanonicalKey]:
        """Returns the things of the views with these ids, by collection and id."""
        ...

    async def put(self, writes: Writes) -> None:
        """Write claims, references, uses and counts as they are given."""
        ...

    async def forget_placements(self, keys: Collection[ClaimKey]) -> None:
        """Delete where these relationships are placed."""
        ...

    async def restore_views(
        self,
        policy: Policy,
        places: Mapping[tuple[int, CanonicalKey], str],
        doubtful: Collection[tuple[int, CanonicalKey]],
        types: Mapping[CanonicalKey, str],
    ) -> None:
        """Have the views of these places say what the logs say. ``places``: with an id under which each may have been
        shown. ``doubtful``: those whose row may not be the newest of its object. ``types``: see ``types_of``.
        """
        ...

    async def mark_newest(self, log: int, object_id: str) -> None:
        """Mark the newest row of an object as its newest version, and no other."""
        ...

    async def repair_log(self, policy: Policy, log: int, seqs: Collection[int]) -> None:
        """Repair the end of a log, and the numbers and dates at these rows."""
        ...


class VerifiableStore(Protocol):
    """A store that can be verified. Promise: steps never wait for a snapshot."""

    def snapshot(self, shared: str | None = None) -> AbstractAsyncContextManager[StoreSnapshot]:
        """The store as of now, or of the moment ``shared``, until the end of the block."""
        ...

    def repairing(self) -> AbstractAsyncContextManager[RepairTransaction]:
        """A transaction that repairs: committed at the end of the block, rolled back on an exception."""
        ...

    def shared_moment(self) -> AbstractAsyncContextManager[str]:
        """A moment at which several processes begin a ``snapshot``: all of them before the end of the block."""
        ...
