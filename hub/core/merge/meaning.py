"""What claims and references mean to an audience: who sees a claim, which thing an id names, where relationships stand.

Source: docs/semantics.md, sections 2, 4 and 6 ("References").
"""

from __future__ import annotations

from collections.abc import Mapping

from hub.core.merge import owner
from hub.core.merge.known import hidden_identities, known_objects
from hub.core.merge.project import Projection, Reach, project, reach, reaches
from hub.core.merge.references import LEANING, has_own_meaning, key_in, object_key, required_references
from hub.core.merge.scene import Scene, is_floating, marked_with
from hub.model.claims import Claim, ClaimKey, ClaimState, claim_key
from hub.model.policy import Audience, Policy
from hub.model.stix_types import SCO_TYPES
from hub.model.words import CanonicalKey, StixId, StixObject
from hub.patterns import key as key_of


class Meaning:
    """See the head of this module. Every answer may raise ``Missing``."""

    def __init__(
        self,
        policy: Policy,
        scene: Scene,
        before: Mapping[ClaimKey, Claim | None],
        pending: dict[tuple[int, StixId], bytes],
    ) -> None:
        """``before``: the claims that the step changes, as they were. ``pending``: see ``waits``."""
        self._policy = policy
        self._scene = scene
        self._before = before
        self.pending = pending
        self._redefined = any(claim is not None and claim.type == "marking-definition" for claim in before.values())
        self._known = known_objects(policy)
        self._hidden = hidden_identities(policy)
        self._reaches: dict[ClaimKey, Reach | None] = {}
        self._projections: dict[tuple[ClaimKey, Audience], Projection | None] = {}
        self.relationships: set[CanonicalKey] = set()
        """The things that are known to be merged relationships."""

    # ------------------------------------------------------------ who may see a claim

    def definition(self, centre: int, marking: StixId) -> StixObject | None:
        """The marking-definition that a centre claims under an id."""
        claim = self._scene.claim(claim_key(centre, marking))
        return claim.obj if claim is not None and claim.state is not ClaimState.WITHDRAWN else None

    def goes_along(self, claim: Claim) -> bool:
        """Whether its object comes and goes with what carries it, not by its own markings."""
        return claim.type == "marking-definition" or claim.id in self._known or claim.id in self._hidden

    def waits(self, no: int, name: StixId, key: ClaimKey) -> bool:
        """Whether it is not yet a claim's turn, in a collection, to see what has come under a name that many refer to.

        They are served in the order of their keys, whatever else a step looks at: who looks in between must not learn
        from it, and who may not be seen must not hurry it.
        """
        reached = self.pending.get((no, name))
        return reached is not None and key > reached

    def project(self, claim: Claim, no: int) -> Projection | None:
        """What a collection's audience sees of a claim; None for nothing."""
        if self.pending and any(self.waits(no, marked_with(ref), claim.key) for ref in claim.marks.others):
            return None
        return self.project_in_turn(claim, self._policy.collections[no].audience)

    def project_in_turn(self, claim: Claim, audience: Audience) -> Projection | None:
        """What an audience sees of a claim once it is its turn."""
        at = (claim.key, audience)
        if at not in self._projections:
            self._projections[at] = self._project(claim, audience)
        return self._projections[at]

    def _project(self, claim: Claim, audience: Audience) -> Projection | None:
        if claim.state is ClaimState.WITHDRAWN:
            return None
        if claim.key in self._reaches:
            found = self._reaches[claim.key]
        else:
            found = self._reaches[claim.key] = reach(claim, self._policy, self.definition)
        return None if found is None else project(claim, audience, self._policy, found)

    def sees(self, no: int, claim: Claim) -> bool:
        """Whether a collection's audience sees a claim."""
        return self.project(claim, no) is not None

    def saw(self, no: int, claim: Claim) -> bool:
        """Whether a collection's audience saw, before this step, what stood where the claim stands."""
        if claim.key not in self._before and not self._redefined:
            return self.sees(no, claim)
        old = self._before.get(claim.key, claim)
        if old is None or old.state is ClaimState.WITHDRAWN:
            return False
        found = reach(old, self._policy, self._defined_before)
        return found is not None and reaches(
            found, self._policy.centres[old.centre], self._policy.collections[no].audience
        )

    def _defined_before(self, centre: int, marking: StixId) -> StixObject | None:
        key = claim_key(centre, marking)
        if key not in self._before:
            return self.definition(centre, marking)
        old = self._before[key]
        return old.obj if old is not None and old.state is not ClaimState.WITHDRAWN else None

    def about(self, no: int, thing: CanonicalKey) -> list[Claim]:
        """All claims about a thing, as far as a collection may have to do with them."""
        if thing in self.relationships:
            return self._scene.placed(no, thing)
        return self._scene.claims_of_thing(thing)

    # ------------------------------------------------------------ what a reference means

    def means(self, no: int, said_by: Claim, ref: StixId) -> CanonicalKey | None:
        """The thing that a reference means in a collection: what the same centre claims under this id, else the
        observable of this id, else what the owner of the id claims.
        """
        keyed = key_in(ref)
        if keyed is not None:
            return keyed
        if not has_own_meaning(ref) or ref in self._known:
            return object_key(ref)
        visible = [(claim, p) for claim in self._scene.claims_of_id(ref) if (p := self.project(claim, no))]
        seen = [pair for pair in visible if not pair[1].revoked] or visible
        mine = next((claim for claim, _ in seen if claim.centre == said_by.centre), None)
        if mine is not None:
            return self.thing_of(no, mine)
        if ref.partition("--")[0] in SCO_TYPES:
            by_value = object_key(ref)
            # nobody else may bend the id that an observable's value gives to another observable
            if not seen or any(self.sees(no, claim) for claim in self._scene.claims_of_thing(by_value)):
                return by_value
        if not seen:
            return None
        chosen = owner.owners_choice([p for _, p in seen])
        return self.thing_of(no, next(claim for claim, p in seen if p is chosen))

    def thing_of(self, no: int, claim: Claim) -> CanonicalKey | None:
        """The thing that a claim is about in a collection; None for a relationship that stands nowhere there."""
        if not is_floating(claim):
            return claim.thing
        thing = self._scene.placement(claim.key).get(no)
        if thing is not None:
            self.relationships.add(thing)
        return thing

    def stands_for(self, no: int, claim: Claim) -> CanonicalKey | None:
        """The thing that a relationship whose ends merge is about in a collection; None where nobody there sees it."""
        if not self.sees(no, claim):
            return None
        ends = []
        for name in ("source_ref", "target_ref"):
            thing = self.means(no, claim, StixId(claim.obj[name]))
            if thing is None:
                return None
            ends.append(thing.hex())
        return key_of("relationship", " ".join((claim.obj["relationship_type"], *ends)))

    def may_need_itself(self, no: int, thing: CanonicalKey) -> bool:
        """Whether what a thing needs to be shown may need the thing in turn."""
        seen, todo = {thing}, [thing]
        while todo:
            for claim in self.about(no, todo.pop()):
                if claim.type not in LEANING or not self.sees(no, claim):
                    continue
                for ref in required_references(claim.obj):
                    if ref.partition("--")[0] not in LEANING:
                        continue
                    target = self.means(no, claim, ref)
                    if target == thing:
                        return True
                    if target is not None and target not in seen:
                        seen.add(target)
                        todo.append(target)
        return False
