"""Turns arrivals into the claims that their sources may make: each is judged, admitted or refused, and held if an
operator must check it first.

Uses only the object, the policy and the limits, never the state of the store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import orjson

from hub.core.admit import admit
from hub.core.arrivals import FORGOTTEN, Arrival
from hub.core.forgotten import claimed_again, said_again
from hub.core.hold import Hit, wide_network
from hub.core.judge import judge, revoking
from hub.core.normalise import Normal
from hub.core.normalise.mend import small
from hub.core.revoke import revocation, revocation_in
from hub.model.claims import Claim, ClaimState, claim_key, digest_of
from hub.model.policy import Policy, Widths
from hub.model.problems import Code, Problem
from hub.model.times import parse_us
from hub.model.words import Limits, State, StixId, StixObject, Withdrawal
from hub.patterns import Observable

Hold = Callable[[StixObject, Sequence[Observable], Widths], Hit | None]
"""Returns the reason why an operator must check an object before it is shown, or None. The widths are those of the
widest networks that its source may send without a check."""


def no_hold(_: StixObject, __: Sequence[Observable], ___: Widths) -> None:
    """Hold nothing: always returns None."""


@dataclass(slots=True)
class Admitted:
    """The result of the stages before the merge for one arrival."""

    arrival: Arrival
    problems: tuple[Problem, ...]
    claims: tuple[Claim, ...] = ()
    """Empty if refused or held. Several if one object became several: observed-data with embedded objects gives the
    observed-data first, then its parts. The parts are replaced and withdrawn together with it."""
    stix_id: str | None = None
    retracts: bool = False
    """Refused because it is marked above the ceiling, or says something that was erased, which also withdraws the claim
    that it would have replaced."""
    held_on: str = ""
    """The name of the list that it matched."""
    only_revokes: bool = False
    """Only the revocation counts: the rest of the object is not valid."""
    says_forgotten: bool = False
    """Whether its record says something that was erased."""
    would_claim: tuple[Claim, ...] = ()
    """If held: the claims that it makes once it is released (or already makes, if it was released before). If it
    retracts: the version that is refused; what it would replace is withdrawn."""


def admitted(arrivals: Iterable[Arrival], policy: Policy, limits: Limits, hold: Hold) -> list[Admitted]:
    """Judge and admit each arrival, in order, without reading the store."""
    if policy.forgotten:
        return [_unless_forgotten(arrival, policy, limits, hold) for arrival in arrivals]
    return [_admitted(arrival, policy, limits, hold) for arrival in arrivals]


def _unless_forgotten(arrival: Arrival, policy: Policy, limits: Limits, hold: Hold) -> Admitted:
    """Refuse what says something that was erased, before anything of it can be repeated to anybody."""
    found = _admitted(arrival, policy, limits, hold)
    claims = (*found.claims, *found.would_claim)
    says = said_again(arrival, policy.forgotten) or any(claimed_again(claim, policy.forgotten) for claim in claims)
    return _of_forgotten(found, policy, limits) if says else found


def _of_forgotten(found: Admitted, policy: Policy, limits: Limits) -> Admitted:
    """Refuse it, and withdraw what it would replace. But where it revokes something else, and only mentions it, the
    revocation counts and alone is kept.
    """
    arrival = found.arrival
    revokes = None if arrival.value is None else revocation_in(arrival.value)
    if revokes is not None:
        revoked = _revoked(arrival, revoking(revokes, FORGOTTEN), policy, limits)
        for claim in revoked.claims:
            bare = replace(arrival, value=claim.body, stix_id=claim.id)
            if not said_again(bare, policy.forgotten):
                return replace(revoked, arrival=bare, says_forgotten=True)
    version = next(iter((*found.claims, *found.would_claim)), None)
    if version is None:
        return Admitted(arrival, (FORGOTTEN,), says_forgotten=True)
    # if the breaker holds this, it is stored as a withdrawal that stands: nothing of the content may be kept
    bare = replace(arrival, value=None, stix_id=version.id, withdrawal=Withdrawal.STANDS)
    would_claim = (_without_content(version),)
    return Admitted(bare, (FORGOTTEN,), (), version.id, retracts=True, says_forgotten=True, would_claim=would_claim)


def _without_content(claim: Claim) -> Claim:
    """What is left of a claim: under which id, and when. Its digests could confirm a guess of what it says."""
    return replace(claim, thing=None, digest=b"", body=b"", parsed=None, _marks=None, _beside_author=None)


def _admitted(arrival: Arrival, policy: Policy, limits: Limits, hold: Hold) -> Admitted:
    if arrival.refused is not None:
        revokes = revocation_in(arrival.value or b"") if arrival.refused.code in _OF_TEXT else None
        if revokes is not None:
            return _revoked(arrival, revoking(revokes, arrival.refused), policy, limits)
        return Admitted(arrival, (arrival.refused,), stix_id=arrival.stix_id)
    if arrival.value is None:
        return Admitted(arrival, (), stix_id=_meant(arrival.stix_id))
    found = judge(arrival.value, limits)
    if isinstance(found, tuple):
        return Admitted(arrival, (found[0],), stix_id=found[1])
    if isinstance(found, Problem):
        return Admitted(arrival, (found,), stix_id=None)
    if found[0].obj.get("revoked") is True:
        return _revoked(arrival, found[0], policy, limits)
    claims = tuple(_claim(normal, arrival) for normal in found)
    warnings: list[Problem] = []
    for normal in found:
        said = admit(normal.obj, arrival.source, policy, arrival.at_us, limits)
        refusal = next((problem for problem in said if problem.state is State.REJECTED), None)
        if refusal is not None:
            retracts = refusal.code is Code.MARKING_ABOVE_CEILING
            would_claim = claims if retracts else ()
            return Admitted(arrival, (refusal,), stix_id=claims[0].id, retracts=retracts, would_claim=would_claim)
        warnings += (*normal.warnings, *said)
    is_checked = arrival.released in (None, Code.BREAKER_MASS_WITHDRAWAL)
    hit = _first_hit(found, hold, arrival.source.widest_shown) if is_checked else None
    if hit is not None:
        return Admitted(arrival, (hit.problem,), stix_id=claims[0].id, held_on=hit.list_name, would_claim=claims)
    wide = (wide_network(one.obj, one.observables, arrival.source.widest_blocked) for one in found)
    warnings += [warning for warning in wide if warning is not None]
    return Admitted(arrival, tuple(warnings), claims, claims[0].id)


_OF_TEXT = frozenset({Code.JSON_DUPLICATE_KEY, Code.JSON_NESTING, Code.JSON_NOT_UTF8, Code.JSON_NUMBER})
"""Problems of a record's text; a revocation can often still be read from such a text."""


_OF_SOURCE = frozenset({Code.AUTHOR_IMPERSONATION, Code.TYPE_NOT_YOURS})
"""Refusals because of who sends an object, so that no version of it can be admitted."""


def _meant(said: str | None) -> str | None:
    """The id that a withdrawal names, normalised: JSON serialisers add quotes, people add spaces and capitals."""
    return None if said is None else small(said.strip().strip('"').strip())


def _revoked(arrival: Arrival, normal: Normal, policy: Policy, limits: Limits) -> Admitted:
    """Admit a revocation. It is refused only if its source may not send this; other refusals become warnings."""
    said = admit(normal.obj, arrival.source, policy, arrival.at_us, limits)
    refusals = [problem for problem in said if problem.state is State.REJECTED]
    for refusal in refusals:
        if refusal.code in _OF_SOURCE:
            return Admitted(arrival, (refusal,), stix_id=normal.said_id)
    if refusals and not normal.only_revokes and (revokes := revocation(normal.obj)) is not None:
        normal = revoking(revokes, refusals[0])
    warnings = (*normal.warnings, *(problem for problem in said if problem.state is not State.REJECTED))
    claim = _claim(normal, arrival)
    return Admitted(arrival, warnings, (claim,), claim.id, only_revokes=normal.only_revokes)


def _first_hit(found: Sequence[Normal], hold: Hold, widest: Widths) -> Hit | None:
    return next((hit for one in found if (hit := hold(one.obj, one.observables, widest)) is not None), None)


def _claim(normal: Normal, arrival: Arrival) -> Claim:
    obj = normal.obj
    body = orjson.dumps(obj, option=orjson.OPT_SORT_KEYS)
    stix_id = StixId(normal.said_id)
    modified = obj.get("modified")
    return Claim(
        key=claim_key(arrival.source.no, stix_id), source=arrival.source.no, id=stix_id, type=obj["type"],
        thing=normal.thing, modified_us=None if modified is None else parse_us(modified), stamp=arrival.stamp,
        since=arrival.stamp, state=ClaimState.REVOKED if obj.get("revoked") is True else ClaimState.LIVE,
        digest=digest_of(body), body=body, parsed=obj,
    )  # fmt: skip
