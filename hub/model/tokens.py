"""What the hub keeps of tokens: whose they are, what they allow, from where and until when. Frozen values.

A principal has a token of its own, which allows all that the principal may do, and any number of named ones, such as
one for each device.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import TypeAlias

from hub.model.words import CollectionName

Network: TypeAlias = IPv4Network | IPv6Network
SEPARATOR = "."
"""Between the names of a principal and of its token. Neither contains it."""


class TokenRights(StrEnum):
    """What a token allows at all."""

    BOTH = "read and push"
    READ = "read"
    PUSH = "push"
    """To push, and to see what became of it; no collection."""


@dataclass(frozen=True, slots=True)
class TokenScope:
    """The part of its principal's rights that a token gives. A token never gives more than its principal has."""

    rights: TokenRights = TokenRights.BOTH
    collections: frozenset[CollectionName] | None = None
    """The collections that it reads at most; None: all of its principal's."""

    @property
    def may_push(self) -> bool:
        """Whether it allows to push, and to see what became of it."""
        return self.rights is not TokenRights.READ

    def may_read(self, collection: CollectionName) -> bool:
        """Whether it allows to read this collection, if its principal may."""
        return self.rights is not TokenRights.PUSH and (self.collections is None or collection in self.collections)


FULL_SCOPE = TokenScope()
"""All that the principal may do."""


@dataclass(frozen=True, slots=True)
class TokenDigest:
    """What the hub keeps of one secret of a token. After a rotation with an overlap a token has two that are valid."""

    no: int
    sha256: bytes
    prefix: str
    """The first characters of the secret, by which people tell tokens apart; empty: not known."""
    created_us: int
    ends_us: int | None = None
    """When it stops to be valid because of a rotation; None: it is the newest."""


@dataclass(frozen=True, slots=True)
class StoredToken:
    """A token as the registry has it, without its secret."""

    no: int
    principal: str
    name: str = ""
    """Its name at the principal; empty: the principal's own token."""
    scope: TokenScope = FULL_SCOPE
    networks: tuple[Network, ...] = ()
    """Where it may be used; empty: everywhere."""
    ends_us: int | None = None
    created_us: int = 0
    digests: tuple[TokenDigest, ...] = ()
    """The newest first."""

    @property
    def full_name(self) -> str:
        """The name for Basic and on Kafka: ``PRINCIPAL``, or ``PRINCIPAL.NAME`` for a named token."""
        return full_name(self.principal, self.name)

    def has_ended(self, now_us: int) -> bool:
        """Whether its end is reached."""
        return self.ends_us is not None and now_us >= self.ends_us

    def allows_from(self, address: str | None) -> bool:
        """Whether it may be used from this address; an address that is not known is in no network."""
        return not self.networks or _is_in(address, self.networks)


def full_name(principal: str, name: str) -> str:
    """The name of a token for Basic and on Kafka."""
    return f"{principal}{SEPARATOR}{name}" if name else principal


def _is_in(address: str | None, networks: Iterable[Network]) -> bool:
    try:
        said = ip_address((address or "").partition("%")[0])
    except ValueError:
        return False
    found = getattr(said, "ipv4_mapped", None) or said
    return any(found in network for network in networks)


class TokenRefusal(StrEnum):
    """Why a token is refused: for the operator. A caller learns only that its credentials are not valid."""

    UNKNOWN = "token.unknown"
    """No token of the hub, or one that was removed."""
    OTHER_NAME = "token.other-name"
    """Sent with a name that is neither its principal's nor its own."""
    SUSPENDED = "token.suspended"
    """Its principal is suspended."""
    ENDED = "token.ended"
    """Its end is reached."""
    REPLACED = "token.replaced"
    """Replaced by a rotation, whose overlap is over."""
    NETWORK = "token.network"
    """Sent from outside its networks."""


@dataclass(frozen=True, slots=True)
class RefusedCredentials:
    """Credentials that are refused, and why."""

    why: TokenRefusal
    token: StoredToken | None = None
    """None for one that the hub does not know."""


@dataclass(frozen=True, slots=True)
class TokenUse:
    """When a secret was last used, and last refused."""

    used_us: int | None = None
    refused_us: int | None = None
    why: TokenRefusal | None = None
    """Why it was last refused."""
