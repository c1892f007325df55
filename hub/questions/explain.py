"""Why the hub shows what it shows, as far as the caller may see it.

This module reads the store; ``explained`` composes the answer. Except for a source's own claims, it only has
projections for the audiences of collections that the caller may read.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from collections.abc import Collection as Some
from dataclasses import dataclass, field, replace
from itertools import chain

from hub.model.claims import Claim, ClaimKey
from hub.model.errors import NotFound, Refused
from hub.model.policy import Collection, Policy
from hub.model.principals import Principal, PrincipalKind
from hub.model.problems import Problem, cut
from hub.model.references import keyed
from hub.model.words import CanonicalKey, StixId
from hub.patterns import keys_asked
from hub.questions.around import Around, around, values_asked
from hub.questions.explained import Asker, CollectionPart, KnownThing, known_thing
from hub.questions.linked import links_of
from hub.questions.naming import is_stix_id, read_as, things_named
from hub.questions.visible import seen_by
from hub.store.port import Store
from hub.store.thing_port import NamingReader, ShownView, ThingReader

_LONGEST = 70_000
ENOUGH = 50
"""Above this many results, no further things that only name a value are added."""
_MOST_THINGS = 5_000
"""Maximum patterns with a value, of those that the caller may see, that are checked for what can be told of them.

It does not bound the work of the database, which looks at all patterns with the value: 200,000 that the caller may not
see take 0.6 s of one core with SQLite, and 0.8 s with PostgreSQL; 0.1 s without the check. A limit on those
that are looked at would let what the caller may not see take the place of what it may.
"""


@dataclass(frozen=True, slots=True)
class Explained:
    """The answer to a question."""

    things: tuple[KnownThing, ...]
    around: Around


async def explain(store: Store, principal: Principal, collections: Sequence[Collection], asked: str) -> Explained:
    """The things that a STIX id, a value or a pattern names, with what these collections show of them and from which
    claims; and what they show around the value.

    ``collections``: those that the principal may ask about. Raises Refused for invalid questions, NotFound if there is
    nothing that the principal may see.
    """
    said, policy = checked(asked), await store.policy()
    asker = asker_of(principal, policy)
    things = await Explaining(store, policy, asker, collections).explain(asked)
    values = values_asked(said, [thing.text for thing in things if thing.type == "indicator"])
    near = await around(store.things, collections, values, policy.today_us)
    if not things and not near.near:
        raise nothing_known(said)
    return Explained(tuple(things), near)


def checked(asked: str) -> str:
    """The question without white space around it. Raises Refused."""
    said = asked.strip()
    if not said or len(said) > _LONGEST:
        raise Refused("explain.asked", "Ask for a STIX id, a value or a pattern.", "Percent-encode it in the path.")
    return said


def nothing_known(said: str) -> Refused:
    """The error for a question to which there is no answer."""
    if isinstance(named := things_named(said), Problem):
        return Refused(named.code, named.says)
    return NotFound("explain.unknown", f"No collection that you may read shows {cut(said)}.", read_as(said))


def asker_of(principal: Principal, policy: Policy) -> Asker:
    """The principal as one who asks."""
    return Asker(source=policy.sources.get(principal.no), operator=principal.kind is PrincipalKind.OPERATOR)


async def things_asked(things: ThingReader, said: str, collections: Some[int], asker: Asker) -> list[CanonicalKey]:
    """The things that a STIX id (shown by one of these collections, or the asker's own), a value or a pattern names."""
    if not is_stix_id(said):
        named = things_named(said)
        return [] if isinstance(named, Problem) else named  # a value may look like a pattern or an id
    found = {view.thing: None for view in await things.views_under(StixId(said), collections)}
    mine = [claim for claim in await things.claims_under([StixId(said)]) if asker.owns(claim)]
    found.update({claim.thing: None for claim in mine if claim.thing is not None})
    if floating := [claim.key for claim in mine if claim.thing is None]:
        found.update(dict.fromkeys(chain(*(await things.relationships_of(floating)).values())))
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


class Explaining:
    """One question of one principal, about these collections."""

    def __init__(self, store: Store, policy: Policy, asker: Asker, collections: Sequence[Collection]) -> None:
        self._things = store.things
        self._logs = store.logs
        self._policy = policy
        self._collections = collections
        self._numbers = [collection.no for collection in collections]
        self._asker = asker

    async def explain(self, asked: str) -> list[KnownThing]:
        """The answer; empty if there is nothing that the caller may see."""
        found: list[KnownThing] = []
        async for things, is_asked_for in self.asked_for(asked):
            found += await self._explained(things, with_links=is_asked_for)
            if len(found) >= ENOUGH:
                break
        return found

    async def asked_for(self, asked: str) -> AsyncIterator[tuple[list[CanonicalKey], bool]]:
        """Yields the things that the question names itself, and then, in parts, those that only name the value: the
        caller may see none of the first. Each with whether it is the former. What the caller may not see takes no place
        from what it may; so of a pattern that no collection has ever shown nothing is found by its values.
        """
        things = await things_asked(self._things, asked.strip(), self._numbers, self._asker)
        yield things, True
        source = self._asker.source
        reader = NamingReader(self._numbers, None if source is None else source.no)
        named = await self._things.naming(
            keys_asked(asked), _MOST_THINGS + len(things), None if self._asker.operator else reader
        )
        others = [thing for thing in named if thing not in things]
        for at in range(0, len(others), ENOUGH):
            yield others[at : at + ENOUGH], False

    async def _explained(self, things: Some[CanonicalKey], *, with_links: bool) -> list[KnownThing]:
        found = [
            known_thing(thing, parts, self._asker, self._policy)
            for thing, parts in (await self.parts(things, with_links=with_links)).items()
        ]
        return [thing for thing in found if thing is not None]

    async def parts(
        self, things: Some[CanonicalKey], *, with_links: bool = False
    ) -> dict[CanonicalKey, list[CollectionPart]]:
        """What is known of these things in each collection, as far as its audience may see it. ``with_links``: and what
        is linked with them.
        """
        known = await self._known(things)
        found = {thing: self._parts(thing, known) for thing in things}
        if with_links:
            for parts in found.values():
                parts[:] = [replace(one, links=await links_of(self._things, self._logs, one)) for one in parts]
        return found

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
