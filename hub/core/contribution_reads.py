"""What must be read to decide which claims of a batch count."""

from __future__ import annotations

from collections.abc import Sequence

from hub.core.admission import Admitted
from hub.core.merge.facts import marked_with
from hub.core.merge.references import perhaps_issued
from hub.core.normalise.observed import part_id
from hub.model.claims import Claim, ClaimKey, ClaimState, claim_key
from hub.model.policy import Policy
from hub.model.reads import BREAKER, CLAIM, HELD, ISSUED, REFERRING, REPLACED, Answers, Reads
from hub.model.words import StixId


def reads_for(batch: Sequence[Admitted], policy: Policy) -> Reads:
    """What must be read to decide which claims of a batch count: the claims that they may replace, the sources' own
    marking definitions, the objects held or refused under the same ids, and the keys behind ids that the hub may have
    issued.
    """
    reads = Reads()
    for one in batch:
        source = one.arrival.source.no
        if one.stix_id is not None:
            reads.add(REPLACED, claim_key(source, one.stix_id))
            if one.held_on or one.arrival.value is None:
                reads.add(HELD, (source, StixId(one.stix_id)))
        for claim in (*one.claims, *one.would_claim):
            reads.add(REPLACED, claim.key)
            reads.update(ISSUED, perhaps_issued(claim))
        for claim in one.claims:
            reads.update(CLAIM, (claim_key(source, ref) for ref in own_markings(claim, policy)))
    return reads


def further_reads(batch: Sequence[Admitted], policy: Policy, answers: Answers) -> Reads:
    """What must be read once the stored claims are known: their parts, which may have to be withdrawn together with the
    whole; and what the breaker needs where a source may take something back.
    """
    known = answers.of(REPLACED)
    parts = {key for claim in known.values() for key in parts_of(claim)}
    reads = Reads().update(REPLACED, parts - known.keys())
    seen: set[ClaimKey] = set()
    for one in batch if policy.breaker.share else ():
        key = claim_key(one.arrival.source.no, one.stix_id or "")
        old = known.get(key)
        if one.arrival.released is None and (key in seen or _may_take_back(one, old)):
            reads.add(BREAKER, one.arrival.source.no)
            if old is not None:
                reads.update(CLAIM, (claim_key(old.source, ref) for ref in own_markings(old, policy)))
            if (one.stix_id or "").startswith("marking-definition--"):
                reads.add(REFERRING, marked_with(one.arrival.source.no, StixId(one.stix_id or "")))
        seen.add(key)
    return reads


def _may_take_back(one: Admitted, old: Claim | None) -> bool:
    """Whether an arrival may end or restrict the stored claim, as far as that is known before it is applied."""
    if old is None or (old.state is not ClaimState.LIVE and old.type != "marking-definition"):
        return False
    new = one.claims[0] if one.claims else None
    if new is None or new.state is not ClaimState.LIVE:
        return True
    if new.digest == old.digest:
        return False
    return new.marks != old.marks or old.type in ("observed-data", "marking-definition")


def parts_of(whole: Claim | None) -> list[ClaimKey]:
    """Keys of the possible parts of a claim; if observed-data had no embedded objects, they have no claims."""
    if whole is None or whole.type != "observed-data" or not whole.body:
        return []
    return [claim_key(whole.source, part_id(whole.id, ref)) for ref in whole.obj.get("object_refs", ())]


def own_markings(claim: Claim, policy: Policy) -> list[StixId]:
    """Markings that only the source itself can have defined."""
    return [ref for ref in claim.marks.others if ref not in policy.group_of_marking]
