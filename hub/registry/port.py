"""The registry's ports: a store that keeps it and, in the scaled deployment, a broker that enforces it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from hub.model import policy
from hub.model.breaker import Trip
from hub.model.held import HeldChoice, HeldObject, HeldState
from hub.model.policy import Group, Source
from hub.model.policy_changes import PolicyChange
from hub.model.principals import GroupRule, GroupRules, Principal, PrincipalKind, RegistrySnapshot
from hub.model.tokens import SEPARATOR, StoredToken, TokenDigest, TokenUse
from hub.model.words import CollectionName, SourceName, StixId
from hub.registry.tokens import Token

NO_GRANTS = "broker.open"
"""The error code of a broker without users and grants, as in development: the registry has nothing to update."""


class Directory(Protocol):
    """Reads the registry in the store, from one snapshot of the database."""

    async def snapshot(self, known: RegistrySnapshot | None = None) -> RegistrySnapshot:
        """Returns the whole registry, or ``known`` without reading it if that is still current."""
        ...

    async def held(
        self, choice: HeldChoice, *, state: HeldState | None, limit: int, with_value: bool = False
    ) -> Sequence[HeldObject]:
        """Returns at most ``limit`` held objects, oldest first; ``state`` None means any."""
        ...

    async def trips(self) -> Sequence[Trip]:
        """Returns the breakers that have tripped and wait for a decision, the first first."""
        ...

    async def token_uses(self) -> Mapping[int, TokenUse]:
        """Returns the last use of each secret of a token, by the number of its digest."""
        ...


class TokenWriter(Protocol):
    """Writes the tokens of principals in a write transaction."""

    async def add(self, principal: int, token: StoredToken) -> None:
        """Add a token, with its digests."""
        ...

    async def replace(self, token: int, digest: TokenDigest, *, ends_us: int) -> None:
        """Add a new secret to a token; its others end at ``ends_us`` at the latest. Those that have ended when the new
        one is created are deleted.
        """
        ...

    async def remove(self, token: int) -> None:
        """Delete a token."""
        ...


class CollectionWriter(Protocol):
    """Changes collections, as a part of ``DirectoryWriter``."""

    async def add_collection(self, collection: policy.Collection, now_us: int) -> policy.Collection:
        """Add a collection with an empty change log; returns it with its number."""
        ...

    async def set_alert(self, collection: int, alert: bool) -> None:
        """Set whether a collection is an alert lane."""
        ...

    async def remove_collection(self, collection: int) -> None:
        """Delete a collection; its change log can no longer be read by name."""
        ...


class DirectoryWriter(Directory, CollectionWriter, Protocol):
    """The same inside a write transaction. Numbers are the ``no`` that the store has assigned."""

    @property
    def tokens(self) -> TokenWriter:
        """Writes tokens in the same transaction."""
        ...

    async def add_principal(self, principal: Principal, first: TokenDigest, terms: Source | None = None) -> Principal:
        """Add a principal with its own token, whose digest is ``first``, and for a centre a log of rejections.

        ``terms`` is given for a centre or member. Returns the principal with its number.
        """
        ...

    async def update_principal(self, principal: Principal, terms: Source | None = None) -> None:
        """Update country, sector, accrediting centre and suspension, and the ``terms`` of a source if given."""
        ...

    async def remove_operator(self, principal: int) -> None:
        """Delete an operator and its tokens. Centres and members are suspended instead: other data refer to them."""
        ...

    async def add_group(self, group: Group, rules: tuple[GroupRule, ...]) -> GroupRules:
        """Add a group; returns it with its number."""
        ...

    async def remove_group(self, group: int) -> None:
        """Delete a group and its list."""
        ...

    async def join(self, group: int, principal: int) -> None:
        """Add a principal to the list of a group; it must not be on it."""
        ...

    async def leave(self, group: int, principal: int) -> None:
        """Remove a principal from the list of a group."""
        ...

    async def settle_held(self, choice: HeldChoice, state: HeldState) -> int:
        """Set the state of the waiting objects among ``choice``; returns how many."""
        ...

    async def set_setting(self, key: str, value: str | None) -> None:
        """Set a value of the policy, as ``hub/model/policy_keys`` writes it; None: no value, but the default."""
        ...

    async def pin(self, name: StixId, author: StixId | None) -> None:
        """Set the author whose claims under an id come first; None: none."""
        ...

    async def settle_breaker(self, source: int, state: HeldState) -> Trip | None:
        """Release or refuse all that a breaker holds; a release lets the count begin anew. Returns the trip, if any."""
        ...

    async def record(self, change: PolicyChange, now_us: int) -> int:
        """Append a numbered change, and add tasks that recompute what it affects; returns the number."""
        ...


class RegistryStore(Protocol):
    """Where the registry is kept; ``hub/store/directory.SqlRegistry`` is one."""

    def reading(self) -> AbstractAsyncContextManager[Directory]:
        """A read transaction with one snapshot. Raises TryAgain."""
        ...

    def change(self) -> AbstractAsyncContextManager[DirectoryWriter]:
        """A write transaction: committed at the end of the block, rolled back on an exception. Other writers wait.

        Raises TryAgain.
        """
        ...

    async def note_uses(self, uses: Mapping[int, TokenUse]) -> None:
        """Note when secrets of tokens were last used or refused, by the numbers of their digests.

        Nobody waits for a change of the registry meanwhile. Raises TryAgain.
        """
        ...


@dataclass(frozen=True, slots=True)
class Entitlement:
    """The rights of one token on the broker: a user of its full name. Consumer groups begin with the principal's name
    and a point.
    """

    name: str
    """The full name of the token; a principal's own token has the principal's name."""
    kind: PrincipalKind
    """CENTRE or MEMBER. A centre also writes ``intake.NAME`` and reads ``rejected.NAME``; nobody but the hub writes
    ``intake.members``."""
    suspended: bool
    """If True, it has no grants; its password is kept."""
    collections: frozenset[CollectionName]
    """It may read ``collection.NAME`` of these; empty when suspended."""
    may_push: bool = True
    """Whether a centre's token gives the rights on ``intake.NAME`` and ``rejected.NAME``."""
    hosts: frozenset[str] = frozenset()
    """The only addresses that it may be used from; empty: all."""

    @property
    def principal(self) -> str:
        """The name of the principal."""
        return self.name.partition(SEPARATOR)[0]


@dataclass(frozen=True, slots=True)
class Entitlements:
    """The complete state of the broker that the registry requires."""

    principals: tuple[Entitlement, ...]
    """In the order of names."""
    centres: tuple[SourceName, ...]
    """The topics ``intake.NAME`` and ``rejected.NAME`` must exist for these."""
    collections: tuple[CollectionName, ...]
    """The topics ``collection.NAME`` must exist for these."""


@dataclass(frozen=True, slots=True)
class BrokerDifference:
    """A difference between the broker and the registry."""

    says: str
    """One sentence, such as ``member soc may not read collection.community``."""
    repairable: bool
    """Whether ``repair`` can resolve it. A lost password needs ``rotate``."""
    way_out: str = ""
    note: bool = False
    """Whether this is only information, such as that something could not be checked."""


class Broker(Protocol):
    """A broker with users and grants. The registry calls it after each commit; all methods are idempotent.

    Methods raise TryAgain when the broker is not available, Broken when it refuses. The registry's commit remains, and
    ``ctihub doctor --fix`` repairs the broker later.
    """

    async def set_password(self, name: str, token: Token) -> None:
        """Create the user or change its password (SCRAM-SHA-512) to this token."""
        ...

    async def make_topics(self, centres: Collection[SourceName], collections: Collection[CollectionName]) -> None:
        """Create the missing topics of these centres and collections, and that of all members."""
        ...

    async def grant(self, entitlements: Sequence[Entitlement]) -> None:
        """Give each of these principals exactly these rights: add missing grants and remove all others."""
        ...

    async def remove_users(self, names: Collection[str]) -> None:
        """Remove all grants of these users, and their passwords."""
        ...

    async def remove_collection(self, name: CollectionName) -> None:
        """Delete the topic of a removed collection, and all grants on it."""
        ...

    async def compare(self, wanted: Entitlements) -> Sequence[BrokerDifference]:
        """Returns all differences, including surplus users, topics and grants."""
        ...

    async def repair(self, wanted: Entitlements) -> Sequence[BrokerDifference]:
        """Resolve all repairable differences; returns the remaining ones."""
        ...

    async def close(self) -> None:
        """Release connections."""
        ...
