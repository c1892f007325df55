"""What an audience sees of a claim. Only this module gives access to a claim's content, and merge rules accept only its
projections.

Source: docs/semantics.md, section 2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import orjson

from hub.core.merge.reach import Decided, Deciding, Effect, Reach, decided_by
from hub.core.merge.runs import began
from hub.core.merge.unnamed import without_traces
from hub.core.merge.validity import ALWAYS, Validity, validity_of
from hub.model.claims import Claim, ClaimHead, ClaimKey, ClaimState, claim_key, digest_of
from hub.model.kept_out import KeptOut
from hub.model.policy import Audience, Policy, Source, covers
from hub.model.selectors import without
from hub.model.stix_types import stix_type
from hub.model.words import GroupName, Level, Naming, StixId, StixObject


@dataclass(slots=True, eq=False)
class Projection:
    """The part of a claim that one audience sees. Created only in this module, compared by identity, never changed."""

    of: tuple[int, StixId]
    """Source and id, used to order equal projections; never shown."""
    source: Source
    obj: StixObject
    level: Level
    restrictions: tuple[tuple[GroupName, ...], ...]
    """See ``Reach``."""
    statements: tuple[StixId, ...]
    author: StixId | None
    """None: unknown; unknown authors of different sources are different authors."""
    own: bool
    """Whether the author is the source, or an identity that the source speaks for."""
    modified_us: int
    since: bytes
    digest: bytes
    revoked: bool
    marked_pap: int | None = None
    """The strictest PAP of its markings, as an index into ``PAP_ORDER``."""
    unnamed: bool = False
    """The source is not shown by name, and the claim is the source's own or has no stated author: ``obj`` is the result
    of ``without_traces``, and none of the source's own ids is shown."""
    validity: Validity = ALWAYS

    @property
    def counts(self) -> bool:
        """Whether it is part of the view: neither revoked nor expired."""
        return self.ended is None

    @property
    def ended(self) -> KeptOut | None:
        """Why it is no longer part of a merged view; None if it is."""
        if self.revoked:
            return KeptOut.REVOKED
        return KeptOut.EXPIRED if self.validity.has_expired else None

    @property
    def rank(self) -> tuple[int, int, str, str]:
        """Sort key, best first: trust and ``modified`` descending, source and id ascending. Members make no claims that
        are ranked.
        """
        return (-self.source.trust, -self.modified_us, self.source.identity, self.of[1])

    def is_like(self, other: Projection | None) -> bool:
        """Whether an audience sees the same in another projection of the same claim."""
        return other is not None and all(
            getattr(self, name) == getattr(other, name)
            for name in ("obj", "level", "restrictions", "statements", "marked_pap")
        )


def author_of(obj: StixObject, source: Source, policy: Policy) -> StixId | None:
    """The identity that a claim speaks for; None if it is not stated."""
    said = obj.get("created_by_ref")
    if said is not None:
        return source.identity if policy.aliases.get(said) is source else StixId(said)
    return source.identity if stix_type(obj["type"]).source_is_author else None


class Part(NamedTuple):
    """The part of a claim with some reach that an audience sees."""

    reach: Reach
    hidden: tuple[bool, ...]
    """For each of the reach's ``parts`` whether what it selects is hidden."""


def part_for(found: Reach | KeptOut, audience: Audience) -> Part | KeptOut:
    """The part of a claim with the reach ``found`` that an audience sees, or what keeps the claim from it."""
    if isinstance(found, KeptOut):
        return found
    excluded = found.recipients.excludes(audience)
    if excluded is not None:
        return excluded
    return Part(found, tuple(not part.recipients.include(audience) for part in found.parts))


def projected(claim: ClaimHead, part: Part, since: bytes, policy: Policy) -> Projection:
    """The projection of this part of a claim. ``since``: the stamp of the first version of the unbroken run that the
    audience has seen.
    """
    opened, found = _opened(claim), part.reach
    seen = _Seen(opened.obj, opened.digest)
    if "granular_markings" in opened.obj:
        seen, effects = _cut(opened.obj, part)
        for effect in effects:
            found = found.joined(effect)
    return _projection(
        opened, seen, policy, level=found.level, restrictions=found.restrictions, since=since,
        statements=found.statements, marked_pap=found.pap,
    )  # fmt: skip


class _Seen(NamedTuple):
    """What an audience sees of an object, and a digest of it."""

    obj: StixObject
    digest: bytes


def _seen_without(obj: StixObject, selectors: Sequence[str]) -> _Seen:
    """The object without its granular markings and without what these selectors select."""
    left = without(obj, ["granular_markings", *selectors])
    return _Seen(left, digest_of(orjson.dumps(left, option=orjson.OPT_SORT_KEYS)))


def _cut(obj: StixObject, part: Part) -> tuple[_Seen, list[Effect]]:
    """The object without its granular markings and without what they hide; and the effects of those that mark something
    that is left.
    """
    marked = list(zip(part.reach.parts, part.hidden, strict=True))
    hidden = [selector for one, hides in marked if hides for selector in one.selectors]
    seen = _seen_without(obj, hidden)
    effects = [
        one.effect
        for one, hides in marked
        if not hides and without(obj, ["granular_markings", *hidden, *one.selectors]) != seen.obj
    ]
    return seen, effects


def project(claim: ClaimHead, audience: Audience, policy: Policy, found: Reach | KeptOut) -> Projection | None:
    """What an audience sees of a claim with the reach ``found``; None if nothing."""
    part = part_for(found, audience)
    if claim.state.is_withdrawn or isinstance(part, KeptOut):
        return None
    return projected(claim, part, began(claim.since, audience), policy)


def as_definition(claim: ClaimHead, policy: Policy) -> Projection:
    """The projection of a marking-definition that is shown because an object uses it: it has no level of its own, so
    nobody sees what its granular markings select.
    """
    opened = _opened(claim)
    selectors = [selector for one in claim.marks.granular for selector in one.selectors]
    return _projection(opened, _seen_without(opened.obj, selectors), policy, level=Level.CLEAR, since=claim.since)


def decision_of(definition: ClaimHead | None) -> Decided:
    """The decision of a source's marking-definition about the objects that carry it."""
    if definition is None or definition.state.is_withdrawn:
        return decided_by(None)
    return decided_by(_opened(definition).obj)


def deciding_by(claim_of: Callable[[ClaimKey], ClaimHead | None]) -> Deciding:
    """What the marking-definitions decide that ``claim_of`` finds."""
    return lambda source, marking: decision_of(claim_of(claim_key(source, marking)))


def _opened(claim: ClaimHead) -> Claim:
    """The claim with its content. Not to be used outside this module."""
    assert isinstance(claim, Claim)  # noqa: S101 - there is no other kind of head
    return claim


def _projection(
    claim: Claim,
    seen: _Seen,
    policy: Policy,
    *,
    level: Level,
    since: bytes,
    restrictions: tuple[tuple[GroupName, ...], ...] = (),
    statements: tuple[StixId, ...] = (),
    marked_pap: int | None = None,
) -> Projection:
    source, obj = policy.sources[claim.source], seen.obj
    author = author_of(obj, source, policy)
    own = author is not None and (author == source.identity or author in source.speaks_for)
    unnamed = (own or author is None) and source.naming is not Naming.NAMED
    shown, modified_us = without_traces(obj) if unnamed else obj, claim.modified_us or 0
    ages = claim.type == "indicator" and claim.state is ClaimState.LIVE
    return Projection(
        of=(claim.source, claim.id), source=source, obj=shown,
        level=level, restrictions=restrictions, statements=statements, author=author, own=own,
        modified_us=modified_us, since=since, digest=seen.digest,
        revoked=claim.state is ClaimState.REVOKED, marked_pap=marked_pap, unnamed=unnamed, 
        validity=validity_of(shown, modified_us, policy, by_day=unnamed) if ages else ALWAYS,
    )  # fmt: skip


def view_groups(projections: Iterable[Projection]) -> tuple[GroupName, ...]:
    """The groups to which a view of these projections is restricted: those named by a restricted projection and covered
    by all restricted ones, without those that another of them covers. Empty if none is restricted.
    """
    restricted = [groups for p in projections for groups in p.restrictions]
    if not restricted:
        return ()
    named = sorted({group for groups in restricted for group in groups})
    common = [group for group in named if all(any(covers(other, group) for other in groups) for groups in restricted)]
    return tuple(group for group in common if not any(other != group and covers(other, group) for other in common))


def no_stricter(p: Projection, level: Level, groups: Iterable[GroupName]) -> bool:
    """Whether everybody who may share a view of this level and these groups may also share that ``p`` exists."""
    if p.level > level:
        return False
    named = tuple(groups)
    return not p.restrictions or (
        bool(named) and all(any(covers(to, group) for to in groups) for groups in p.restrictions for group in named)
    )
