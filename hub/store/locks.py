"""How the steps of several workers avoid conflicts; where writers are serialised anyway, no locks are needed.

What a step reads in order to write must not change until its commit. Two names are locked: a *thing* (its views, and
which claims are about it), and a *STIX id* (what the claims under it say, and so what a reference to it means).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from hub.model.claims import ClaimKey
from hub.model.policy import Policy
from hub.model.reads import Answers, Reads
from hub.model.writes import Writes


class Locks(Protocol):
    """The locks of one transaction, held until its end. What is read after a lock was granted is the newest."""

    async def share(self) -> None:
        """Take part as one step of many. Come first: a step that is alone waits for all that take part."""
        ...

    async def alone(self) -> None:
        """Wait for every step that takes part, and let none begin until this one ends."""
        ...

    async def before(self, reads: Reads, policy: Policy) -> None:
        """Wait for steps that change what is asked. Raises TryAgain when there is too much of it to lock by name."""
        ...

    def note(self, answers: Answers, policy: Policy) -> None:
        """Note what was read without a lock."""
        ...

    async def confirm(self, writes: Writes) -> None:
        """Come before the writing. Raises TryAgain when what was read without a lock would now lead elsewhere."""
        ...

    async def found(self, keys: Iterable[ClaimKey]) -> bool:
        """Wait for steps that change these contributions, which an index named; whether they may have changed since."""
        ...


class NoLocks:
    """Writers are serialised anyway."""

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
