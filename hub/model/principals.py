"""Who the hub knows: centres publish, members receive, operators administer. Frozen values; the store keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from hub.model.policy import Collection, Group, Source, SourceKind
from hub.model.words import CollectionName, GroupName, SourceName, StixId


class PrincipalKind(StrEnum):
    """What a principal is."""

    CENTRE = "centre"
    MEMBER = "member"
    OPERATOR = "operator"


SOURCE_KINDS: Mapping[PrincipalKind, SourceKind] = {PrincipalKind.CENTRE: SourceKind.CENTRE}
"""The kinds of principals that may make claims, and which kind of source each is."""


class Attribute(StrEnum):
    """What a group's rule may ask of a principal."""

    COUNTRY = "country"
    SECTOR = "sector"


@dataclass(frozen=True, slots=True)
class GroupRule:
    """One condition of a group over the registry, such as ``country=RO``."""

    attribute: Attribute
    value: str

    def __str__(self) -> str:
        return f"{self.attribute}={self.value}"


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody with a token. What a centre may say stands in ``policy.Source`` under the same number."""

    no: int
    name: str
    kind: PrincipalKind
    identity: StixId | None = None
    """Its STIX identity; None for an operator."""
    country: str | None = None
    sector: str | None = None
    accredited_by: int | None = None
    """The number of the centre that accredited a member."""
    suspended: bool = False
    created_us: int = 0
    joined: frozenset[GroupName] = field(default=frozenset())
    """The groups whose list names it."""


@dataclass(frozen=True, slots=True)
class GroupRules:
    """A group, and by which rules principals belong to it; lists of names stand at the principals."""

    group: Group
    rules: tuple[GroupRule, ...] = ()
    no: int = 0


@dataclass(frozen=True)
class RegistrySnapshot:
    """The whole registry as of one numbered change: it decides who is who and who reads what."""

    number: int
    hub_identity: StixId
    principals: Mapping[str, Principal]
    """By name in order."""
    by_digest: Mapping[bytes, Principal]
    """By the SHA-256 of their tokens."""
    centres: Mapping[SourceName, Source]
    """What the centres among the principals may say, by name in order."""
    groups: Mapping[GroupName, GroupRules]
    """The built-in ones, then the others by name."""
    collections: Mapping[CollectionName, Collection]
    """In the order of their making."""
