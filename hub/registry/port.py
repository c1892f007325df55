"""What the registry needs of others: a store to keep it, and, in the scaled deployment, a broker that enforces it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from hub.model.principals import Kind
from hub.model.words import CentreName, CollectionName
from hub.registry.tokens import Token

NO_GRANTS = "broker.open"
"""What a broker says that has no users or grants at all, as in development: there is nothing to follow."""


class Directory(Protocol):
    """Where the registry's tables are; ``hub/store/sql.SqlStore`` is one."""

    def begin(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A transaction that may write: committed at the end of the block, undone by an exception. Raises TryAgain."""
        ...

    def look(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A transaction that only reads, all of it at one moment. Raises TryAgain."""
        ...


@dataclass(frozen=True, slots=True)
class Entitlement:
    """What one principal may do on the broker: a user of its name, whose consumer groups begin with ``NAME.``."""

    name: str
    kind: Kind
    """CENTRE or MEMBER; a centre also writes ``intake.NAME`` and reads ``rejected.NAME``. No operators here."""
    suspended: bool
    """Nothing is granted, and live connections are to be cut off; its password stays."""
    collections: frozenset[CollectionName]
    """It reads ``collection.NAME`` of these; empty when suspended."""


@dataclass(frozen=True, slots=True)
class Entitlements:
    """All that the registry wants of the broker."""

    principals: tuple[Entitlement, ...]
    """By name."""
    centres: tuple[CentreName, ...]
    """The topics ``intake.NAME`` and ``rejected.NAME`` are to exist for these."""
    collections: tuple[CollectionName, ...]
    """The topics ``collection.NAME`` are to exist for these."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that the broker has otherwise than the registry says."""

    says: str
    """One sentence, such as ``member soc may not read collection.community``."""
    repairable: bool
    """Whether ``repair`` can mend it; a lost password only ``rotate`` can."""
    way_out: str = ""
    note: bool = False
    """Worth knowing, or not to be checked: nothing is wrong."""


class Broker(Protocol):
    """What a broker with users and grants does for the registry, which calls it after each commit. All idempotent.

    Raises TryAgain when the broker is away, Broken when it refuses; the registry's commit stands then, and
    ``ctihub doctor --fix`` brings the broker up to it.
    """

    async def set_password(self, name: str, token: Token) -> None:
        """Make sure that this user exists, with this token as its password (SCRAM-SHA-512)."""
        ...

    async def make_topics(self, centres: Collection[CentreName], collections: Collection[CollectionName]) -> None:
        """Make sure that the topics of these centres and collections exist."""
        ...

    async def grant(self, entitlements: Sequence[Entitlement]) -> None:
        """Give each of these principals exactly this: what is missing is granted, what is too much is taken away."""
        ...

    async def remove_collection(self, name: CollectionName) -> None:
        """Delete the topic of a collection that is no more, and all grants on it."""
        ...

    async def compare(self, wanted: Entitlements) -> Sequence[Difference]:
        """What differs from this, users, topics and grants that should not be there included."""
        ...

    async def repair(self, wanted: Entitlements) -> Sequence[Difference]:
        """Mend all that can be mended; returns what still differs."""
        ...

    async def close(self) -> None:
        """Release connections."""
        ...
