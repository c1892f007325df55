"""Why collections do not show some things: by the code of the merge itself, so that it cannot say anything else.

It reads claims whatever their markings are. What it finds is for operators only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from hub.core.merge.content import Content
from hub.core.merge.facts import Missing, is_placed
from hub.core.merge.known import known_objects
from hub.core.merge.references import object_key
from hub.core.merge.solution import Place
from hub.core.verify.recomputation import Deferred, Recomputation
from hub.model.claims import Claim, ClaimHead
from hub.model.kept_out import KeptOut, furthest
from hub.model.policy import Policy
from hub.model.words import CanonicalKey

RuleOfClaim = tuple[ClaimHead, KeptOut | None]
"""A claim, and what keeps it out of a collection; None: the collection shows it."""


@dataclass(frozen=True, slots=True)
class Probed:
    """What the rules say of one thing in one collection."""

    rule: KeptOut | None
    """What keeps the thing out; None: it is shown."""
    claims: tuple[RuleOfClaim, ...]


class Probe(Recomputation):
    """See the module docstring."""

    def __init__(
        self,
        policy: Policy,
        deferred: Deferred,
        nos: Sequence[int],
        things: Iterable[CanonicalKey],
        unplaced: Iterable[Claim] = (),
    ) -> None:
        """``nos``: the collections. ``unplaced``: relationships that are about no thing yet."""
        super().__init__(policy, deferred)
        self._deferred = dict(deferred)
        self._nos = nos
        self._known = frozenset(map(object_key, known_objects(policy)))
        self._todo = dict.fromkeys((no, thing) for thing in things for no in nos)
        self._unplaced = [self.facts.add(claim) for claim in unplaced]
        self._claims_todo = dict.fromkeys((no, number) for number in range(len(self._unplaced)) for no in nos)
        self.found: dict[Place, Probed] = {}
        self.of_claims: list[dict[int, RuleOfClaim]] = [{} for _ in self._unplaced]
        """The same of each of ``unplaced``, by collection."""

    def _work(self) -> None:
        for at in list(self._todo):
            with suppress(Missing):
                self.found[at] = self._probed(*at)
                del self._todo[at]
        for no, number in list(self._claims_todo):
            with suppress(Missing):
                claim = self._unplaced[number]
                self.of_claims[number][no] = (claim, self._of_unplaced(no, claim))
                del self._claims_todo[no, number]

    def _probed(self, no: int, thing: CanonicalKey) -> Probed:
        claims = self.facts.claims_of_thing(thing)
        if not claims:
            self.resolver.relationships.add(thing)
        if thing in self._known or any(self.resolver.goes_along(claim) for claim in claims):
            return self._beside(no, thing, claims)
        probed = self._by_rules(no, thing)
        if probed.rule is None or not self._deferred:
            return probed
        self.resolver.pending = {}
        try:
            return Probed(KeptOut.TURN, probed.claims) if self._by_rules(no, thing).rule is None else probed
        finally:
            self.resolver.pending = self._deferred

    def _by_rules(self, no: int, thing: CanonicalKey) -> Probed:
        collection = self.policy.collections[no]
        found = self.contents.found(collection, thing)
        claims = [*self.contents.kept_out(collection, thing), *self._placed_elsewhere(no, thing)]
        if isinstance(found, Content):
            return Probed(None, tuple(claims))
        return Probed(furthest(found, *(rule for _, rule in claims if rule is not None)), tuple(claims))

    def _placed_elsewhere(self, no: int, thing: CanonicalKey) -> list[RuleOfClaim]:
        """The relationships that are this thing in other collections only."""
        if thing not in self.resolver.relationships:
            return []
        here = {claim.key for claim in self.facts.placements.under(no, thing)}
        others = {
            claim.key: claim
            for other in self.policy.collections
            for claim in self.facts.placements.under(other, thing)
            if claim.key not in here
        }
        return [(claim, self._of_unplaced(no, claim)) for claim in others.values()]

    def _of_unplaced(self, no: int, claim: ClaimHead) -> KeptOut:
        """What keeps out a relationship that is not about the thing that was asked for."""
        seen = self.resolver.seen(claim, no)
        if isinstance(seen, KeptOut):
            return seen
        elsewhere = is_placed(claim) and no in self.facts.placements.of(claim.key)
        return KeptOut.OTHER_ENDS if elsewhere else KeptOut.WAITING_REFERENCE

    def _beside(self, no: int, thing: CanonicalKey, claims: Sequence[ClaimHead]) -> Probed:
        """What is shown only while others use it; of an unnamed source under another id."""
        names = [thing, *(object_key(f"{claim.id}/{claim.source}") for claim in claims)]
        is_shown = any(self._shown_as(no, name) is not None for name in names)
        unused = None if is_shown else KeptOut.UNUSED
        rules = [(claim, KeptOut.WITHDRAWN if claim.state.is_withdrawn else unused) for claim in claims]
        if unused is None or thing in self._known:
            return Probed(unused, tuple(rules))
        return Probed(furthest(*(rule for _, rule in rules if rule is not None)), tuple(rules))
