"""The grants of principals on the brokers, as values: exactly those of ``docs/kafka.md``."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from hub.log.kafka_topics import COLLECTION_PREFIX, PREFIXES, REJECTED_PREFIX
from hub.log.port import INTAKE_PREFIX
from hub.model.principals import PrincipalKind
from hub.registry.port import Entitlement

HUB_NAMES = "_ctihub."
"""The prefix of the hub's own groups and transactions. No principal's name has it, so no grant covers them."""


class Resource(StrEnum):
    """The kind of resource that a grant is for."""

    TOPIC = "topic"
    GROUP = "group"
    TRANSACTION = "transactional id"


class Operation(StrEnum):
    """What a grant allows. READ and WRITE include DESCRIBE."""

    READ = "read"
    WRITE = "write"
    CREATE = "create"
    DELETE = "delete"


class Acl(NamedTuple):
    """One operation that a user may perform on one resource, or on all with a prefix."""

    user: str
    operation: Operation
    resource: Resource
    name: str
    prefixed: bool = False
    host: str = "*"
    """The address from which it is allowed; ``*``: all. The brokers know no networks here."""

    def __str__(self) -> str:
        there = "" if self.host == "*" else f" from {self.host}"
        return f"{self.operation} {self.resource} {self.name}{'*' if self.prefixed else ''}{there}"

    @property
    def concerns_the_hub(self) -> bool:
        """Whether it covers a topic, a group or a transaction of the hub."""
        ours = PREFIXES if self.resource is Resource.TOPIC else (HUB_NAMES,)
        if self.name == "*" and not self.prefixed:
            return True
        return any(self.name.startswith(name) or (self.prefixed and name.startswith(self.name)) for name in ours)


def acls_of(entitlement: Entitlement) -> frozenset[Acl]:
    """Returns all grants of a token's user; none while it is suspended."""
    if entitlement.suspended:
        return frozenset()
    user, owner = entitlement.name, entitlement.principal
    granted = {Acl(user, Operation.READ, Resource.TOPIC, COLLECTION_PREFIX + name) for name in entitlement.collections}
    # The dot is needed: without it, the grant of soc1 would cover the groups of soc10.
    granted.add(Acl(user, Operation.READ, Resource.GROUP, f"{owner}.", prefixed=True))
    if entitlement.kind is PrincipalKind.CENTRE and entitlement.may_push:
        granted.add(Acl(user, Operation.WRITE, Resource.TOPIC, INTAKE_PREFIX + owner))
        granted.add(Acl(user, Operation.READ, Resource.TOPIC, REJECTED_PREFIX + owner))
    hosts = entitlement.hosts or frozenset({"*"})
    return frozenset(acl._replace(host=host) for acl in granted for host in hosts)


def acls_of_the_hub(user: str) -> frozenset[Acl]:
    """Returns the grants that the user of the hub's processes needs if it is not the administrator."""
    topics = {
        Acl(user, operation, Resource.TOPIC, prefix, prefixed=True)
        for prefix in PREFIXES
        for operation in (Operation.READ, Operation.WRITE)
    }
    # DELETE: to delete records that are in the store, and those that say something that was erased
    erased = {Acl(user, Operation.DELETE, Resource.TOPIC, INTAKE_PREFIX, prefixed=True)}
    erased |= {Acl(user, Operation.DELETE, Resource.TOPIC, REJECTED_PREFIX, prefixed=True)}
    intake = erased | {Acl(user, Operation.CREATE, Resource.TOPIC, INTAKE_PREFIX, prefixed=True)}
    own = {
        Acl(user, Operation.READ, Resource.GROUP, HUB_NAMES, prefixed=True),
        Acl(user, Operation.WRITE, Resource.TRANSACTION, HUB_NAMES, prefixed=True),
    }
    return frozenset(topics | intake | own)
