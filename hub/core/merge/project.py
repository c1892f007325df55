"""Who may see what of a claim: ``project`` makes the only thing that ``merge`` accepts.

Source: docs/semantics.md, section 2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from hub.core.merge.runs import began
from hub.core.merge.unnamed import without_traces
from hub.model.claims import Claim, ClaimState
from hub.model.markings import Marks, UnreadableMarking, level_of_definition, pap_of_definition, stated_pap
from hub.model.policy import Audience, Centre, Policy, covers
from hub.model.stix_types import stix_type
from hub.model.words import COMMUNITY, PUBLIC, GroupName, Level, Naming, StixId, StixObject

Definition = Callable[[int, StixId], StixObject | None]
"""The marking-definition that a centre claims under an id, or None."""


@dataclass(frozen=True, slots=True)
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
    """What a marking-definition decides about the claims of its centre that carry it."""

    readable: bool
    level: Level | None = None
    pap: int | None = None


_NOT_READABLE = Decided(readable=False)
_DEFINING = frozenset({"definition", "extensions"})
"""One of these is in every marking-definition (STIX 2.1, section 7.2.1)."""


def decided_by(definition: StixObject | None) -> Decided:
    """What a centre's own definition decides; one that is not there, or cannot be read, hides what carries it. So does
    one of which no more is known than that it was revoked.
    """
    if definition is None or not definition.keys() & _DEFINING:
        return _NOT_READABLE
    try:
        return Decided(True, level_of_definition(definition), pap_of_definition(definition))
    except UnreadableMarking:
        return _NOT_READABLE


def reach(claim: Claim, policy: Policy, definition: Definition) -> Reach | None:
    """How far a claim may travel; None hides it from everyone: an unresolved marking, a suspended centre."""
    centre = policy.centres.get(claim.centre)
    marks = claim.marks
    if centre is None or centre.suspended or marks.unreadable:
        return None
    whole = _resolved(marks.own, claim.centre, policy, definition)
    parts = _resolved(marks.granular, claim.centre, policy, definition)
    if whole is None or parts is None:
        return None
    own_level = _strictest(marks.level, *whole.levels)
    own_level = centre.default_level if own_level is None else own_level
    level = max((own_level, *parts.levels, *(() if marks.granular_level is None else (marks.granular_level,))))
    if level > centre.ceiling:
        return None  # the ceiling was lowered after it came
    return Reach(
        level, own_level, whole.groups, parts.groups,
        tuple(dict.fromkeys((*whole.statements, *parts.statements))), _strictest(*whole.paps, *parts.paps),
    )  # fmt: skip


@dataclass(slots=True)
class _Resolved:
    """What some markings that are no TLP come to."""

    groups: tuple[GroupName, ...] = ()
    statements: tuple[StixId, ...] = ()
    levels: tuple[Level, ...] = ()
    paps: tuple[int, ...] = ()


def _resolved(refs: tuple[StixId, ...], centre: int, policy: Policy, definition: Definition) -> _Resolved | None:
    """What these markings of a centre come to; None when one of them cannot be resolved."""
    found = _Resolved()
    for ref in refs:
        group = policy.group_of_marking.get(ref)
        if group is not None:
            found.groups += (group,)
            continue
        decided = decided_by(definition(centre, ref))
        if not decided.readable:
            return None
        if decided.level is not None:
            found.levels += (decided.level,)
            continue
        found.statements += (ref,)
        if decided.pap is not None:
            found.paps += (decided.pap,)
    return found


N = TypeVar("N", bound=int)


def _strictest(*found: N | None) -> N | None:
    return max((one for one in found if one is not None), default=None)


def _since(claim: Claim, centre: Centre, audience: Audience, policy: Policy) -> bytes:
    if len(claim.since) == len(claim.stamp):
        return claim.since
    return began(claim, lambda marks: _saw(marks, centre, audience, policy))


def _saw(marks: Marks, centre: Centre, audience: Audience, policy: Policy) -> bool:
    """Whether an audience may see a version marked like this. Only a claim itself is worth looking up what its centre's
    own markings mean: an earlier version with one counts as not seen.
    """
    if marks.unreadable or any(ref not in policy.group_of_marking for ref in marks.others):
        return False
    own_level = centre.default_level if marks.level is None else marks.level
    own, granular = (tuple(policy.group_of_marking[ref] for ref in refs) for refs in (marks.own, marks.granular))
    found = Reach(marks.strictest(centre.default_level), own_level, own, granular)
    return found.level <= centre.ceiling and reaches(found, centre, audience)


def reaches(found: Reach, centre: Centre, audience: Audience) -> bool:
    """Whether a claim that travels this far gets to an audience: the whole object and each part of it."""
    return (
        found.level <= audience.level
        and all(_reaches_by_level(level, found.groups, centre, audience) for level in {found.own_level, found.level})
        and all(covers(group, audience.group) for group in found.granular_groups)
    )


def _reaches_by_level(level: Level, groups: tuple[GroupName, ...], centre: Centre, audience: Audience) -> bool:
    """Whether one of these groups, or with none one of the recipients of the level, covers an audience's group."""
    return any(covers(to, audience.group) for to in groups or _recipients(level, centre))


def _recipients(level: Level, centre: Centre) -> tuple[GroupName, ...]:
    match level:
        case Level.CLEAR:
            return (PUBLIC,)
        case Level.GREEN:
            return (COMMUNITY,)
        case Level.AMBER | Level.AMBER_STRICT:
            return centre.amber_to
        case Level.RED:
            return ()


@dataclass(frozen=True, slots=True)
class Projection:
    """What remains of a claim for one audience. Only ``project`` makes one."""

    of: tuple[int, StixId]
    """Centre and id, for the order of equals; never shown."""
    centre: Centre
    obj: StixObject
    level: Level
    restrictions: tuple[tuple[GroupName, ...], ...]
    """See ``Reach``."""
    statements: tuple[StixId, ...]
    author: StixId | None
    """None: unknown, and then another than the unknown author of the next centre."""
    own: bool
    """The author is the centre, or an identity that it speaks for."""
    modified_us: int
    since: bytes
    digest: bytes
    revoked: bool
    statement_pap: int | None = None
    unnamed: bool = False
    """Its centre does not go by its name, and it is the centre's own, or nobody says whose it is: ``obj`` is what
    ``without_traces`` leaves, and no id of the centre's own is shown.
    """

    @property
    def rank(self) -> tuple[int, int, str, str]:
        """Best first: trust and ``modified`` descending, centre and id ascending."""
        return (-self.centre.trust, -self.modified_us, self.centre.identity, self.of[1])

    @property
    def pap(self) -> int | None:
        """The strictest PAP that its labels and statements state, as a place in ``PAP_ORDER``."""
        found = self.statement_pap
        for label in self.obj.get("labels") or ():
            found = _strictest(found, stated_pap(label))
        return found


def author_of(obj: StixObject, centre: Centre, policy: Policy) -> StixId | None:
    """The identity that a claim speaks for; None when nobody says."""
    said = obj.get("created_by_ref")
    if said is not None:
        return centre.identity if policy.aliases.get(said) is centre else StixId(said)
    return centre.identity if stix_type(obj["type"]).centre_is_author else None


def project(claim: Claim, audience: Audience, policy: Policy, found: Reach) -> Projection | None:
    """What an audience sees of a claim that travels as far as ``found``; None for nothing."""
    centre = policy.centres[claim.centre]
    if claim.state is ClaimState.WITHDRAWN or not reaches(found, centre, audience):
        return None
    return _projection(
        claim, policy, level=found.level, restrictions=found.restrictions, statements=found.statements,
        since=_since(claim, centre, audience, policy), statement_pap=found.pap,
    )  # fmt: skip


def as_definition(claim: Claim, policy: Policy) -> Projection:
    """A marking-definition as it travels with what carries it: it has no level of its own."""
    return _projection(claim, policy, level=Level.CLEAR, since=claim.since)


def _projection(
    claim: Claim,
    policy: Policy,
    *,
    level: Level,
    since: bytes,
    restrictions: tuple[tuple[GroupName, ...], ...] = (),
    statements: tuple[StixId, ...] = (),
    statement_pap: int | None = None,
) -> Projection:
    centre = policy.centres[claim.centre]
    author = author_of(claim.obj, centre, policy)
    own = author is not None and (author == centre.identity or author in centre.speaks_for)
    unnamed = (own or author is None) and centre.naming is not Naming.NAMED
    return Projection(
        of=(claim.centre, claim.id), centre=centre, obj=without_traces(claim.obj) if unnamed else claim.obj,
        level=level, restrictions=restrictions, statements=statements, author=author, own=own,
        modified_us=claim.modified_us or 0, since=since, digest=claim.digest,
        revoked=claim.state is ClaimState.REVOKED, statement_pap=statement_pap, unnamed=unnamed,
    )  # fmt: skip


def view_groups(projections: Iterable[Projection]) -> tuple[GroupName, ...]:
    """The groups that a view of these is restricted to: named by a restricted one, covered by all restricted ones,
    without those that another of these covers; empty when none is restricted.
    """
    restricted = [groups for p in projections for groups in p.restrictions]
    named = sorted({group for groups in restricted for group in groups})
    common = [group for group in named if all(any(covers(other, group) for other in groups) for groups in restricted)]
    return tuple(group for group in common if not any(other != group and covers(other, group) for other in common))


def no_stricter(p: Projection, level: Level, groups: Iterable[GroupName]) -> bool:
    """Whether whoever may pass on a view of this level and these groups may pass on that there is ``p``."""
    if p.level > level:
        return False
    named = tuple(groups)
    return not p.restrictions or (
        bool(named) and all(any(covers(to, group) for to in groups) for groups in p.restrictions for group in named)
    )
