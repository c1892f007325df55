"""The part of the store's port about the journal of reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from hub.model.journal import FetchedUpTo, JournalBatch, JournalEntry


class JournalStore(Protocol):
    """What readers have got, of all processes. Promises, each a test in ``tests/contracts/store_journal.py``:

    - what was written is visible to every process immediately;
    - writing the same again changes nothing, and nobody's progress ever goes back;
    - nothing is kept of a reader that does not exist;
    - the progress of a token that does not exist is that of its principal's own.
    """

    async def write(self, batch: JournalBatch) -> None:
        """Write entries and progress, and delete what is too much of the readers in ``crowded``. Raises TryAgain."""
        ...

    async def entries(
        self, reader: int | None, *, limit: int, advancing_through: str | None = None
    ) -> Sequence[JournalEntry]:
        """Returns the newest entries, the newest first: of one reader or (None) of all. ``advancing_through``: only the
        entries of this door that advance (``JournalEntry.key``).
        """
        ...

    async def fetched(self, reader: int | None) -> Sequence[FetchedUpTo]:
        """Returns how far one reader or (None) all have come."""
        ...

    async def prune(self, now_us: int) -> None:
        """Delete what is too old, and what is too much, of all readers; in transactions of a bounded size."""
        ...
