"""The operator's policy as one frozen snapshot: the sources, groups and collections.

Lower layers than the registry receive it as a value; ``number`` is the last numbered change that it includes.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from functools import cached_property
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from hub.model.breaker import BreakerLimits
from hub.model.event_log import INTAKE_PREFIX, MEMBERS_TOPIC
from hub.model.forgotten import Forgotten
from hub.model.lifecycle import Lifecycle, Retention
from hub.model.policy_keys import Settings, breaker_of, lifecycle_of, pace_of, retention_of
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
    Topic,
)

_EPOCH = date(1970, 1, 1)


class SourceKind(StrEnum):
    """The kind of a source."""

    CENTRE = "centre"
    """A national centre, which has its own intake topic."""
    MEMBER = "member"
    """An organisation that a centre has accredited; all members share one intake topic."""


MEMBERS_CLAIM = frozenset({"note", "opinion", "sighting"})
"""The STIX types that members may send. Source: docs/semantics.md, "Members speak"."""


class Widths(NamedTuple):
    """Widths of networks, as prefix lengths: the shorter, the wider."""

    ipv4: int
    ipv6: int

    def of(self, version: int) -> int:
        """The prefix length for an IP version."""
        return self.ipv4 if version == 4 else self.ipv6

    def exceed(self, allowed: Widths) -> bool:
        """Whether one of them is wider than what is allowed."""
        return self.ipv4 < allowed.ipv4 or self.ipv6 < allowed.ipv6


WIDEST_SHOWN = Widths(8, 19)
"""The widest networks that are not held, if the operator has not decided otherwise (docs/decisions/0012)."""
WIDEST_BLOCKED = Widths(16, 29)
"""The widest networks in lists made for blocking, if the operator has not decided otherwise."""
ANY_WIDTH = Widths(0, 0)


LOG_OF_NOBODY = "rejections"
"""The name of the log of rejections of records that belong to no source; those of members begin with it and a dot."""


def intake_topic(kind: SourceKind, name: str) -> Topic:
    """The topic of the event log for what a source sends."""
    match kind:
        case SourceKind.CENTRE:
            return Topic(INTAKE_PREFIX + name)
        case SourceKind.MEMBER:
            return MEMBERS_TOPIC


def rejections_log(kind: SourceKind, name: str) -> str:
    """The name of the log of a source's rejections: of a centre also its Kafka topic; members have none."""
    match kind:
        case SourceKind.CENTRE:
            return f"rejected.{name}"
        case SourceKind.MEMBER:
            return f"{LOG_OF_NOBODY}.{name}"


@dataclass(frozen=True, slots=True)
class Source:
    """A source of claims: what it may send, and under which name it is shown."""

    no: int
    name: SourceName
    identity: StixId
    country: str
    created_us: int = 0
    kind: SourceKind = SourceKind.CENTRE
    may_claim: frozenset[str] | None = None
    """The STIX types that it may send; None: any."""
    ceiling: Level = Level.AMBER_STRICT
    default_level: Level = Level.AMBER
    amber_to: tuple[GroupName, ...] = (GroupName("network"),)
    trust: int = 100
    naming: Naming = Naming.NAMED
    alias: str | None = None
    former_aliases: frozenset[str] = frozenset()
    """The aliases under which it was shown once; nobody may use their identities."""
    speaks_for: frozenset[StixId] = frozenset()
    widest_shown: Widths = WIDEST_SHOWN
    """The widest networks that it may send without an operator's check."""
    widest_blocked: Widths = WIDEST_BLOCKED
    """The widest networks that lists made for blocking take on its word."""
    suspended: bool = False
    accredited_by: int | None = None
    """The number of the centre that accredited a member; what the member sends at amber goes where its own goes."""

    @property
    def is_centre(self) -> bool:
        """Whether it is a centre. Claims of centres come before those of members."""
        return self.kind is SourceKind.CENTRE

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
    """The settings of a source that an operator decides, as JSON: of a member only its naming."""
    if source.kind is SourceKind.MEMBER:
        return {"naming": source.naming}
    return {
        "ceiling": source.ceiling.label,
        "default_level": source.default_level.label,
        "amber_to": list(source.amber_to),
        "trust": source.trust,
        "naming": source.naming,
        "alias": source.alias,
        "former_aliases": sorted(source.former_aliases),
        "speaks_for": sorted(source.speaks_for),
        "widest_shown": list(source.widest_shown),
        "widest_blocked": list(source.widest_blocked),
    }


NOBODY = Source(0, SourceName("nobody"), StixId("identity--00000000-0000-0000-0000-000000000000"), "")
"""The source of records in intake topics that belong to no source. They are rejected, and operators see them."""


@dataclass(frozen=True, slots=True)
class Group:
    """A named set of principals, and the marking for it."""

    name: GroupName
    marking: StixId
    created_us: int = 0


class Audience(NamedTuple):
    """Who reads a collection: the highest level, and the group."""

    level: Level
    group: GroupName


@dataclass(frozen=True, slots=True)
class Collection:
    """A named audience with a filter on the content of views."""

    no: int
    name: CollectionName
    id: str
    """The TAXII id, a UUIDv4, because some TAXII clients refuse other ids."""
    audience: Audience
    types: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()
    min_confidence: int = 0
    first_generation: int = 0
    """The generation of things of which nothing is stored: above those of all things that were erased, so that none of
    their ids is used again."""
    alert: bool = False
    """Whether it is an alert lane: its changes go first through every door that pushes."""


def covers(named: GroupName, group: GroupName) -> bool:
    """Whether a marking for the group ``named`` includes everyone in ``group`` (semantics, section 2)."""
    if named == PUBLIC:
        return True
    if named == COMMUNITY:
        return group != PUBLIC
    return named == group


@dataclass(frozen=True, eq=False)
class Policy:
    """Everything that the operator has decided, as of one numbered change."""

    number: int
    namespace: UUID
    """Secret. The hub derives ids from it, so that nobody can compute the input from an id."""
    hub_identity: StixId
    hub_created_us: int
    sources: Mapping[int, Source]
    groups: Mapping[GroupName, Group]
    collections: Mapping[int, Collection]
    today: date | None = None
    """The current date of the hub, set by a task each day."""
    settings: Settings = field(default_factory=dict)
    """The values that operators have set, by key; see ``hub/model/policy_keys``."""
    pins: Mapping[StixId, StixId] = field(default_factory=dict)
    """By STIX id the identity of the author whose claims under it come first."""
    forgotten: Forgotten = field(default_factory=Forgotten)
    """Recognises what operators have had erased: it is refused when it comes again."""

    @cached_property
    def lifecycle(self) -> Lifecycle:
        """What operators have decided about the age of claims."""
        return lifecycle_of(self.settings)

    @cached_property
    def retention(self) -> Retention:
        """How much the hub keeps of what it needs no more."""
        return retention_of(self.settings)

    @cached_property
    def breaker(self) -> BreakerLimits:
        """How much a source may take back within an hour."""
        return breaker_of(self.settings)

    @cached_property
    def pace_us(self) -> int:
        """The shortest time between two versions of an object that only newer claims change; 0: as they come."""
        return pace_of(self.settings) * 1_000_000

    @cached_property
    def today_no(self) -> int | None:
        """``today`` in days since 1970; None if not set yet: then nothing has expired."""
        return None if self.today is None else (self.today - _EPOCH).days

    @cached_property
    def today_us(self) -> int | None:
        """The start of ``today``, in microseconds since 1970; None if not set yet."""
        return None if self.today_no is None else self.today_no * DAY_US

    @cached_property
    def source_of_identity(self) -> Mapping[StixId, Source]:
        """The source that an identity is, or that speaks for it."""
        found = {identity: source for source in self.sources.values() for identity in source.speaks_for}
        return found | {source.identity: source for source in self.sources.values()}

    @cached_property
    def registered(self) -> Mapping[StixId, Source]:
        """The sources by their own identity."""
        return {source.identity: source for source in self.sources.values()}

    @cached_property
    def centre_of_topic(self) -> Mapping[str, Source]:
        """The centres, by the name of their intake topic."""
        centres = (source for source in self.sources.values() if source.kind is SourceKind.CENTRE)
        return {intake_topic(centre.kind, centre.name): centre for centre in centres}

    @cached_property
    def members(self) -> Mapping[str, Source]:
        """The members, by name."""
        return {source.name: source for source in self.sources.values() if source.kind is SourceKind.MEMBER}

    def claimants(self, stix_type: str) -> Set[int]:
        """The numbers of the sources that may claim objects of a type."""
        return self.sources.keys() if stix_type in MEMBERS_CLAIM else self._unlimited

    @cached_property
    def _unlimited(self) -> frozenset[int]:
        """The numbers of the sources that may claim objects of any type."""
        return frozenset(source.no for source in self.sources.values() if source.may_claim is None)

    def alias_identity(self, source: Source, alias: str | None = None) -> StixId:
        """The identity that is shown for a source with an alias (None: its current one); the source cannot be computed
        from it.
        """
        return StixId(f"identity--{uuid5(self.namespace, f'alias {source.no} {alias or source.alias}')}")

    @cached_property
    def aliases(self) -> Mapping[StixId, Source]:
        """The sources with an alias, by the identity that is shown for them."""
        return {self.alias_identity(c): c for c in self.sources.values() if c.naming is Naming.ALIAS}

    @cached_property
    def given_up_aliases(self) -> frozenset[StixId]:
        """The identities that were shown for sources under aliases that they no longer go by."""
        found = {self.alias_identity(c, alias) for c in self.sources.values() for alias in c.former_aliases}
        return frozenset(found - self.aliases.keys())

    @cached_property
    def group_of_marking(self) -> Mapping[StixId, GroupName]:
        """The group of each marking that the hub issued for one."""
        return {group.marking: group.name for group in self.groups.values()}
