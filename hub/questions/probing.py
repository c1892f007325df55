"""Runs the core's probe of why collections do not show things (``hub/core/verify/probe``) on one moment of a store."""

from __future__ import annotations

from collections.abc import Sequence

from hub.core.verify.probe import Probe
from hub.model.claims import Claim
from hub.model.policy import Collection
from hub.model.words import CanonicalKey
from hub.store.port import Store
from hub.store.thing_port import ThingReader


async def run_probe(
    store: Store, collections: Sequence[Collection], things: Sequence[CanonicalKey], unplaced: Sequence[Claim]
) -> Probe:
    """Returns the finished probe of these things, and of relationships that are about none, in these collections."""
    async with store.snapshot() as moment:
        nos = [collection.no for collection in collections if collection.no in moment.policy.collections]
        probe = Probe(moment.policy, moment.deferred, nos, things, unplaced)
        while reads := probe.ask():
            probe.tell(await moment.load(reads))
        return probe


async def things_and_unplaced(things: ThingReader, claims: Sequence[Claim]) -> tuple[set[CanonicalKey], list[Claim]]:
    """Returns the things that claims are about, in any collection, and the relationships that are about none."""
    floating = [claim for claim in claims if claim.thing is None]
    placed = await things.relationships_of([claim.key for claim in floating]) if floating else {}
    about = {claim.thing for claim in claims if claim.thing is not None}.union(*placed.values())
    return about, [claim for claim in floating if claim.key not in placed]
