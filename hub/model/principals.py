"""The principals of the hub: centres publish, members receive and report, operators administer. Frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from hub.model.policy import MEMBERS_CLAIM, Collection, Group, Source, SourceKind, intake_topic
from hub.model.policy_keys import Settings
from hub.model.tokens import FULL_SCOPE, StoredToken, TokenDigest, TokenScope
from hub.model.words import CollectionName, GroupName, Naming, SourceName, StixId, Topic


class PrincipalKind(StrEnum):
    """The kind of a principal."""

    CENTRE = "centre"
    MEMBER = "member"
    OPERATOR = "operator"


PLACEHOLDER_USER = "ctihub-placeholder-sewfcgo"
"""A Kafka user that nobody logs in as; no principal may have its name. Without it, brokers up to Kafka 4.4 can lose all
users when they start (KAFKA-20774).

A broker that starts without a snapshot of its metadata reads the whole log. If the first user in the order of a Java
HashMap was removed, it drops all others too. The ``hashCode`` of this name is 0: it comes first, and is never removed.
"""

SOURCE_KINDS: Mapping[PrincipalKind, SourceKind] = {
    PrincipalKind.CENTRE: SourceKind.CENTRE,
    PrincipalKind.MEMBER: SourceKind.MEMBER,
}
"""The kinds of principals that may make claims, and which kind of source each is."""


class Attribute(StrEnum):
    """An attribute of a principal that a group's rule may test."""

    COUNTRY = "country"
    SECTOR = "sector"


@dataclass(frozen=True, slots=True)
class GroupRule:
    """One membership condition of a group, such as ``country=RO``."""

    attribute: Attribute
    value: str

    def __str__(self) -> str:
        return f"{self.attribute}={self.value}"


@dataclass(frozen=True, slots=True)
class Principal:
    """A principal with a token. What a centre or member may send is in ``policy.Source`` under the same number."""

    no: int
    name: str
    kind: PrincipalKind
    identity: StixId | None = None
    """Its STIX identity; None for an operator."""
    country: str | None = None
    sector: str | None = None
    accredited_by: int | None = None
    """The number of the centre that accredited the member."""
    suspended: bool = False
    created_us: int = 0
    joined: frozenset[GroupName] = field(default=frozenset())
    """The groups whose list contains it."""
    scope: TokenScope = FULL_SCOPE
    """What the token allows with which it has authenticated; in the registry everything."""
    token: str = ""
    """The name of that token; empty: its own."""

    @property
    def intake_topic(self) -> Topic:
        """The topic of the event log for what it sends. Operators send nothing: KeyError."""
        return intake_topic(SOURCE_KINDS[self.kind], self.name)


def source_of_member(member: Principal, naming: Naming, accredited_by: Source) -> Source:
    """The source that a member is; its ``amber_to`` is that of the centre that accredited it."""
    assert member.identity is not None  # noqa: S101 - every member has one
    return Source(
        no=member.no,
        name=SourceName(member.name),
        identity=member.identity,
        country=member.country or "",
        created_us=member.created_us,
        kind=SourceKind.MEMBER,
        may_claim=MEMBERS_CLAIM,
        amber_to=accredited_by.amber_to,
        naming=naming,
        suspended=member.suspended,
        accredited_by=accredited_by.no,
    )


@dataclass(frozen=True, slots=True)
class GroupRules:
    """A group and its rules of membership; explicit membership is stored with the principals."""

    group: Group
    rules: tuple[GroupRule, ...] = ()
    no: int = 0


@dataclass(frozen=True, slots=True)
class KnownSecret:
    """A secret that the hub knows by its digest, its token, and the principal with what the token allows."""

    digest: TokenDigest
    token: StoredToken
    principal: Principal


@dataclass(frozen=True)
class RegistrySnapshot:
    """The whole registry as of one numbered change: who exists, and who may read what."""

    number: int
    hub_identity: StixId
    principals: Mapping[str, Principal]
    """By name, sorted."""
    by_digest: Mapping[bytes, KnownSecret]
    """By their SHA-256, also those that a rotation has replaced."""
    tokens: Mapping[str, StoredToken]
    """By full name, sorted; a principal's own one first."""
    centres: Mapping[SourceName, Source]
    """What the centres may send, by name, sorted."""
    members: Mapping[SourceName, Source]
    """What the members may send, by name, sorted."""
    groups: Mapping[GroupName, GroupRules]
    """The built-in groups, then the others by name."""
    collections: Mapping[CollectionName, Collection]
    """In order of creation."""
    settings: Settings = field(default_factory=dict)
    """The values of the policy that are set, by key."""
    pins: Mapping[StixId, StixId] = field(default_factory=dict)
    """By STIX id, sorted, the identity of the author whose claims under it come first."""
