"""Locks between the steps of several workers. A database that serialises its writers needs none.

What a step reads in order to write must not change until it commits. Two kinds of name are locked: a *thing* (its views
and the set of claims about it) and a *STIX id* (the content of the claims under it, and so the target of a reference).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from hub.model.claims import ClaimKey
from hub.model.policy import Policy
from hub.model.reads import Answers, Reads
from hub.model.writes import Writes


class Locks(Protocol):
    """The locks of one transaction, held until its end. Reads after a lock was granted see the newest commits."""

    async def share(self) -> None:
        """Take the shared lock of a normal step. Call this first: an exclusive step waits for all that hold it."""
        ...

    async def alone(self) -> None:
        """Wait for all other steps, and block new ones until this one ends."""
        ...

    async def before(self, reads: Reads, policy: Policy) -> None:
        """Wait for steps that change what ``reads`` reads. Raises TryAgain when there are too many names to lock."""
        ...

    def note(self, answers: Answers, policy: Policy) -> None:
        """Remember what was read without a lock, for ``confirm``."""
        ...

    async def confirm(self, writes: Writes) -> None:
        """Call before writing. Raises TryAgain when data read without a lock has changed and could alter the result."""
        ...

    async def found(self, keys: Iterable[ClaimKey]) -> bool:
        """Lock contributions that an index lookup returned. Returns True if they may have changed since that lookup."""
        ...


class NoLocks:
    """No locks, for a database that serialises its writers."""

    async def share(self) -> None:
        """See ``Locks``."""

    async def alone(self) -> None:
        """See ``Locks``."""

    async def before(self, reads: Reads, policy: Policy) -> None:
        """See ``Locks``."""

    def note(self, answers: Answers, policy: Policy) -> None:
        """See ``Locks``."""

    async def confirm(self, writes: Writes) -> None:
        """See ``Locks``."""

    async def found(self, keys: Iterable[ClaimKey]) -> bool:  # noqa: ARG002
        """See ``Locks``."""
        return False
