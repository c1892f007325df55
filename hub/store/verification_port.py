"""What a verification needs of the store: all of it, as of one moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from hub.model.policy import Policy
from hub.model.reads import Answers, Reads
from hub.model.tasks import Recompute, RecomputeDue
from hub.model.verification import Difference, StoredSlice
from hub.model.words import StixId


class StoreSnapshot(Protocol):
    """The whole store as of one moment. Steps go on meanwhile; the database keeps what they replace until it ends."""

    @property
    def policy(self) -> Policy:
        """The policy of that moment."""
        ...

    @property
    def deferred(self) -> Mapping[tuple[int, StixId], bytes]:
        """What steps had deferred (``hub.model.reads.TURNS``)."""
        ...

    async def unfinished(self) -> Sequence[Recompute | RecomputeDue]:
        """Returns the changes of policy or date that were not carried out completely."""
        ...

    async def load(self, reads: Reads) -> Answers:
        """Performs all ``reads`` without locks; returns their answers."""
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
        """Returns the sources whose counts do not fit their receipts and rejections."""
        ...


class VerifiableStore(Protocol):
    """A store that can be verified. Promise: steps never wait for a snapshot."""

    def snapshot(self, shared: str | None = None) -> AbstractAsyncContextManager[StoreSnapshot]:
        """The store as of now, or of the moment ``shared``, until the end of the block."""
        ...

    def shared_moment(self) -> AbstractAsyncContextManager[str]:
        """A moment at which several processes begin a ``snapshot``: all of them before the end of the block."""
        ...
