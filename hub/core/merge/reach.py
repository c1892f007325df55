"""How far a claim may travel: its level and its groups, from its markings and its source's policy.

Source: docs/semantics.md, section 2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeVar

from hub.model.claims import ClaimHead
from hub.model.kept_out import KeptOut
from hub.model.markings import PAP_OF_ID, UnreadableMarking, level_of_definition, marks_of, pap_of_definition
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
        return self.excludes(audience) is None

    def excludes(self, audience: Audience) -> KeptOut | None:
        """Why an audience is not among them; None if it is."""
        if self.level > audience.level:
            return KeptOut.LEVEL
        return None if self.reach_group(audience.group) else KeptOut.GROUP

    def reach_group(self, group: GroupName) -> bool:
        """Whether whoever reads in a group is among them, at a sufficient level."""
        return all(any(covers(to, group) for to in some) for some in self.groups)

    def among(self, others: Recipients) -> Recipients:
        """Those who are among both."""
        return Recipients(max(self.level, others.level), (*self.groups, *others.groups))


class Effect(NamedTuple):
    """The effect of one marking, or the combined effect of several."""

    readable: bool = True
    """If not, it hides from everyone what carries it."""
    level: Level | None = None
    groups: tuple[GroupName, ...] = ()
    statements: tuple[StixId, ...] = ()
    pap: int | None = None


class PartReach(NamedTuple):
    """How far what one granular marking selects may travel."""

    selectors: tuple[str, ...]
    recipients: Recipients
    """Who may see it, of those who may see the whole."""
    effect: Effect


@dataclass(frozen=True, slots=True, eq=False)
class Reach:
    """How far a claim may travel, according to its markings, their definitions and the policy."""

    level: Level
    """The level of the whole."""
    recipients: Recipients
    """Who may see the whole."""
    restrictions: tuple[tuple[GroupName, ...], ...]
    """Sets of groups: for a recipient of the whole, each set must have a group that covers the recipient's."""
    statements: tuple[StixId, ...] = ()
    """Markings of the whole that do not restrict; they are shown with the claim."""
    pap: int | None = None
    """The strictest PAP of the markings of the whole, as an index into ``PAP_ORDER``."""
    parts: tuple[PartReach, ...] = ()
    """For each granular marking that does not take the whole object with it."""

    def joined(self, effect: Effect) -> Reach:
        """The same, for a claim that also carries a marking with this effect; its recipients stay."""
        return replace(
            self,
            level=self.level if effect.level is None else max(self.level, effect.level),
            restrictions=(*self.restrictions, effect.groups) if effect.groups else self.restrictions,
            statements=tuple(dict.fromkeys((*self.statements, *effect.statements))),
            pap=strictest(self.pap, effect.pap),
        )


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
    does one of which only the revocation is known, or that its granular markings hide.
    """
    if definition is None or not definition.keys() & _DEFINING or _is_hidden(definition):
        return _NOT_READABLE
    try:
        return Decided(True, level_of_definition(definition), pap_of_definition(definition))
    except UnreadableMarking:
        return _NOT_READABLE


_NO_EFFECT = Effect()
_HIDES = Effect(readable=False)
_NOBODY = Recipients(Level.CLEAR, ((),))


def _is_hidden(definition: StixObject) -> bool:
    return "granular_markings" in definition and any(one.takes_all for one in marks_of(definition).granular)


def reach(claim: ClaimHead, policy: Policy, deciding: Deciding) -> Reach | KeptOut:
    """How far a claim may travel, or what hides it from everyone: an unresolved marking, a suspended source, a level
    above the ceiling.
    """
    source = policy.sources.get(claim.source)
    marks = claim.marks
    if source is None or source.suspended:
        return KeptOut.SUSPENDED
    if marks.unreadable:
        return KeptOut.MARKING
    own = _NO_EFFECT
    for ref in marks.own:
        own = _both(own, _effect(ref, source, policy, deciding))
    own_level = strictest(marks.level, own.level)
    own_level = source.default_level if own_level is None else own_level
    if not own.readable:
        return KeptOut.MARKING
    if own_level > source.ceiling:
        return KeptOut.CEILING  # the ceiling may have been lowered after it was received
    whole = Reach(
        own_level, Recipients(own_level, (own.groups or _by_level(own_level, source),)),
        (own.groups,) if own.groups else (), own.statements, own.pap,
    )  # fmt: skip
    for one in marks.granular:
        effect = Effect(level=one.level) if one.level is not None else _effect(one.ref, source, policy, deciding)
        recipients = _recipients(effect, own.groups, source)
        if one.takes_all:
            if recipients is _NOBODY:
                return KeptOut.CEILING if effect.readable else KeptOut.MARKING
            whole = replace(whole.joined(effect), recipients=whole.recipients.among(recipients))
        else:
            whole = replace(whole, parts=(*whole.parts, PartReach(one.selectors, recipients, effect)))
    return whole


def _effect(ref: StixId, source: Source, policy: Policy, deciding: Deciding) -> Effect:
    """The effect of a marking of a source that is no TLP id."""
    pap = PAP_OF_ID.get(ref)
    if pap is not None:
        return Effect(pap=pap)
    group = policy.group_of_marking.get(ref)
    if group is not None:
        return Effect(groups=(group,))
    decided = deciding(source.no, ref)
    if not decided.readable:
        return _HIDES
    return Effect(level=decided.level) if decided.level is not None else Effect(statements=(ref,), pap=decided.pap)


def _both(one: Effect, other: Effect) -> Effect:
    return Effect(
        one.readable and other.readable, strictest(one.level, other.level), (*one.groups, *other.groups),
        (*one.statements, *other.statements), strictest(one.pap, other.pap),
    )  # fmt: skip


def _recipients(effect: Effect, own_groups: tuple[GroupName, ...], source: Source) -> Recipients:
    """Who may see what carries a marking, of those who may see the whole. A level goes to the groups that the object
    names, or else to those to which an object of this level goes: it is never enough by itself.
    """
    level = Level.CLEAR if effect.level is None else effect.level
    if not effect.readable or level > source.ceiling:
        return _NOBODY
    if effect.groups:
        return Recipients(level, (effect.groups,))
    return Recipients(level, () if effect.level is None or own_groups else (_by_level(level, source),))


N = TypeVar("N", bound=int)


def strictest(*found: N | None) -> N | None:
    """The greatest value that is not None; None if there is none."""
    return max([one for one in found if one is not None], default=None)


def recipients_now(claim: ClaimHead, policy: Policy) -> Recipients | None:
    """Who may see a claim under this policy; None if nobody may.

    The source's own markings are not resolved, because another worker may be changing their definitions: a claim that
    carries one as a whole counts as seen by nobody.
    """
    found = reach(claim, policy, lambda *_: _NOT_READABLE)
    return None if isinstance(found, KeptOut) or () in found.recipients.groups else found.recipients


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
