"""What one collection shows of one thing: the projections of its claims, merged by the rule of its type."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from hub.core.merge import hubmade, owner
from hub.core.merge.content import Content
from hub.core.merge.facts import AskedTogether, Facts
from hub.core.merge.feedback import NO_FEEDBACK, Feedback, feedback_of
from hub.core.merge.known import hidden_identities, known_objects
from hub.core.merge.project import Projection, no_stricter, view_groups
from hub.core.merge.projections import Projections
from hub.core.merge.references import rewritten
from hub.core.merge.resolver import Resolver
from hub.model.claims import ClaimHead, ClaimKey
from hub.model.feedback import feedback_refs
from hub.model.kept_out import KeptOut, furthest
from hub.model.policy import Collection, Policy
from hub.model.references import keyed
from hub.model.stix_types import SCO_TYPES, MergeRule, stix_type
from hub.model.words import CanonicalKey, StixId, StixObject

Seen = Sequence[tuple[ClaimHead, Projection]]
Unseen = Sequence[tuple[ClaimHead, KeptOut]]
_MANY = 8
"""From how many claims about a thing on it is worth looking for equal ones."""
ShownAs = Callable[[int, CanonicalKey], StixId | None]
"""The id under which a collection shows a thing, in the step so far."""


class Contents:
    """See the module docstring. Every method may raise ``Missing``."""

    def __init__(
        self, policy: Policy, facts: Facts, projections: Projections, resolver: Resolver, shown_as: ShownAs
    ) -> None:
        self._policy = policy
        self._facts = facts
        self._projections = projections
        self._resolver = resolver
        self._shown_as = shown_as
        self._known = known_objects(policy)
        self._hidden = hidden_identities(policy)
        self._indicators: dict[tuple[Feedback, tuple[Projection, ...]], Content] = {}
        """By feedback and by projections: audiences that see the same share the result."""

    def content(self, collection: Collection, thing: CanonicalKey) -> Content | None:
        """What the collection shows of a thing; None if nothing."""
        found = self.found(collection, thing)
        return None if isinstance(found, KeptOut) else found

    def found(self, collection: Collection, thing: CanonicalKey) -> Content | KeptOut:
        """The same, or what keeps it out: of the rules that keep out its claims the one that is applied last."""
        seen, unseen = self._seen(collection.no, _distinct(self._resolver.about(collection.no, thing)))
        if not seen:
            return furthest(*(rule for _, rule in unseen))
        found = self._merged(collection, thing, seen)
        return KeptOut.FILTER if isinstance(found, Content) and _refuses(collection, found) else found

    def kept_out(self, collection: Collection, thing: CanonicalKey) -> list[tuple[ClaimHead, KeptOut | None]]:
        """For each claim about a thing what keeps it out; None: what the collection shows is made of it, unless the
        filter leaves that out.
        """
        seen, unseen = self._seen(collection.no, self._resolver.about(collection.no, thing))
        chosen, others = self._chosen(thing, seen)
        known: dict[StixId, None] = {}
        found: list[tuple[ClaimHead, KeptOut | None]] = [*unseen]
        for claim, p in seen:
            rule = p.ended if chosen is None else None if p is chosen else others
            obj = p.obj if chosen is None else owner.attributed(p, self._policy)
            if rule is None and self._rewrite(collection.no, obj, claim, known) is None:
                rule = KeptOut.WAITING_REFERENCE
            found.append((claim, rule))
        return found

    def _chosen(self, thing: CanonicalKey, seen: Seen) -> tuple[Projection | None, KeptOut]:
        """The only claim that is shown of an owner's object, and the rule that keeps out the others; None if the claims
        about the thing merge.
        """
        if not seen or self._merges(thing, seen):
            return None, KeptOut.OWNER
        visible = [p for _, p in seen]
        chosen = owner.owners_choice(visible, self._policy.pins)
        return chosen, KeptOut.OWNER if owner.owners_choice(visible, {}) is chosen else KeptOut.PIN

    def _merges(self, thing: CanonicalKey, seen: Seen) -> bool:
        rule = stix_type(seen[0][0].type).merge
        merged = (MergeRule.INDICATOR, MergeRule.OBSERVABLE)
        return rule in merged or (rule is MergeRule.RELATIONSHIP and thing in self._resolver.relationships)

    def _seen(self, no: int, claims: Iterable[ClaimHead]) -> tuple[Seen, Unseen]:
        """The claims that a collection's audience sees, and the others."""
        seen: list[tuple[ClaimHead, Projection]] = []
        unseen: list[tuple[ClaimHead, KeptOut]] = []
        for claim in claims:
            p = self._resolver.seen(claim, no)
            if isinstance(p, KeptOut):
                unseen.append((claim, p))
            else:
                seen.append((claim, p))
        return seen, unseen

    def _merged(self, collection: Collection, thing: CanonicalKey, seen: Seen) -> Content | KeptOut:
        match stix_type(seen[0][0].type).merge:
            case MergeRule.INDICATOR:
                return self._indicator(collection, thing, seen)
            case MergeRule.RELATIONSHIP if thing in self._resolver.relationships:
                return self._relationship(collection, seen)
            case MergeRule.OBSERVABLE:
                return self._observable(collection, seen)
            case MergeRule.OWNER | MergeRule.RELATIONSHIP | MergeRule.MARKING:
                return self._owners(collection, seen)

    # ------------------------------------------------------------ one method for each merge rule

    def _indicator(self, collection: Collection, thing: CanonicalKey, seen: Seen) -> Content | KeptOut:
        live = [p for _, p in seen if p.counts]
        if not live:
            return _without_any(seen)
        feedback = self._feedback(collection, thing, seen, live)
        at = (feedback, tuple([p for _, p in seen]))
        made = self._indicators.get(at)
        if made is not None:
            return made
        revoked = [p for _, p in seen if p.revoked]
        if any(claim.beside_author for claim, _ in seen):  # each collection shows ids of its own
            known: dict[StixId, None] = {}
            live = self._rewritten(collection, [(claim, _without_author(p)) for claim, p in seen], known)
            return _using(hubmade.indicator(live, revoked, self._policy, feedback), known)
        made = self._indicators[at] = hubmade.indicator(live, revoked, self._policy, feedback)
        return made

    def _relationship(self, collection: Collection, seen: Seen) -> Content | KeptOut:
        known: dict[StixId, None] = {}
        live = self._rewritten(collection, [(claim, _without_author(p)) for claim, p in seen], known)
        if not live:
            return _without_any(seen)
        ends = live[0].obj
        revoked = [p for _, p in seen if p.revoked]
        made = hubmade.relationship(live, revoked, self._policy, ends["source_ref"], ends["target_ref"])
        return _using(made, known)

    def _observable(self, collection: Collection, seen: Seen) -> Content | KeptOut:
        known: dict[StixId, None] = {}
        # many claims have equal content and markings; a union needs only the best-ranked of these
        distinct: dict[tuple[object, ...], tuple[ClaimHead, Projection]] = {}
        for claim, p in sorted(seen, key=lambda pair: pair[1].rank):
            equal = (claim.source, p.digest, p.level, p.restrictions, p.statements, p.marked_pap)
            distinct.setdefault(equal, (claim, p))
        live = self._rewritten(collection, list(distinct.values()), known)
        return owner.observable(live, self._policy, known) if live else _without_any(seen)

    def _owners(self, collection: Collection, seen: Seen) -> Content | KeptOut:
        chosen = owner.owners_choice([p for _, p in seen], self._policy.pins)
        claim = next(claim for claim, p in seen if p is chosen)
        known: dict[StixId, None] = {}
        obj = self._rewrite(collection.no, owner.attributed(chosen, self._policy), claim, known)
        if obj is None:
            return KeptOut.WAITING_REFERENCE
        return owner.owners(chosen, obj, self._policy, known)

    def marking(self, no: int, claims: Sequence[ClaimHead]) -> Content | None:
        """A source's marking-definition, as a collection shows it together with the objects that use it."""
        definitions = [self._projections.definition(claim) for claim in claims]
        chosen = owner.owners_choice(definitions, self._policy.pins)
        claim = next(claim for claim in claims if (claim.source, claim.id) == chosen.of)
        known: dict[StixId, None] = {}
        obj = self._rewrite(no, chosen.obj, claim, known)
        return None if obj is None else owner.marking(chosen, obj, self._policy, known)

    # ------------------------------------------------------------ references

    def _rewritten(self, collection: Collection, seen: Seen, known: dict[StixId, None]) -> list[Projection]:
        """The projections that count, with the references that the collection shows; without those that lack one."""
        found = []
        together = AskedTogether()
        for claim, p in seen:
            with together:
                obj = self._rewrite(collection.no, p.obj, claim, known) if p.counts else None
                if obj is not None:
                    found.append(replace(p, obj=obj))
        together.end()
        return found

    def _rewrite(self, no: int, obj: StixObject, said_by: ClaimHead, known: dict[StixId, None]) -> StixObject | None:
        """The object with the references that the collection shows; None if it lacks one that it needs.

        Resolves all references before it raises ``Missing``: a report has thousands, and a round for each would take
        hours.
        """
        shown, together = self.resolver(no, said_by, known), AskedTogether()

        def shown_or_asked(ref: StixId) -> StixId | None:
            with together:
                return shown(ref)
            return ref

        found = rewritten(obj, shown_or_asked)
        together.end()
        return found

    def resolver(self, no: int, said_by: ClaimHead, known: dict[StixId, None]) -> Callable[[StixId], StixId | None]:
        """A function that maps a claim's references to the ids shown in a collection. It adds objects of the hub to
        ``known``.
        """
        waits = bool(self._resolver.pending) and not self._resolver.goes_along(said_by)

        def shown(ref: StixId) -> StixId | None:
            if ref in self._known:
                known[ref] = None
                return ref
            if ref in self._hidden:
                return None
            if waits and self._resolver.waits(no, ref, said_by.key):
                return None
            thing = self._resolver.means(no, said_by, ref)
            return None if thing is None else self._shown_as(no, thing)

        return shown

    # ------------------------------------------------------------ feedback

    def _feedback(
        self, collection: Collection, thing: CanonicalKey, seen: Seen, live: Sequence[Projection]
    ) -> Feedback:
        """The visible feedback on a thing, as far as its markings are no stricter than those of the view."""
        if self._facts.index.is_without_feedback:
            return NO_FEEDBACK
        names: dict[StixId, None] = {claim.id: None for claim, _ in seen}
        names[keyed("indicator", thing)] = None
        said = self._facts.index.feedback(names)
        if not said:
            return NO_FEEDBACK
        level, groups = max(p.level for p in live), view_groups(live)
        counted: dict[ClaimKey, Projection] = {}
        for name, claim in said:
            p = self._resolver.project(claim, collection.no)
            if p is None or p.revoked or not no_stricter(p, level, groups) or name not in feedback_refs(p.obj):
                continue
            if self._resolver.means(collection.no, claim, name) == thing:
                counted[claim.key] = p
        return feedback_of(counted.values())


def _distinct(claims: Sequence[ClaimHead]) -> Iterable[ClaimHead]:
    """Of a source's claims of equal content about an observable only the best-ranked, since an observable may have been
    observed thousands of times. Those with markings of their own stay, as each is seen when its turn comes.
    """
    if len(claims) < _MANY or claims[0].type not in SCO_TYPES:
        return claims
    found: dict[tuple[int, bytes] | ClaimKey, ClaimHead] = {}
    for claim in claims:
        at = claim.key if claim.state.is_withdrawn or claim.marks.others else (claim.source, claim.digest)
        kept = found.setdefault(at, claim)
        if claim.id < kept.id:
            found[at] = claim
    return found.values()


def _without_any(seen: Seen) -> KeptOut:
    """Why there is no view of these claims: each has ended, or lacks a reference."""
    return furthest(*(p.ended or KeptOut.WAITING_REFERENCE for _, p in seen))


def _without_author(p: Projection) -> Projection:
    """Removes the author's identity: a view whose author is the hub does not use it."""
    return replace(p, obj={name: value for name, value in p.obj.items() if name != "created_by_ref"})


def _using(made: Content, known: Iterable[StixId]) -> Content:
    return replace(made, uses=tuple(dict.fromkeys((*made.uses, *known))))


def _refuses(collection: Collection, found: Content) -> bool:
    """Whether the collection's filter excludes this."""
    if collection.types and found.type not in collection.types:
        return True
    if found.type in SCO_TYPES:
        return bool(collection.kinds) and found.type not in collection.kinds
    if found.type != "indicator":
        return False
    if collection.kinds and not collection.kinds.intersection(found.kinds):
        return True
    return (found.confidence or 0) < collection.min_confidence
