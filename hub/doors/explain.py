"""``/v1/explain/{asked}``: why the hub shows what it shows, as far as whoever asks may see it.

Here the store is asked; ``explained`` composes the answer. Only projections onto the audiences of collections that the
asker may read go into it, the centre's own claims aside.
"""

from __future__ import annotations

import re
from collections.abc import Collection as Some
from collections.abc import Mapping
from dataclasses import dataclass, field

from fastapi import APIRouter, Request
from fastapi.responses import Response

from hub.core.merge.project import Projection, decision_of, project
from hub.core.merge.reach import Decided, reach
from hub.core.normalise.sco import canonical_sco
from hub.doors.context import Doors
from hub.doors.explained import Asker, Part, explained_thing
from hub.doors.openapi import ERRORS
from hub.model.claims import Claim, ClaimKey, ClaimState, claim_key
from hub.model.errors import NotFound, Refused
from hub.model.policy import Audience, Collection, Policy
from hub.model.principals import Kind, Principal
from hub.model.problems import Problem, cut
from hub.model.stix_types import SCO_TYPES
from hub.model.words import CanonicalKey, StixId, StixObject
from hub.patterns import Observable, canonical, key, keys_asked, pattern_key, value_candidates
from hub.store.port import ShownView
from schemas.api import ExplainedThing, Explanation

_LONGEST = 70_000
_ENOUGH = 50
"""Of things that only name a value: further ones are left out."""
_MOST_THINGS = 5_000
"""So many patterns that name a value are looked at for some that the asker may see."""
_STIX_ID = re.compile(r"[a-z0-9][a-z0-9-]{1,249}--[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


def routes(doors: Doors) -> APIRouter:
    """``/v1/explain``."""
    router = APIRouter(tags=["collections"], default_response_class=Response)

    @router.get("/v1/explain/{asked:path}", responses={200: {"model": Explanation}, **ERRORS})
    async def explain(request: Request, asked: str) -> Response:
        """What a STIX id, a value or a pattern names, what your collections show of it, and out of whose claims."""
        principal = await doors.gate.required(request)
        said = asked.strip()
        if not said or len(said) > _LONGEST:
            raise Refused("explain.asked", "Ask for a STIX id, a value or a pattern.", "Percent-encode it in the path.")
        things = await _Explaining(doors, principal, await doors.store.policy()).explain(asked)
        if not things:
            if isinstance(named := things_named(said), Problem):
                raise Refused(named.code, named.says)
            raise NotFound("explain.unknown", f"No collection that you may read shows {cut(said)}.", _read_as(said))
        body = Explanation(asked=asked, things=things)
        return Response(body.model_dump_json(), media_type="application/json", headers={"cache-control": "no-store"})

    return router


def _read_as(said: str) -> str:
    """How a value was understood, for who finds nothing of it."""
    if _STIX_ID.fullmatch(said) or said.startswith("["):
        return "Nothing that you may see has this id or this pattern; ids differ from collection to collection."
    kinds = dict.fromkeys(candidate.kind for candidate in value_candidates(said))
    if not kinds:
        return "It was looked for as a text, in every pattern; write an address, name, URL or hash as STIX does."
    return f"It was looked for as {' or '.join(kinds)}, and in every pattern; nothing that you may see names it."


def things_named(said: str) -> list[CanonicalKey] | Problem:
    """The things that a pattern or a bare value may name; a Problem for a pattern that is none."""
    if said.startswith("["):
        found = canonical(said)
        return found if isinstance(found, Problem) else [pattern_key("stix", found.text)]
    return [thing for candidate in value_candidates(said) for thing in _things_of(candidate)]


def _things_of(observable: Observable) -> list[CanonicalKey]:
    """The indicator and the observable object of one value."""
    escaped = observable.value.replace("\\", "\\\\").replace("'", "\\'")
    pattern = canonical(f"[{observable.kind}:{observable.path} = '{escaped}']")
    things = [] if isinstance(pattern, Problem) else [pattern_key("stix", pattern.text)]
    if observable.kind in SCO_TYPES:
        found = canonical_sco(_object_of(observable))
        if not isinstance(found, Problem):
            things.append(key("object", found[0]["id"]))
    return things


def _object_of(observable: Observable) -> StixObject:
    made: StixObject = {"type": observable.kind, "spec_version": "2.1", "id": f"{observable.kind}--none"}
    if observable.path.startswith("hashes."):
        return {**made, "hashes": {observable.path.removeprefix("hashes.").strip("'"): observable.value}}
    return {**made, observable.path: int(observable.value) if observable.path == "number" else observable.value}


@dataclass(slots=True)
class _Known:
    """What the store said about the things asked for."""

    shown: dict[tuple[int, CanonicalKey], ShownView] = field(default_factory=dict)
    claims: dict[CanonicalKey, dict[ClaimKey, Claim]] = field(default_factory=dict)
    placed: dict[tuple[int, CanonicalKey], set[ClaimKey]] = field(default_factory=dict)
    """Of merged relationships, whose claims stand for them depends on the collection."""
    definitions: dict[ClaimKey, Claim] = field(default_factory=dict)


class _Explaining:
    """One question of one principal."""

    def __init__(self, doors: Doors, principal: Principal, policy: Policy) -> None:
        self._doors = doors
        self._reader = doors.store.things
        self._policy = policy
        self._principal = principal
        centre = policy.centres.get(principal.no) if principal.kind is Kind.CENTRE else None
        self._asker = Asker(centre=centre, operator=principal.kind is Kind.OPERATOR)

    async def explain(self, asked: str) -> list[ExplainedThing]:
        """The answer; empty where there is nothing that the asker may know of."""
        collections = await self._doors.gate.explainable(self._principal)
        things = await self._things(asked.strip(), collections)
        found = await self._explained(things, collections)
        others = await self._reader.naming(keys_asked(asked), _MOST_THINGS)
        others = [thing for thing in others if thing not in things]
        for at in range(0, len(others), _ENOUGH):  # most of what is looked at may be nothing to the asker
            if len(found) >= _ENOUGH:
                break
            found += await self._explained(others[at : at + _ENOUGH], collections)
        return found

    async def _explained(self, things: Some[CanonicalKey], collections: Some[Collection]) -> list[ExplainedThing]:
        known = await self._known(things, collections)
        found = [
            explained_thing(thing, self._parts(thing, known, collections), self._asker, self._policy)
            for thing in things
        ]
        return [thing for thing in found if thing is not None]

    async def _things(self, said: str, collections: Some[Collection]) -> list[CanonicalKey]:
        if _STIX_ID.fullmatch(said) is None:
            named = things_named(said)
            return [] if isinstance(named, Problem) else named  # a value may begin like a pattern, or like an id
        views = await self._reader.views_under(StixId(said), [one.no for one in collections])
        things = {view.thing: None for view in views}
        mine = [claim for claim in await self._reader.claims_under([StixId(said)]) if self._asker.owns(claim)]
        things.update({claim.thing: None for claim in mine if claim.thing is not None})
        floating = [claim.key for claim in mine if claim.thing is None]
        if floating:
            things.update(dict.fromkeys(await self._reader.relationships_of(floating)))
        return list(things)

    async def _known(self, things: Some[CanonicalKey], collections: Some[Collection]) -> _Known:
        known = _Known(claims={thing: {} for thing in things})
        for shown in await self._reader.shown(things, [one.no for one in collections]):
            known.shown[shown.view.collection, shown.view.thing] = shown
        for claim in await self._reader.claims_about(things):
            if claim.thing is not None:
                known.claims[claim.thing][claim.key] = claim
        for placed in await self._reader.placed(things):
            known.placed.setdefault((placed.collection, placed.thing), set()).add(placed.claim.key)
            known.claims[placed.thing][placed.claim.key] = placed.claim
        markings = {ref for some in known.claims.values() for claim in some.values() for ref in claim.marks.others}
        known.definitions = {claim.key: claim for claim in await self._reader.claims_under(markings)}
        return known

    def _parts(self, thing: CanonicalKey, known: _Known, collections: Some[Collection]) -> list[Part]:
        return [Part(one, known.shown.get((one.no, thing)), self._visible(thing, one, known)) for one in collections]

    def _visible(self, thing: CanonicalKey, collection: Collection, known: _Known) -> list[tuple[Claim, Projection]]:
        """The claims about a thing that this collection's audience may see, and what remains of them."""
        standing = known.placed.get((collection.no, thing))
        seen = []
        for claim in known.claims[thing].values():
            if claim.thing is None and standing is not None and claim.key not in standing:
                continue
            projection = self._project(claim, collection.audience, known.definitions)
            if projection is not None:
                seen.append((claim, projection))
        return sorted(seen, key=lambda pair: pair[1].rank)

    def _project(self, claim: Claim, audience: Audience, definitions: Mapping[ClaimKey, Claim]) -> Projection | None:
        if claim.state is ClaimState.WITHDRAWN:
            return None

        def decision(centre: int, marking: StixId) -> Decided:
            return decision_of(definitions.get(claim_key(centre, marking)))

        found = reach(claim, self._policy, decision)
        return None if found is None else project(claim, audience, self._policy, found)
