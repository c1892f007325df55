"""How far a claim may travel: its level and the groups that it is for, by its markings and its source's policy.

Source: docs/semantics.md, section 2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from hub.model.claims import ClaimHead
from hub.model.markings import UnreadableMarking, level_of_definition, pap_of_definition
from hub.model.policy import Audience, Policy, Source, covers
from hub.model.words import COMMUNITY, PUBLIC, GroupName, Level, StixId, StixObject


@dataclass(frozen=True, slots=True, eq=False)
class Reach:
    """How far a claim may travel, policy and definitions taken into account."""

    level: Level
    """The strictest that holds anywhere in it."""
    own_level: Level
    """The level of the object as a whole, granular markings aside."""
    groups: tuple[GroupName, ...]
    """The groups that the object's own markings name, each of which may see it; empty: by level."""
    granular_groups: tuple[GroupName, ...] = ()
    """The groups that its granular markings name: who may see the whole is in all of them."""
    statements: tuple[StixId, ...] = ()
    """Markings that do not restrict; they travel along."""
    pap: int | None = None
    """The strictest PAP that the statements state, as a place in ``PAP_ORDER``."""

    @property
    def restrictions(self) -> tuple[tuple[GroupName, ...], ...]:
        """Sets of groups of which each must have one that covers whoever is to see the claim."""
        own = (self.groups,) if self.groups else ()
        return (*own, *((group,) for group in self.granular_groups))


@dataclass(frozen=True, slots=True)
class Decided:
    """What a marking-definition decides about the claims of its source that carry it."""

    readable: bool
    level: Level | None = None
    pap: int | None = None


Deciding = Callable[[int, StixId], Decided]
"""What the marking-definition decides that a source claims under an id."""

_NOT_READABLE = Decided(readable=False)
_DEFINING = frozenset({"definition", "extensions"})
"""One of these is in every marking-definition (STIX 2.1, section 7.2.1)."""


def decided_by(definition: StixObject | None) -> Decided:
    """What a source's own definition decides; one that is not there, or cannot be read, hides what carries it. So does
    one of which no more is known than that it was revoked.
    """
    if definition is None or not definition.keys() & _DEFINING:
        return _NOT_READABLE
    try:
        return Decided(True, level_of_definition(definition), pap_of_definition(definition))
    except UnreadableMarking:
        return _NOT_READABLE


def reach(claim: ClaimHead, policy: Policy, deciding: Deciding) -> Reach | None:
    """How far a claim may travel; None hides it from everyone: an unresolved marking, a suspended source."""
    source = policy.sources.get(claim.source)
    marks = claim.marks
    if source is None or source.suspended or marks.unreadable:
        return None
    whole = _resolved(marks.own, claim.source, policy, deciding)
    parts = _resolved(marks.granular, claim.source, policy, deciding)
    if whole is None or parts is None:
        return None
    own_level = strictest(marks.level, *whole.levels)
    own_level = source.default_level if own_level is None else own_level
    level = max((own_level, *parts.levels, *(() if marks.granular_level is None else (marks.granular_level,))))
    if level > source.ceiling:
        return None  # the ceiling was lowered after it came
    return Reach(
        level, own_level, whole.groups, parts.groups,
        tuple(dict.fromkeys((*whole.statements, *parts.statements))), strictest(*whole.paps, *parts.paps),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Resolved:
    """What some markings that are no TLP come to."""

    groups: tuple[GroupName, ...] = ()
    statements: tuple[StixId, ...] = ()
    levels: tuple[Level, ...] = ()
    paps: tuple[int, ...] = ()


_NOTHING = _Resolved()


def _resolved(refs: tuple[StixId, ...], source: int, policy: Policy, deciding: Deciding) -> _Resolved | None:
    """What these markings of a source come to; None when one of them cannot be resolved."""
    if not refs:
        return _NOTHING
    groups: list[GroupName] = []
    statements: list[StixId] = []
    levels: list[Level] = []
    paps: list[int] = []
    for ref in refs:
        group = policy.group_of_marking.get(ref)
        if group is not None:
            groups.append(group)
            continue
        decided = deciding(source, ref)
        if not decided.readable:
            return None
        if decided.level is not None:
            levels.append(decided.level)
            continue
        statements.append(ref)
        if decided.pap is not None:
            paps.append(decided.pap)
    return _Resolved(tuple(groups), tuple(statements), tuple(levels), tuple(paps))


N = TypeVar("N", bound=int)


def strictest(*found: N | None) -> N | None:
    """The greatest that is there."""
    return max((one for one in found if one is not None), default=None)


class Recipients(NamedTuple):
    """Who may see a version of a claim, whatever the policy becomes later."""

    level: Level
    """The least that an audience has."""
    groups: tuple[tuple[GroupName, ...], ...]
    """Sets of groups of which each has one that covers the audience's group."""

    def include(self, audience: Audience) -> bool:
        """Whether an audience is one of them."""
        return self.level <= audience.level and all(
            any(covers(to, audience.group) for to in some) for some in self.groups
        )


def recipients(found: Reach, source: Source) -> Recipients:
    """Who may see a claim that travels this far: the whole object and each part of it."""
    levels = (found.level,) if found.groups or found.own_level == found.level else (found.own_level, found.level)
    whole = [found.groups or _by_level(level, source) for level in levels]
    return Recipients(found.level, (*whole, *((group,) for group in found.granular_groups)))


def recipients_now(claim: ClaimHead, policy: Policy) -> Recipients | None:
    """Who may see a claim under this policy; None for nobody.

    What its source's own markings mean is not looked up, since another worker may be changing that: nobody sees a claim
    with one.
    """
    found = reach(claim, policy, lambda *_: _NOT_READABLE)
    return None if found is None else recipients(found, policy.sources[claim.source])


def reaches(found: Reach, source: Source, audience: Audience) -> bool:
    """Whether a claim that travels this far gets to an audience."""
    return found.level <= audience.level and recipients(found, source).include(audience)


def _by_level(level: Level, source: Source) -> tuple[GroupName, ...]:
    match level:
        case Level.CLEAR:
            return (PUBLIC,)
        case Level.GREEN:
            return (COMMUNITY,)
        case Level.AMBER | Level.AMBER_STRICT:
            return source.amber_to
        case Level.RED:
            return ()
