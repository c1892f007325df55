"""What the registry needs: a store that keeps it, and, in the scaled deployment, a broker that enforces it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from hub.model import policy
from hub.model.held import HeldChoice, HeldObject, HeldState
from hub.model.policy import Group, Source
from hub.model.policy_changes import PolicyChange
from hub.model.principals import GroupRule, GroupRules, Principal, PrincipalKind, RegistrySnapshot
from hub.model.words import CollectionName, SourceName
from hub.registry.tokens import Token

NO_GRANTS = "broker.open"
"""What a broker says that has no users or grants at all, as in development: there is nothing to follow."""


class Directory(Protocol):
    """What the store keeps of the registry, read at one moment."""

    async def snapshot(self, known: RegistrySnapshot | None = None) -> RegistrySnapshot:
        """Everybody and everything; ``known`` itself, cheaply, when it is still the newest."""
        ...

    async def held(
        self, choice: HeldChoice, *, state: HeldState | None, limit: int, with_value: bool = False
    ) -> Sequence[HeldObject]:
        """Held objects, the oldest first, at most ``limit``; ``state`` None means any."""
        ...


class DirectoryWriter(Directory, Protocol):
    """The same inside a transaction that writes. Numbers are those that the store gave: ``no`` of the values."""

    async def add_principal(self, principal: Principal, digest: bytes, terms: Source | None = None) -> Principal:
        """A new principal with the digest of its token, and the log of rejections that a centre has.

        ``terms`` is what a centre may say. Returns it with its number.
        """
        ...

    async def update_principal(self, principal: Principal, terms: Source | None = None) -> None:
        """Country, sector, who accredited it, whether it is suspended; a centre's ``terms`` where they are given."""
        ...

    async def set_token(self, principal: int, digest: bytes) -> None:
        """Another token."""
        ...

    async def remove_operator(self, principal: int) -> None:
        """Forget an operator. Centres and members are suspended instead: their claims and reports name them."""
        ...

    async def add_group(self, group: Group, rules: tuple[GroupRule, ...]) -> GroupRules:
        """A new group; returns it with its number."""
        ...

    async def remove_group(self, group: int) -> None:
        """Forget a group and who joined it."""
        ...

    async def join(self, group: int, principal: int) -> None:
        """Put a principal, not in it yet, on the list of a group."""
        ...

    async def leave(self, group: int, principal: int) -> None:
        """Take a principal off the list of a group."""
        ...

    async def add_collection(self, collection: policy.Collection, now_us: int) -> policy.Collection:
        """A new collection with an empty change log; returns it with its number."""
        ...

    async def remove_collection(self, collection: int) -> None:
        """Forget a collection; its change log is nobody's any more."""
        ...

    async def settle_held(self, choice: HeldChoice, state: HeldState) -> int:
        """Give the waiting objects among these another state; returns how many they were."""
        ...

    async def record(self, change: PolicyChange, now_us: int) -> int:
        """Append a numbered change, and leave what it affects to be looked at again; returns the number."""
        ...


class RegistryStore(Protocol):
    """Where the registry is kept; ``hub/store/directory.SqlRegistry`` is one."""

    def reading(self) -> AbstractAsyncContextManager[Directory]:
        """Look at it, all of it at one moment. Raises TryAgain."""
        ...

    def change(self) -> AbstractAsyncContextManager[DirectoryWriter]:
        """Change it: committed at the end of the block, undone by an exception. Others that change it wait meanwhile.

        Raises TryAgain.
        """
        ...


@dataclass(frozen=True, slots=True)
class Entitlement:
    """What one principal may do on the broker: a user of its name, whose consumer groups begin with ``NAME.``."""

    name: str
    kind: PrincipalKind
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
    centres: tuple[SourceName, ...]
    """The topics ``intake.NAME`` and ``rejected.NAME`` are to exist for these."""
    collections: tuple[CollectionName, ...]
    """The topics ``collection.NAME`` are to exist for these."""


@dataclass(frozen=True, slots=True)
class BrokerDifference:
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

    async def make_topics(self, centres: Collection[SourceName], collections: Collection[CollectionName]) -> None:
        """Make sure that the topics of these centres and collections exist."""
        ...

    async def grant(self, entitlements: Sequence[Entitlement]) -> None:
        """Give each of these principals exactly this: what is missing is granted, what is too much is taken away."""
        ...

    async def remove_collection(self, name: CollectionName) -> None:
        """Delete the topic of a collection that is no more, and all grants on it."""
        ...

    async def compare(self, wanted: Entitlements) -> Sequence[BrokerDifference]:
        """What differs from this, users, topics and grants that should not be there included."""
        ...

    async def repair(self, wanted: Entitlements) -> Sequence[BrokerDifference]:
        """Mend all that can be mended; returns what still differs."""
        ...

    async def close(self) -> None:
        """Release connections."""
        ...
