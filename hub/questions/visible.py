"""The claims that an audience may see, and their projections, by the core's own rules. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hub.core.merge.project import Projection, decision_of, project
from hub.core.merge.reach import Decided, reach
from hub.model.claims import Claim, ClaimKey, claim_key
from hub.model.policy import Audience, Policy
from hub.model.words import StixId


def seen_by(
    audience: Audience, claims: Iterable[Claim], definitions: Mapping[ClaimKey, Claim], policy: Policy
) -> list[tuple[Claim, Projection]]:
    """The claims that an audience may see, with their projections, by rank.

    ``definitions``: the claims about the marking-definitions that these claims carry.
    """

    def decision(source: int, marking: StixId) -> Decided:
        return decision_of(definitions.get(claim_key(source, marking)))

    seen = []
    for claim in claims:
        projection = project(claim, audience, policy, reach(claim, policy, decision))
        if projection is not None:
            seen.append((claim, projection))
    return sorted(seen, key=lambda pair: pair[1].rank)
