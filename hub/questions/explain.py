"""Why the hub shows what it shows, as far as the caller may see it.

This module reads the store; ``explained`` composes the answer. Except for a source's own claims, it only has
projections for the audiences of collections that the caller may read.
"""

from __future__ import annotations

from collections.abc import Collection as Some
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain

from hub.model.claims import Claim, ClaimKey
from hub.model.errors import NotFound, Refused
from hub.model.policy import Collection, Policy
from hub.model.principals import Principal, PrincipalKind
from hub.model.problems import Problem, cut
from hub.model.references import keyed
from hub.model.words import CanonicalKey, StixId
from hub.patterns import keys_asked
from hub.questions.explained import Asker, CollectionPart, KnownThing, known_thing
from hub.questions.naming import is_stix_id, read_as, things_named
from hub.questions.visible import seen_by
from hub.store.port import ShownView, Store, ThingReader

_LONGEST = 70_000
_ENOUGH = 50
"""Above this many results, no further things that only name a value are added."""
_MOST_THINGS = 5_000
"""Maximum patterns with a value that are checked for some that the caller may see."""


async def explain(
    store: Store, principal: Principal, collections: Sequence[Collection], asked: str
) -> list[KnownThing]:
    """The things that a STIX id, a value or a pattern names, with what these collections show of them and from which
    claims.

    ``collections``: those that the principal may ask about. Raises Refused for invalid questions, NotFound if there is
    nothing that the principal may see.
    """
    said = asked.strip()
    if not said or len(said) > _LONGEST:
        raise Refused("explain.asked", "Ask for a STIX id, a value or a pattern.", "Percent-encode it in the path.")
    things = await _Explaining(store.things, await store.policy(), principal, collections).explain(asked)
    if not things:
        if isinstance(named := things_named(said), Problem):
            raise Refused(named.code, named.says)
        raise NotFound("explain.unknown", f"No collection that you may read shows {cut(said)}.", read_as(said))
    return things


async def things_asked(things: ThingReader, said: str, collections: Some[int], asker: Asker) -> list[CanonicalKey]:
    """The things that a STIX id (shown by one of these collections, or the asker's own), a value or a pattern names."""
    if not is_stix_id(said):
        named = things_named(said)
        return [] if isinstance(named, Problem) else named  # a value may look like a pattern or an id
    found = {view.thing: None for view in await things.views_under(StixId(said), collections)}
    mine = [claim for claim in await things.claims_under([StixId(said)]) if asker.owns(claim)]
    found.update({claim.thing: None for claim in mine if claim.thing is not None})
    if floating := [claim.key for claim in mine if claim.thing is None]:
        found.update(dict.fromkeys(await things.relationships_of(floating)))
    return list(found)


@dataclass(slots=True)
class _Known:
    """What the store has about the requested things."""

    shown: dict[tuple[int, CanonicalKey], ShownView] = field(default_factory=dict)
    claims: dict[CanonicalKey, dict[ClaimKey, Claim]] = field(default_factory=dict)
    placed: dict[tuple[int, CanonicalKey], set[ClaimKey]] = field(default_factory=dict)
    """The claims about merged relationships, which depend on the collection."""
    definitions: dict[ClaimKey, Claim] = field(default_factory=dict)
    feedback: dict[CanonicalKey, list[Claim]] = field(default_factory=dict)
    """Sightings of these things, and opinions on them, for a caller who may ask about them."""

    def standing(self, thing: CanonicalKey, collection: Collection) -> list[Claim]:
        """The claims about a thing that may be relevant in a collection."""
        placed = self.placed.get((collection.no, thing))
        claims = self.claims[thing].values()
        return [claim for claim in claims if claim.thing is not None or placed is None or claim.key in placed]


class _Explaining:
    """One question of one principal."""

    def __init__(
        self, things: ThingReader, policy: Policy, principal: Principal, collections: Sequence[Collection]
    ) -> None:
        self._things = things
        self._policy = policy
        self._collections = collections
        self._numbers = [collection.no for collection in collections]
        self._asker = Asker(source=policy.sources.get(principal.no), operator=principal.kind is PrincipalKind.OPERATOR)

    async def explain(self, asked: str) -> list[KnownThing]:
        """The answer; empty if there is nothing that the caller may see."""
        things = await things_asked(self._things, asked.strip(), self._numbers, self._asker)
        found = await self._explained(things)
        others = [thing for thing in await self._things.naming(keys_asked(asked), _MOST_THINGS) if thing not in things]
        for at in range(0, len(others), _ENOUGH):  # the caller may see none of the first things
            if len(found) >= _ENOUGH:
                break
            found += await self._explained(others[at : at + _ENOUGH])
        return found

    async def _explained(self, things: Some[CanonicalKey]) -> list[KnownThing]:
        known = await self._known(things)
        found = [known_thing(thing, self._parts(thing, known), self._asker, self._policy) for thing in things]
        return [thing for thing in found if thing is not None]

    async def _known(self, things: Some[CanonicalKey]) -> _Known:
        known = _Known(claims={thing: {} for thing in things})
        for shown in await self._things.shown(things, self._numbers):
            known.shown[shown.view.collection, shown.view.thing] = shown
        for claim in await self._things.claims_about(things):
            if claim.thing is not None:
                known.claims[claim.thing][claim.key] = claim
        for placed in await self._things.placed(things):
            known.placed.setdefault((placed.collection, placed.thing), set()).add(placed.claim.key)
            known.claims[placed.thing][placed.claim.key] = placed.claim
        for thing, claims in known.claims.items():
            if any(map(self._asker.owns, claims.values())):
                names = [claim.id for claim in claims.values()]
                known.feedback[thing] = list(await self._things.feedback_on([*names, keyed("indicator", thing)]))
        said = [*(claim for some in known.claims.values() for claim in some.values()), *chain(*known.feedback.values())]
        markings = {ref for claim in said for ref in claim.marks.others}
        known.definitions = {claim.key: claim for claim in await self._things.claims_under(markings)}
        return known

    def _parts(self, thing: CanonicalKey, known: _Known) -> list[CollectionPart]:
        return [
            CollectionPart(
                collection,
                known.shown.get((collection.no, thing)),
                seen_by(collection.audience, known.standing(thing, collection), known.definitions, self._policy),
                seen_by(collection.audience, known.feedback.get(thing, ()), known.definitions, self._policy),
            )
            for collection in self._collections
        ]
