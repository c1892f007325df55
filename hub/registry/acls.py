"""What principals may do on the brokers, as values: exactly the grants of ``docs/kafka.md`` and no more."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from hub.log.kafka_topics import COLLECTION_PREFIX, PREFIXES, REJECTED_PREFIX
from hub.log.port import INTAKE_PREFIX
from hub.model.principals import PrincipalKind
from hub.registry.port import Entitlement

HUB_NAMES = "_ctihub."
"""Groups and transactions of the hub itself begin so. No principal's name does, so no grant of one reaches them."""


class Resource(StrEnum):
    """What a grant is about."""

    TOPIC = "topic"
    GROUP = "group"
    TRANSACTION = "transactional id"


class Operation(StrEnum):
    """What a grant allows; reading and writing include describing."""

    READ = "read"
    WRITE = "write"
    CREATE = "create"
    DELETE = "delete"


class Acl(NamedTuple):
    """One thing that one user may do with one resource, or with all whose names begin so."""

    user: str
    operation: Operation
    resource: Resource
    name: str
    prefixed: bool = False

    def __str__(self) -> str:
        return f"{self.operation} {self.resource} {self.name}{'*' if self.prefixed else ''}"

    @property
    def concerns_the_hub(self) -> bool:
        """Whether it reaches a topic, a group or a transaction of the hub."""
        ours = PREFIXES if self.resource is Resource.TOPIC else (HUB_NAMES,)
        if self.name == "*" and not self.prefixed:
            return True
        return any(self.name.startswith(name) or (self.prefixed and name.startswith(self.name)) for name in ours)


def acls_of(entitlement: Entitlement) -> frozenset[Acl]:
    """All that a principal is granted; nothing while it is suspended."""
    if entitlement.suspended:
        return frozenset()
    user = entitlement.name
    granted = {Acl(user, Operation.READ, Resource.TOPIC, COLLECTION_PREFIX + name) for name in entitlement.collections}
    # The point belongs to the name: without it, the grant of soc1 would cover the groups of soc10.
    granted.add(Acl(user, Operation.READ, Resource.GROUP, f"{user}.", prefixed=True))
    if entitlement.kind is PrincipalKind.CENTRE:
        granted.add(Acl(user, Operation.WRITE, Resource.TOPIC, INTAKE_PREFIX + user))
        granted.add(Acl(user, Operation.READ, Resource.TOPIC, REJECTED_PREFIX + user))
    return frozenset(granted)


def acls_of_the_hub(user: str) -> frozenset[Acl]:
    """What the user of the hub's own processes needs, where it is not the administrator itself."""
    topics = {
        Acl(user, operation, Resource.TOPIC, prefix, prefixed=True)
        for prefix in PREFIXES
        for operation in (Operation.READ, Operation.WRITE)
    }
    intake = {
        Acl(user, operation, Resource.TOPIC, INTAKE_PREFIX, prefixed=True)
        for operation in (Operation.CREATE, Operation.DELETE)  # DELETE: to let go of records that are in the store
    }
    own = {
        Acl(user, Operation.READ, Resource.GROUP, HUB_NAMES, prefixed=True),
        Acl(user, Operation.WRITE, Resource.TRANSACTION, HUB_NAMES, prefixed=True),
    }
    return frozenset(topics | intake | own)
