"""How far a claim may travel: its level and its groups, from its markings and its source's policy.

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


class Recipients(NamedTuple):
    """Who may see a version of a claim, independent of later policies."""

    level: Level
    """The minimum level of an audience."""
    groups: tuple[tuple[GroupName, ...], ...]
    """Sets of groups: each set must have a group that covers the audience's group."""

    def include(self, audience: Audience) -> bool:
        """Whether an audience is among them."""
        return self.level <= audience.level and all(
            any(covers(to, audience.group) for to in some) for some in self.groups
        )


@dataclass(frozen=True, slots=True, eq=False)
class Reach:
    """How far a claim may travel, according to its markings, their definitions and the policy."""

    level: Level
    """The strictest level in the claim."""
    recipients: Recipients
    """Who may see the whole object and each part of it."""
    groups: tuple[GroupName, ...]
    """The groups of the object's own markings; each of them may see it. If empty, the level decides."""
    granular_groups: tuple[GroupName, ...] = ()
    """The groups of its granular markings; whoever may see the whole is in all of them."""
    statements: tuple[StixId, ...] = ()
    """Markings that do not restrict; they are shown with the claim."""
    pap: int | None = None
    """The strictest PAP that the statements state, as an index into ``PAP_ORDER``."""

    @property
    def restrictions(self) -> tuple[tuple[GroupName, ...], ...]:
        """Sets of groups: for a recipient, each set must have a group that covers the recipient's."""
        own = (self.groups,) if self.groups else ()
        return (*own, *((group,) for group in self.granular_groups))


@dataclass(frozen=True, slots=True)
class Decided:
    """What a marking-definition decides about its source's claims that carry it."""

    readable: bool
    level: Level | None = None
    pap: int | None = None


Deciding = Callable[[int, StixId], Decided]
"""Returns the decision of the marking-definition that a source claims under an id."""

_NOT_READABLE = Decided(readable=False)
_DEFINING = frozenset({"definition", "extensions"})
"""Every marking-definition has one of these (STIX 2.1, section 7.2.1)."""


def decided_by(definition: StixObject | None) -> Decided:
    """The decision of a source's own definition. A missing or unreadable definition hides the claims that carry it; so
    does one of which only the revocation is known.
    """
    if definition is None or not definition.keys() & _DEFINING:
        return _NOT_READABLE
    try:
        return Decided(True, level_of_definition(definition), pap_of_definition(definition))
    except UnreadableMarking:
        return _NOT_READABLE


def reach(claim: ClaimHead, policy: Policy, deciding: Deciding) -> Reach | None:
    """How far a claim may travel; None if it is hidden from everyone (an unresolved marking, a suspended source, a
    level above the ceiling).
    """
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
        return None  # the ceiling was lowered after it was received
    recipients = _recipients(level, own_level, whole.groups, parts.groups, source)
    return Reach(
        level, recipients, whole.groups, parts.groups,
        tuple(dict.fromkeys((*whole.statements, *parts.statements))), strictest(*whole.paps, *parts.paps),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Resolved:
    """The combined effect of markings that are no TLP."""

    groups: tuple[GroupName, ...] = ()
    statements: tuple[StixId, ...] = ()
    levels: tuple[Level, ...] = ()
    paps: tuple[int, ...] = ()


_NOTHING = _Resolved()


def _resolved(refs: tuple[StixId, ...], source: int, policy: Policy, deciding: Deciding) -> _Resolved | None:
    """The combined effect of these markings of a source; None if one of them cannot be resolved."""
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
    """The greatest value that is not None; None if there is none."""
    return max((one for one in found if one is not None), default=None)


def _recipients(
    level: Level,
    own_level: Level,
    groups: tuple[GroupName, ...],
    granular_groups: tuple[GroupName, ...],
    source: Source,
) -> Recipients:
    """Who may see an object of ``own_level`` whose strictest part is of ``level``."""
    levels = (level,) if groups or own_level == level else (own_level, level)
    whole = [groups or _by_level(each, source) for each in levels]
    return Recipients(level, (*whole, *((group,) for group in granular_groups)))


def recipients_now(claim: ClaimHead, policy: Policy) -> Recipients | None:
    """Who may see a claim under this policy; None if nobody may.

    The source's own markings are not resolved, because another worker may be changing their definitions: a claim that
    carries one counts as seen by nobody.
    """
    found = reach(claim, policy, lambda *_: _NOT_READABLE)
    return None if found is None else found.recipients


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
