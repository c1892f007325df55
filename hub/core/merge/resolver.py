"""What claims and references mean to an audience: who sees a claim, which thing an id names, what a relationship is
about.

Source: docs/semantics.md, sections 2, 4 and 6 ("References").
"""

from __future__ import annotations

from collections.abc import Sequence

from hub.core.merge import owner
from hub.core.merge.content import Content
from hub.core.merge.facts import Facts, is_marking, is_placed, marked_with
from hub.core.merge.known import goes_along, known_objects
from hub.core.merge.project import Projection
from hub.core.merge.projections import Projections
from hub.core.merge.references import has_own_meaning, object_key
from hub.model.claims import ClaimHead, ClaimKey, View
from hub.model.kept_out import KeptOut
from hub.model.policy import MEMBERS_CLAIM, Policy
from hub.model.references import key_in, keyed, references_of
from hub.model.stix_types import SCO_TYPES, stix_type
from hub.model.words import CanonicalKey, StixId
from hub.patterns import key as key_of


class Resolver:
    """See the module docstring. Every method may raise ``Missing``."""

    def __init__(
        self,
        policy: Policy,
        facts: Facts,
        projections: Projections,
        pending: dict[tuple[int, StixId], bytes],
    ) -> None:
        """``pending``: see ``waits``."""
        self._policy = policy
        self._facts = facts
        self._projections = projections
        self.pending = pending
        self._known = known_objects(policy)
        self.relationships: set[CanonicalKey] = set()
        """The things that are known to be merged relationships."""

    # ------------------------------------------------------------ who may see a claim

    def goes_along(self, claim: ClaimHead) -> bool:
        """Whether its object is shown only while a shown object uses it, independent of its own markings."""
        return goes_along(claim, self._policy)

    def waits(self, no: int, name: StixId, key: ClaimKey) -> bool:
        """Whether a claim that refers to a name is still deferred to a later step in a collection.

        Depends only on the order of the keys: the time of a row must not reveal claims that its audience does not see.
        """
        reached = self.pending.get((no, name))
        return reached is not None and key > reached

    def project(self, claim: ClaimHead, no: int) -> Projection | None:
        """What a collection's audience sees of a claim; None if nothing. A marking for which the claim is still
        deferred counts as not defined.
        """
        found = self.seen(claim, no)
        return None if isinstance(found, KeptOut) else found

    def seen(self, claim: ClaimHead, no: int) -> Projection | KeptOut:
        """The same, or what keeps the claim from the collection's audience."""
        unread: tuple[StixId, ...] = ()
        if self.pending:
            others = claim.marks.others
            unread = tuple(ref for ref in others if self.waits(no, marked_with(claim.source, ref), claim.key))
        return self._projections.seen(claim, self._policy.collections[no].audience, unread)

    def depends_on(self, claim: ClaimHead, no: int, name: StixId) -> bool:
        """Whether what a collection's audience sees of a claim, deferred or not, depends on what a name means: a name
        of the index of references.
        """
        audience = self._policy.collections[no].audience
        p = self._projections.of(claim, audience)
        if p is None:
            return False
        if not is_marking(name):
            return name in references_of(p.obj)
        unread = tuple(ref for ref in claim.marks.others if marked_with(claim.source, ref) == name)
        return not p.is_like(self._projections.of(claim, audience, unread))

    def sees(self, no: int, claim: ClaimHead) -> bool:
        """Whether a collection's audience sees a claim."""
        return self.project(claim, no) is not None

    def saw(self, no: int, claim: ClaimHead) -> bool:
        """Whether a collection's audience saw, before this step, the claim that was stored under the same key."""
        return self._projections.was_visible(claim, self._policy.collections[no].audience)

    def about(self, no: int, thing: CanonicalKey) -> Sequence[ClaimHead]:
        """All claims about a thing, in a collection."""
        if thing in self.relationships:
            return self._facts.placements.under(no, thing)
        return self._facts.claims_of_thing(thing)

    def names_of(self, no: int, thing: CanonicalKey, before: View | None, now: Content | None) -> list[StixId]:
        """The ids by which references may mean a view, as it was ``before`` the step and is ``now``."""
        names: dict[StixId, None] = {}
        kind = None
        for claim in self.about(no, thing):
            kind = claim.type
            if self.sees(no, claim) or self.saw(no, claim) or self.goes_along(claim):
                names[claim.id] = names[claim.object_id] = None
        if before is not None:
            names[before.object_id] = None
            kind = before.type
        if now is not None:
            kind = now.type
            if now.own_id is not None:
                names[now.own_id] = None
        if kind is not None and len(stix_type(kind).id_from) != 1:  # what one value identifies has one id everywhere
            names[keyed(kind, thing)] = None
        return list(names)

    # ------------------------------------------------------------ what a reference means

    def means(self, no: int, said_by: ClaimHead, ref: StixId) -> CanonicalKey | None:
        """The thing that a reference means in a collection: the thing that the same source claims under this id, else
        the observable with this id, else the thing that the owner of the id claims; None if nothing.

        For a centre's claim, what only members claim does not exist: nothing that a member says may change it.
        """
        thing = self._meant(no, said_by, ref)
        if thing is None or ref.partition("--")[0] not in MEMBERS_CLAIM or not self._is_centres(said_by):
            return thing
        about = self._facts.claims_of_thing(thing)
        return thing if any(self._is_centres(claim) and self.sees(no, claim) for claim in about) else None

    def _is_centres(self, claim: ClaimHead) -> bool:
        source = self._policy.sources.get(claim.source)
        return source is not None and source.is_centre

    def _meant(self, no: int, said_by: ClaimHead, ref: StixId) -> CanonicalKey | None:
        keyed = key_in(ref)
        if keyed is not None:
            if ref.startswith("relationship--"):
                self._note_relationship(no, keyed)
            return keyed
        if not has_own_meaning(ref) or ref in self._known:
            return object_key(ref)
        visible = [(claim, p) for claim in self._facts.claims_of_id(ref) if (p := self.project(claim, no))]
        seen = [pair for pair in visible if not pair[1].revoked] or visible
        mine = next((claim for claim, _ in seen if claim.source == said_by.source), None)
        if mine is not None:
            return self.thing_of(no, mine)
        if ref.partition("--")[0] in SCO_TYPES:
            by_value = object_key(ref)
            # other sources cannot change the meaning of an id that is derived from an observable's value
            if not seen or any(self.sees(no, claim) for claim in self._facts.claims_of_thing(by_value)):
                return by_value
        if not seen:
            return None
        chosen = owner.owners_choice([p for _, p in seen], self._policy.pins)
        return self.thing_of(no, next(claim for claim, p in seen if p is chosen))

    def _note_relationship(self, no: int, thing: CanonicalKey) -> None:
        """Note a thing as a merged relationship if it is one: its key alone does not say so."""
        if thing in self.relationships or self._facts.claims_of_thing(thing):
            return
        if self._facts.placements.under(no, thing):
            self.relationships.add(thing)

    def thing_of(self, no: int, claim: ClaimHead) -> CanonicalKey | None:
        """The thing that a claim is about in a collection; None for a relationship whose ends mean nothing there."""
        if not is_placed(claim):
            return claim.thing
        thing = self._facts.placements.of(claim.key).get(no)
        if thing is not None:
            self.relationships.add(thing)
        return thing

    def thing_between(self, no: int, claim: ClaimHead) -> CanonicalKey | None:
        """The thing that a relationship between merged ends is about in a collection; None if it is not visible there,
        or an end means nothing there.
        """
        p = self.project(claim, no)
        if p is None:
            return None
        ends = []
        for name in ("source_ref", "target_ref"):
            thing = self.means(no, claim, StixId(p.obj[name]))
            if thing is None:
                return None
            ends.append(thing.hex())
        return key_of("relationship", " ".join((p.obj["relationship_type"], *ends)))
