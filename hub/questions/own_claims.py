"""What a source itself claims about a thing, so that it can withdraw it without knowing under which ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hub.model.claims import ClaimKey, claim_key
from hub.model.errors import Refused
from hub.model.policy import Collection
from hub.model.principals import Principal
from hub.model.problems import Problem
from hub.questions.explain import things_asked
from hub.questions.explained import Asker
from hub.questions.naming import is_stix_id, things_named
from hub.store.own_port import OwnClaim
from hub.store.port import Store

_LONGEST = 70_000


@dataclass(frozen=True, slots=True)
class OwnClaims:
    """One page of a source's claims about a thing, ordered by key."""

    claims: Sequence[OwnClaim]
    more: bool


async def own_claims(
    store: Store, principal: Principal, collections: Sequence[Collection], about: str, *, after: str, limit: int
) -> OwnClaims:
    """The claims of the principal about what a STIX id, a value or a pattern names, those after the one with the id
    ``after`` ("": from the beginning). A pattern that has the value beside others is about another thing.

    ``collections``: those under whose ids the principal may ask. Raises Refused for an invalid question.
    """
    said = about.strip()
    named = things_named(said) if not is_stix_id(said) else []
    if isinstance(named, Problem):
        raise Refused(named.code, named.says)
    if not said or len(said) > _LONGEST:
        raise Refused("claims.asked", "Ask for a STIX id, a value or a pattern.", "Percent-encode it.")
    source = (await store.policy()).sources.get(principal.no)
    numbers = [collection.no for collection in collections]
    things = await things_asked(store.things, said, numbers, Asker(source=source))
    start = claim_key(principal.no, after) if after else ClaimKey(b"")
    found = await store.own_claims.claims_of(principal.no, things, start, limit + 1) if things else []
    return OwnClaims(found[:limit], len(found) > limit)
