"""The operator's policy as one frozen snapshot: who the sources are, which groups and collections there are.

Rooms below the registry receive it as a value; ``number`` says which numbered change it includes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cached_property
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from hub.model.times import DAY_US
from hub.model.words import (
    COMMUNITY,
    PUBLIC,
    CollectionName,
    GroupName,
    Level,
    Naming,
    SourceName,
    StixId,
)

_EPOCH = date(1970, 1, 1)


class SourceKind(StrEnum):
    """What a source is."""

    CENTRE = "centre"
    """A national centre, which has an intake topic of its own."""


@dataclass(frozen=True, slots=True)
class Source:
    """Who may make claims: what it may say, and under what name it is shown."""

    no: int
    name: SourceName
    identity: StixId
    country: str
    created_us: int = 0
    kind: SourceKind = SourceKind.CENTRE
    may_claim: frozenset[str] | None = None
    """The STIX types that it may make claims of; None: any."""
    ceiling: Level = Level.AMBER_STRICT
    default_level: Level = Level.AMBER
    amber_to: tuple[GroupName, ...] = (GroupName("network"),)
    trust: int = 100
    naming: Naming = Naming.NAMED
    alias: str | None = None
    speaks_for: frozenset[StixId] = frozenset()
    suspended: bool = False

    @property
    def shown_name(self) -> str:
        """The name under which others see this source's claims."""
        match self.naming:
            case Naming.NAMED:
                return self.name
            case Naming.ALIAS:
                return self.alias or "anonymous"
            case Naming.ANONYMOUS:
                return "anonymous"


def terms_of(source: Source) -> dict[str, Any]:
    """What an operator has said of a source, as JSON."""
    return {
        "ceiling": source.ceiling.label,
        "default_level": source.default_level.label,
        "amber_to": list(source.amber_to),
        "trust": source.trust,
        "naming": source.naming,
        "alias": source.alias,
        "speaks_for": sorted(source.speaks_for),
    }


NOBODY = Source(0, SourceName("nobody"), StixId("identity--00000000-0000-0000-0000-000000000000"), "")
"""Whose the records of an intake topic are that belongs to no source. They are rejected, for operators to see."""


@dataclass(frozen=True, slots=True)
class Group:
    """A named set of principals, and the marking that names it on objects."""

    name: GroupName
    marking: StixId
    created_us: int = 0


class Audience(NamedTuple):
    """Who reads: up to which level, and which group."""

    level: Level
    group: GroupName


@dataclass(frozen=True, slots=True)
class Collection:
    """A named audience with a filter over the content of views."""

    no: int
    name: CollectionName
    id: str
    """The TAXII id, a UUIDv4, since some TAXII clients refuse others."""
    audience: Audience
    types: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()
    min_confidence: int = 0


def covers(named: GroupName, group: GroupName) -> bool:
    """Whether everyone in ``group`` belongs to those that a marking with ``named`` addresses (semantics, section 2)."""
    if named == PUBLIC:
        return True
    if named == COMMUNITY:
        return group != PUBLIC
    return named == group


@dataclass(frozen=True, eq=False)
class Policy:
    """All that the operator has decided, as of one numbered change."""

    number: int
    namespace: UUID
    """Secret; ids of what the hub makes derive from it, so that nobody computes back from an id."""
    hub_identity: StixId
    hub_created_us: int
    sources: Mapping[int, Source]
    groups: Mapping[GroupName, Group]
    collections: Mapping[int, Collection]
    today: date | None = None
    """The date that the last tick set."""

    @cached_property
    def today_us(self) -> int | None:
        """The beginning of ``today``, in microseconds since 1970; None before the first tick: nothing has expired."""
        return None if self.today is None else (self.today - _EPOCH).days * DAY_US

    @cached_property
    def source_of_identity(self) -> Mapping[StixId, Source]:
        """The source that an identity is, or that speaks for it."""
        found = {identity: source for source in self.sources.values() for identity in source.speaks_for}
        return found | {source.identity: source for source in self.sources.values()}

    @cached_property
    def registered(self) -> Mapping[StixId, Source]:
        """The sources by their own identity."""
        return {source.identity: source for source in self.sources.values()}

    def alias_identity(self, source: Source) -> StixId:
        """The identity under which objects of an alias source are shown; nobody computes the source from it."""
        return StixId(f"identity--{uuid5(self.namespace, f'alias {source.no} {source.alias}')}")

    @cached_property
    def aliases(self) -> Mapping[StixId, Source]:
        """The sources that go by an alias, by the identity that stands for them."""
        return {self.alias_identity(c): c for c in self.sources.values() if c.naming is Naming.ALIAS}

    @cached_property
    def group_of_marking(self) -> Mapping[StixId, GroupName]:
        """The group that a hub-issued marking names."""
        return {group.marking: group.name for group in self.groups.values()}
