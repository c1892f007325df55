"""What somebody may see of a thing, and which rule keeps it out of each collection that does not show it to them.

For operators only: it tells of claims that the reader may not see. The core decides (``hub/core/verify/probe``).
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

from hub.core.verify.probe import Probe, Probed, RuleOfClaim
from hub.model.claims import Claim, ClaimHead
from hub.model.held import HeldAbout, HeldState
from hub.model.kept_out import KeptOut, furthest
from hub.model.policy import Collection, Policy
from hub.model.principals import Principal
from hub.model.problems import Code
from hub.model.words import CanonicalKey, StixId, type_of_id
from hub.patterns import keys_asked
from hub.questions.around import Around, around, values_asked
from hub.questions.explain import Explaining, asker_of, checked, nothing_known, things_asked
from hub.questions.explained import Asker, KnownThing, known_thing
from hub.questions.naming import is_stix_id
from hub.questions.probing import run_probe, things_and_unplaced
from hub.store.port import Store

MOST_CLAIMS = 100
"""How many claims are listed for a thing in a collection."""
_MOST_THINGS = 50
_CODES: Mapping[KeptOut, str] = {
    KeptOut.MARKING: Code.MARKING_UNKNOWN.value,
    KeptOut.CEILING: Code.MARKING_ABOVE_CEILING.value,
}


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody who reads."""

    name: str
    principal: Principal | None
    """None: whoever has no credentials."""
    readable: Sequence[Collection]


@dataclass(frozen=True, slots=True)
class KeptClaim:
    """A claim that a collection does not show, or what is held instead of one."""

    source: str
    id: StixId
    rule: KeptOut
    code: str | None
    """The code of the rule's page, if it has one."""


@dataclass(frozen=True, slots=True)
class Absence:
    """A collection that does not show a thing to a reader."""

    collection: Collection
    rule: KeptOut
    claims: tuple[KeptClaim, ...]
    """Those that came furthest first, at most ``MOST_CLAIMS``."""
    more: int
    """How many more there are."""


@dataclass(frozen=True, slots=True)
class SeenThing:
    """A thing as a reader sees it, and where it does not."""

    thing: KnownThing
    absences: tuple[Absence, ...]


@dataclass(frozen=True, slots=True)
class AsSeen:
    """The answer to a question about a reader."""

    things: tuple[SeenThing, ...]
    around: Around


async def explain_as(store: Store, reader: Reader, collections: Sequence[Collection], asked: str) -> AsSeen:
    """What a reader may see of the things that are asked for, and for each of the ``collections`` that does not show
    them one the rule that keeps it out. Raises Refused, and NotFound if the hub has nothing of these things.
    """
    said, policy = checked(asked), await store.policy()
    here = [collection for collection in collections if collection.no in policy.collections]
    things, unplaced, held = await _asked_for(store, said, here)
    probe = await run_probe(store, here, things, unplaced)
    kept = _KeptOut(policy, reader, here, held)
    found = await _seen_things(store, policy, kept, probe, things)
    for claim, by_collection in zip(unplaced, probe.of_claims, strict=True):
        probed = {no: Probed(of_claim[1], (of_claim,)) for no, of_claim in by_collection.items()}
        found.append(SeenThing(_unseen(None, [claim], ()), kept.absences(None, probed, ())))
    if not found:
        raise nothing_known(said)
    values = values_asked(said, [one.thing.text for one in found if one.thing.type == "indicator"])
    return AsSeen(tuple(found), await around(store.things, reader.readable, values, policy.today_us))


async def _seen_things(
    store: Store, policy: Policy, kept: _KeptOut, probe: Probe, things: Sequence[CanonicalKey]
) -> list[SeenThing]:
    """The things of which the hub has anything, as the reader sees them."""
    reader = kept.reader
    asker = Asker() if reader.principal is None else asker_of(reader.principal, policy)
    parts = await Explaining(store, policy, asker, reader.readable).parts(things, with_links=True)
    nos = {no for no, _ in probe.found}
    alive: dict[CanonicalKey, set[int]] = {thing: set() for thing in things}
    for shown in await store.things.shown(things, nos):
        if shown.view.alive:
            alive[shown.view.thing].add(shown.view.collection)
    found = []
    for thing in things:
        known = known_thing(thing, parts[thing], asker, policy)
        probed = {no: probe.found[no, thing] for no in nos}
        claims = [claim for one in probed.values() for claim, _ in one.claims]
        if known is not None or claims or alive[thing] or kept.is_held(thing):
            told = _unseen(thing, claims, kept.held) if known is None else known
            found.append(SeenThing(told, kept.absences(thing, probed, alive[thing])))
    return found


async def _asked_for(
    store: Store, said: str, collections: Sequence[Collection]
) -> tuple[list[CanonicalKey], list[Claim], Sequence[HeldAbout]]:
    """The things that are asked for, the relationships that are about none, and what is held."""
    reads, nos = store.things, [collection.no for collection in collections]
    things = dict.fromkeys(await things_asked(reads, said, nos, Asker(operator=True)))
    ids = [StixId(said)] if is_stix_id(said) else []
    _, unplaced = await things_and_unplaced(reads, await reads.claims_under(ids))
    things |= dict.fromkeys(await reads.naming(keys_asked(said), _MOST_THINGS))
    held = await reads.held_about(list(things), ids)
    things |= {one.thing: None for one in held if one.thing is not None}
    return list(things), unplaced, held


def _unseen(thing: CanonicalKey | None, claims: Sequence[ClaimHead], held: Sequence[HeldAbout]) -> KnownThing:
    """A thing of which the reader sees nothing, as operators know it."""
    known = next((claim for claim in claims if isinstance(claim, Claim)), None)
    if known is not None:
        obj = known.obj
        return KnownThing(thing, known.type, str(obj.get("pattern") or obj.get("value") or known.id), ())
    waits = next((one.stix_id for one in held if one.thing == thing), StixId("unknown"))
    return KnownThing(thing, type_of_id(waits), waits, ())


class _KeptOut:
    """Composes the absences of things for one reader."""

    def __init__(
        self, policy: Policy, reader: Reader, collections: Sequence[Collection], held: Sequence[HeldAbout]
    ) -> None:
        self._policy = policy
        self.reader = reader
        self.held = held
        self._readable = {collection.no for collection in reader.readable}
        self._collections = collections

    def is_held(self, thing: CanonicalKey | None) -> bool:
        """Whether an object about a thing is held, or was refused."""
        return any(self._is_about(one, thing) for one in self.held)

    def absences(
        self, thing: CanonicalKey | None, probed: Mapping[int, Probed], shown: Container[int]
    ) -> tuple[Absence, ...]:
        """Each collection that does not show a thing to the reader. ``shown``: those that show it to their readers."""
        found = []
        for collection in self._collections:
            one = probed.get(collection.no)
            if one is None or (collection.no in shown and collection.no in self._readable):
                continue
            claims = self._claims(thing, one.claims)
            rule = KeptOut.CHANGE if one.rule is None else furthest(one.rule, *self._rules_of_held(thing))
            if collection.no not in self._readable:
                rule = KeptOut.ACCESS
            found.append(Absence(collection, rule, tuple(claims[:MOST_CLAIMS]), max(len(claims) - MOST_CLAIMS, 0)))
        return tuple(found)

    def _is_about(self, held: HeldAbout, thing: CanonicalKey | None) -> bool:
        return thing is not None and held.thing == thing

    def _rules_of_held(self, thing: CanonicalKey | None) -> list[KeptOut]:
        return [_rule_of(one) for one in self.held if self._is_about(one, thing)]

    def _claims(self, thing: CanonicalKey | None, rules: Sequence[RuleOfClaim]) -> list[KeptClaim]:
        found = [
            KeptClaim(self._name(claim.source), claim.id, rule, _CODES.get(rule))
            for claim, rule in rules
            if rule is not None
        ]
        found += [
            KeptClaim(self._name(one.source), one.stix_id, _rule_of(one), one.code)
            for one in self.held
            if self._is_about(one, thing)
        ]
        return sorted(found, key=lambda one: (-one.rule, one.source, one.id))

    def _name(self, source: int) -> str:
        known = self._policy.sources.get(source)
        return str(source) if known is None else known.name


def _rule_of(held: HeldAbout) -> KeptOut:
    return KeptOut.REFUSED if held.state is HeldState.REFUSED else KeptOut.HELD
