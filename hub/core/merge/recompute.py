"""Computes everything that the hub shows from the sources' claims alone.

What a collection shows is a pure function of the claims and the policy. So this verifies a stored hub: the incremental
merge must have the same result. Holds all claims in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from hub.core.merge.drafts import Draft
from hub.core.merge.engine import Engine
from hub.model.claims import Claim, ClaimKey, View
from hub.model.policy import Policy
from hub.model.reads import (
    CLAIM,
    PAGE,
    PAST,
    PLACED,
    PLACEMENT,
    REFERRERS,
    THING,
    UNDER_ID,
    USES,
    Answers,
    Reads,
    ThingRecord,
)
from hub.model.words import CanonicalKey


@dataclass(frozen=True, slots=True)
class Recomputed:
    """The views and the counts that must be stored."""

    shown: dict[tuple[int, CanonicalKey], Draft]
    uses: dict[tuple[int, str], int]
    placements: dict[ClaimKey, dict[int, CanonicalKey]]


def recomputed(policy: Policy, claims: Iterable[Claim], views: Iterable[View]) -> Recomputed:
    """What the hub must show of these claims. From the stored ``views`` only the generations are used: how often a view
    has ended does not follow from the claims.
    """
    ended = {(view.collection, view.thing): replace(view, alive=False, uses=()) for view in views}
    engine = Engine(policy, {claim.key: (None, claim) for claim in claims})
    while reads := engine.ask():
        engine.tell(_nothing_but(ended, reads, list(policy.collections)))
    return Recomputed(
        {(draft.collection.no, draft.thing): draft for draft in engine.drafts.all()},
        {at: number for at, number in engine.uses.items() if number},
        {key: where for key, where in engine.placements.items() if where},
    )


def _nothing_but(views: dict[tuple[int, CanonicalKey], View], reads: Reads, nos: Sequence[int]) -> Answers:
    """The answers of a store without any claims, but with views that have ended."""
    answers = Answers()
    things = reads.about(THING)
    answers.put(
        THING,
        {thing: ThingRecord([], {no: view for no in nos if (view := views.get((no, thing)))}) for thing in things},
    )
    answers.put(UNDER_ID, {stix_id: [] for stix_id in reads.about(UNDER_ID)})
    answers.put(REFERRERS, {stix_id: [] for stix_id in reads.about(REFERRERS)})
    answers.put(PLACEMENT, {key: {} for key in reads.about(PLACEMENT)})
    answers.put(PLACED, {thing: {} for thing in reads.about(PLACED)})
    answers.put(USES, dict.fromkeys(reads.about(USES), 0))
    answers.put(PAGE, {at: [] for at in reads.about(PAGE)})
    answers.put(CLAIM, dict.fromkeys(reads.about(CLAIM)))
    answers.put(PAST, dict.fromkeys(reads.about(PAST)))
    return answers
