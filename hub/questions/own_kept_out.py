"""What a source claims and no collection that it may read shows, and why.

It tells a source only about its own claims, by the content of collections that it may read. The core decides
(``hub/core/verify/probe``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set

from hub.core.merge.known import KNOWN_TYPES
from hub.core.verify.probe import Probe
from hub.model.claims import ClaimKey
from hub.model.kept_out import KeptOut, furthest
from hub.model.policy import Collection
from hub.model.principals import Principal
from hub.model.words import StixId, type_of_id
from hub.questions.probing import run_probe, things_and_unplaced
from hub.store.port import Store

MOST_REASONS = 100
"""How many ids get a reason at most."""


async def own_kept_out(
    store: Store, source: Principal, readable: Sequence[Collection], ids: Set[StixId]
) -> Mapping[StixId, KeptOut | None]:
    """Returns the ids of the source's claims that none of these collections shows. The value is the rule that keeps the
    claim out, in the collection where it came furthest.

    After the first ``MOST_REASONS`` ids the value is None. Of those, identities, markings and extension definitions are
    left out: they may be shown under another id.
    """
    if not readable or not ids:
        return {}
    missing = await store.own_claims.not_shown(source.no, ids, [collection.no for collection in readable])
    first, rest = missing[:MOST_REASONS], missing[MOST_REASONS:]
    rules = await _rules(store, source, readable, first) if first else {}
    return rules | {stix_id: None for stix_id in rest if type_of_id(stix_id) not in KNOWN_TYPES}


async def _rules(
    store: Store, source: Principal, readable: Sequence[Collection], ids: Sequence[StixId]
) -> dict[StixId, KeptOut | None]:
    claims = [claim for claim in await store.things.claims_under(ids) if claim.source == source.no]
    things, unplaced = await things_and_unplaced(store.things, claims)
    rules = _rules_of_claims(await run_probe(store, readable, sorted(things), unplaced))
    found = {claim.id: _furthest(rules.get(claim.key, ())) for claim in claims}
    return {stix_id: rule for stix_id, rule in found.items() if rule is not None}


def _rules_of_claims(probe: Probe) -> Mapping[ClaimKey, Sequence[KeptOut | None]]:
    """The rule of each claim in each collection; None where it is shown."""
    found: defaultdict[ClaimKey, list[KeptOut | None]] = defaultdict(list)
    for one in probe.found.values():
        for claim, rule in one.claims:
            found[claim.key].append(KeptOut.CHANGE if rule is None and one.rule is not None else rule)
    for by_collection in probe.of_claims:
        for claim, rule in by_collection.values():
            found[claim.key].append(rule)
    return dict(found)


def _furthest(rules: Sequence[KeptOut | None]) -> KeptOut | None:
    """The rule to report for a claim; None if a collection shows it, or if it is gone."""
    found = [rule for rule in rules if rule is not None]
    if not found or len(found) < len(rules):
        return None
    rule = furthest(*found)
    return KeptOut.CHANGE if rule is KeptOut.TURN else rule  # a turn depends on what others claim
