"""Why the collections that a source may read do not show what it claims.

It tells a source only about its own claims, by the content of collections that it may read. The core decides
(``hub/core/verify/probe``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from hub.core.verify.probe import Probe
from hub.model.claims import Claim
from hub.model.kept_out import KeptOut, furthest
from hub.model.policy import Collection as Shared
from hub.model.principals import Principal
from hub.model.words import StixId
from hub.store.port import Store

MOST_REASONS = 100
"""For how many ids the reason is looked for."""


async def unshown(
    store: Store, source: Principal, readable: Sequence[Shared], ids: Collection[StixId]
) -> Mapping[StixId, KeptOut | None]:
    """Those of the ids under which the source claims what none of these collections shows, each with the rule that
    keeps the claim out of the collection where it came furthest; None for those after the first ``MOST_REASONS``.
    """
    nos = [collection.no for collection in readable]
    if not nos or not ids:
        return {}
    missing = await store.things.unshown(source.no, ids, nos)
    first = missing[:MOST_REASONS]
    rules = await _rules(store, source, nos, first) if first else {}
    known = {stix_id: rule for stix_id, rule in rules.items() if rule is not None}
    return known | dict.fromkeys(missing[MOST_REASONS:])


async def _rules(
    store: Store, source: Principal, nos: Sequence[int], ids: Sequence[StixId]
) -> dict[StixId, KeptOut | None]:
    """The rule of each id; None for what is shown under another id, such as an identity of an unnamed source."""
    claims = [claim for claim in await store.things.claims_under(ids) if claim.source == source.no]
    things = {claim.thing for claim in claims if claim.thing is not None}
    unplaced = []
    for claim in claims:
        if claim.thing is None:
            placed = await store.things.relationships_of([claim.key])
            things.update(placed)
            if not placed:
                unplaced.append(claim)
    async with store.snapshot() as moment:
        here = [no for no in nos if no in moment.policy.collections]
        probe = Probe(moment.policy, moment.deferred, here, sorted(things), unplaced)
        while reads := probe.ask():
            probe.tell(await moment.load(reads))
    return {claim.id: _rule_of(claim, probe, unplaced) for claim in claims}


def _rule_of(claim: Claim, probe: Probe, unplaced: Sequence[Claim]) -> KeptOut | None:
    found: list[KeptOut | None] = []
    for one, by_collection in zip(unplaced, probe.of_claims, strict=True):
        if one.key == claim.key:
            found += [rule for _, rule in by_collection.values()]
    for probed in probe.found.values():
        own = [rule for each, rule in probed.claims if each.key == claim.key]
        found += [KeptOut.CHANGE if rule is None and probed.rule is not None else rule for rule in own]
    rules = [rule for rule in found if rule is not None]
    if not rules or len(rules) < len(found):
        return None
    rule = furthest(*rules)
    return KeptOut.CHANGE if rule is KeptOut.TURN else rule  # a turn depends on what others claim
