"""The journey of a batch through the core: read, validate, admit, normalise, merge, which do not know one another.

All pure: whoever calls brings the time, the policy and what the store knows, and does the writing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

import orjson

from hub.core.admit import admit
from hub.core.encodings import utf8
from hub.core.hold import Hit
from hub.core.merge.newest import newest, withdrawal
from hub.core.merge.project import decided_by
from hub.core.merge.references import perhaps_issued, read_as_keys
from hub.core.normalise import Normal, normalise
from hub.core.normalise.lift import lift
from hub.core.normalise.mend import small
from hub.core.normalise.nothing import without_nothing
from hub.core.normalise.observed import part_id
from hub.core.read import read
from hub.core.records import split
from hub.core.revoke import revocation, revocation_in, revoked
from hub.core.validate import validate
from hub.model.claims import Claim, ClaimKey, ClaimState, claim_key, digest_of
from hub.model.policy import Centre, Policy
from hub.model.problems import Code, Problem, cut
from hub.model.step import Loaded
from hub.model.times import parse_us
from hub.model.words import Limits, Stamp, State, StixId, StixObject
from hub.patterns import Observable
from hub.patterns import key as key_of

Hold = Callable[[StixObject, Sequence[Observable]], Hit | None]
"""Says why an operator should look at an object before anybody sees it; None for nothing."""


def no_hold(_: StixObject, __: Sequence[Observable]) -> None:
    """Nothing is held."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One received object, or a withdrawal (``value`` None), with where it came from."""

    centre: Centre
    value: bytes | None
    stix_id: str | None
    """Of a withdrawal; of an object only where the record's key says it."""
    stamp: Stamp
    at_us: int
    topic: str
    partition: int
    offset: int
    index: int
    """Which object of the push, or of the record."""
    receipt: str | None
    refused: Problem | None = None
    """What the door found already, such as a size over the limit."""
    released: bool = False
    """The operator has let it pass: lists are not asked again."""
    size_bytes: int = 0


@dataclass(slots=True)
class Admitted:
    """What the stages before the merge made of an arrival."""

    arrival: Arrival
    problems: tuple[Problem, ...]
    claims: tuple[Claim, ...] = ()
    """Empty when refused or held. Several where one object became several (observed-data with its objects inside): the
    whole, then its parts, which come and go with it."""
    stix_id: str | None = None
    retracts: bool = False
    """Refused in a way that takes back what stood before: marked above the ceiling."""
    held_on: str = ""
    """The list that holds it."""
    only_revokes: bool = False
    """Nothing counts of its one claim but that it revokes what stood."""
    would_claim: tuple[Claim, ...] = ()
    """When held: what it claims once it is released, and may claim already where it was released before. When refused
    for its marking: what it would replace, and so takes back."""


@dataclass(slots=True)
class Outcome:
    """What became of one arrival."""

    admitted: Admitted
    state: State
    problems: tuple[Problem, ...]

    @property
    def overtakes(self) -> bool:
        """Whether what waits for the operator under the same id is not the centre's newest word any more."""
        withdraws = self.admitted.arrival.value is None or self.admitted.retracts
        return self.state in (State.ACCEPTED, State.HELD) or withdraws


@dataclass(slots=True)
class Claimed:
    """What a batch does to the claims: old and new by key, and the outcome of each arrival, in order."""

    changed: dict[ClaimKey, tuple[Claim | None, Claim]] = field(default_factory=dict)
    outcomes: list[Outcome] = field(default_factory=list)


def judge(value: bytes, limits: Limits) -> list[Normal] | Problem | tuple[Problem, str | None]:
    """Read, lift, validate and normalise one object: what it becomes, or the first problem that refuses it, for an
    object that can be read with its id.
    """
    obj = read(value, limits)
    if isinstance(obj, Problem):
        revokes = revocation_in(value) if len(value) <= limits.object_bytes else None
        return (obj, None) if revokes is None else [_revoking(revokes, obj)]
    found = judge_object(obj, limits)
    return (found, id_of(obj)) if isinstance(found, Problem) else found


def judge_object(obj: StixObject, limits: Limits) -> list[Normal] | Problem:
    """Lift, validate and normalise one decoded object: what it becomes, or the first problem that refuses it.

    What is refused is looked at again without the properties that say nothing, and then for no more than whether it
    revokes something.
    """
    found = _judged(obj, limits)
    if not isinstance(found, Problem):
        return found
    said, left_out = without_nothing(obj)
    if left_out:
        found = _judged(said, limits)
        if not isinstance(found, Problem):
            return [_warned(found[0], _says_nothing(left_out)), *found[1:]]
    revokes = revocation(obj)
    return found if revokes is None else [_revoking(revokes, found)]


def _says_nothing(left_out: Sequence[str]) -> Problem:
    named = ", ".join(cut(at[1:]) for at in left_out[:_NAMED])
    more = f" and {len(left_out) - _NAMED} more" if len(left_out) > _NAMED else ""
    says = f"Null or an empty list says nothing; {named}{more} counted as left out."
    return Problem(Code.STIX_EMPTY_PROPERTY, left_out[0], says)


_NAMED = 5
"""How many properties that say nothing are named."""


def _revoking(revokes: StixObject, why: Problem) -> Normal:
    says = f"It counts as a revocation of what stood, and nothing else in it does: {why.says}"
    warning = Problem(Code.REVOCATION_LENIENT, why.at, says)
    return Normal(revokes["id"], revokes, key_of("object", revokes["id"]), (), (warning,), only_revokes=True)


def _warned(normal: Normal, warning: Problem) -> Normal:
    return replace(normal, warnings=(*normal.warnings, warning))


def _judged(obj: StixObject, limits: Limits) -> list[Normal] | Problem:
    lifted = lift(obj)
    if isinstance(lifted, Problem):
        return lifted
    found: list[Normal] = []
    for one in [obj] if lifted is None else lifted:
        for problem in validate(one, limits):
            if problem.state is State.REJECTED:
                return problem
        normal = normalise(one, limits)
        if isinstance(normal, Problem):
            return normal
        found.append(normal if not found else replace(normal, said_id=part_id(found[0].said_id, normal.said_id)))
    if lifted is not None:
        says = "It came as STIX 2.0 and was lifted to STIX 2.1."
        found[0] = _warned(found[0], Problem(Code.STIX_LIFTED, "/spec_version", says))
    return found


def id_of(obj: StixObject) -> str | None:
    """The id of an object that may not be valid, as far as it can be quoted."""
    stix_id = obj.get("id")
    return stix_id if isinstance(stix_id, str) and len(stix_id) <= 255 and stix_id.isprintable() else None


def check(value: bytes, limits: Limits) -> list[Problem]:
    """The verdicts on one object that need no centre and no hub; the first that refuses it, or its warnings."""
    found = judge(value, limits)
    if isinstance(found, Problem):
        return [found]
    if isinstance(found, tuple):
        return [found[0]]
    return [warning for normal in found for warning in normal.warnings]


def objects_in(value: bytes, limits: Limits) -> list[bytes] | Problem:
    """The objects that a record holds, in UTF-8: one, or those of a bundle, an envelope or a list."""
    return split(utf8(value), limits)


def admitted(arrivals: Iterable[Arrival], policy: Policy, limits: Limits, hold: Hold) -> Iterator[Admitted]:
    """Take arrivals as far as they go without knowing what the store knows."""
    for arrival in arrivals:
        yield _admitted(arrival, policy, limits, hold)


def _admitted(arrival: Arrival, policy: Policy, limits: Limits, hold: Hold) -> Admitted:
    if arrival.refused is not None:
        revokes = revocation_in(arrival.value or b"") if arrival.refused.code in _OF_TEXT else None
        if revokes is not None:
            return _revoked(arrival, _revoking(revokes, arrival.refused), policy, limits)
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
        said = admit(normal.obj, arrival.centre, policy, arrival.at_us, limits)
        refusal = next((problem for problem in said if problem.state is State.REJECTED), None)
        if refusal is not None:
            retracts = refusal.code is Code.MARKING_ABOVE_CEILING
            would_claim = claims if retracts else ()
            return Admitted(arrival, (refusal,), stix_id=claims[0].id, retracts=retracts, would_claim=would_claim)
        warnings += (*normal.warnings, *said)
    hit = None if arrival.released else _first_hit(found, hold)
    if hit is not None:
        return Admitted(arrival, (hit.problem,), stix_id=claims[0].id, held_on=hit.list_name, would_claim=claims)
    return Admitted(arrival, tuple(warnings), claims, claims[0].id)


_OF_TEXT = frozenset({Code.JSON_DUPLICATE_KEY, Code.JSON_NESTING, Code.JSON_NOT_UTF8, Code.JSON_NUMBER})
"""What the text of a record is refused for although it may be read as far as a revocation needs."""


def _meant(said: str | None) -> str | None:
    """The id that a withdrawal names: serialisers of JSON quote it, people add blanks and capitals."""
    return None if said is None else small(said.strip().strip('"').strip())


def _revoked(arrival: Arrival, normal: Normal, policy: Policy, limits: Limits) -> Admitted:
    """A revocation is refused only where it is in another's name; whatever else is wrong with it is a warning."""
    said = admit(normal.obj, arrival.centre, policy, arrival.at_us, limits)
    refusals = [problem for problem in said if problem.state is State.REJECTED]
    for refusal in refusals:
        if refusal.code is Code.AUTHOR_IMPERSONATION:
            return Admitted(arrival, (refusal,), stix_id=normal.said_id)
    if refusals and not normal.only_revokes and (revokes := revocation(normal.obj)) is not None:
        normal = _revoking(revokes, refusals[0])
    warnings = (*normal.warnings, *(problem for problem in said if problem.state is not State.REJECTED))
    claim = _claim(normal, arrival)
    return Admitted(arrival, warnings, (claim,), claim.id, only_revokes=normal.only_revokes)


def _first_hit(found: Sequence[Normal], hold: Hold) -> Hit | None:
    return next((hit for normal in found if (hit := hold(normal.obj, normal.observables)) is not None), None)


def _claim(normal: Normal, arrival: Arrival) -> Claim:
    obj = normal.obj
    body = orjson.dumps(obj, option=orjson.OPT_SORT_KEYS)
    stix_id = StixId(normal.said_id)
    modified = obj.get("modified")
    return Claim(
        key=claim_key(arrival.centre.no, stix_id), centre=arrival.centre.no, id=stix_id, type=obj["type"],
        thing=normal.thing, modified_us=None if modified is None else parse_us(modified), stamp=arrival.stamp,
        since=arrival.stamp, state=ClaimState.REVOKED if obj.get("revoked") is True else ClaimState.LIVE,
        digest=digest_of(body), body=body, parsed=obj,
    )  # fmt: skip


# ---------------------------------------------------------------- what the store must say first


def keys_of(batch: Sequence[Admitted], policy: Policy) -> set[ClaimKey]:
    """The contributions that a batch may replace, and the centres' own definitions of markings that it names."""
    found: set[ClaimKey] = set()
    for one in batch:
        centre = one.arrival.centre.no
        found.update(claim.key for claim in (*one.claims, *one.would_claim))
        if one.stix_id is not None:
            found.add(claim_key(centre, one.stix_id))
        for claim in one.claims:
            found.update(claim_key(centre, ref) for ref in _own_markings(claim, policy))
    return found


def parts_behind(claims: Iterable[Claim]) -> set[ClaimKey]:
    """The parts of these contributions, which may have to go with them."""
    return {key for claim in claims for key in _parts_of(claim)}


def _parts_of(whole: Claim | None) -> list[ClaimKey]:
    """What may be claimed as a part of it: of observed-data that came without parts nothing is there under these."""
    if whole is None or whole.type != "observed-data" or not whole.body:
        return []
    return [claim_key(whole.centre, part_id(whole.id, ref)) for ref in whole.obj.get("object_refs", ())]


def issued_ids(batch: Sequence[Admitted]) -> set[StixId]:
    """References that may be ids that a collection made: they are read, on acceptance, as what they were made for."""
    return {ref for one in batch for claim in (*one.claims, *one.would_claim) for ref in perhaps_issued(claim)}


def held_ids(batch: Sequence[Admitted]) -> set[tuple[int, StixId]]:
    """Centres and ids of what may wait already, or was refused: what is held now, and what is taken back."""
    return {
        (one.arrival.centre.no, StixId(one.stix_id))
        for one in batch
        if one.stix_id is not None and (one.held_on or one.arrival.value is None)
    }


def _own_markings(claim: Claim, policy: Policy) -> list[StixId]:
    """Markings that only the centre itself can have defined."""
    return [ref for ref in claim.marks.others if ref not in policy.group_of_marking]


def claimed(batch: Sequence[Admitted], loaded: Loaded, policy: Policy) -> Claimed:
    """Which claim counts from now on under each key, and the one end of each arrival. ``loaded`` is the answer to
    ``keys_of`` with ``parts_behind``, ``issued_ids`` and ``held_ids``.
    """
    if loaded.issued:
        for one in batch:
            one.claims = tuple(read_as_keys(claim, loaded.issued) for claim in one.claims)
            one.would_claim = tuple(read_as_keys(claim, loaded.issued) for claim in one.would_claim)
    done = Claimed()
    now = dict(loaded.claims)
    waits = set(loaded.waits)
    for one in batch:
        at = (one.arrival.centre.no, StixId(one.stix_id or ""))
        outcome = _outcome(one, loaded, now, done, policy)
        if one.arrival.value is None and not one.problems and at in waits:  # it takes back what nobody has seen yet
            outcome = Outcome(one, State.ACCEPTED, _as_meant(one))
        done.outcomes.append(outcome)
        if one.held_on and outcome.state is State.HELD:
            waits.add(at)
        elif outcome.overtakes:
            waits.discard(at)
    return done


def _outcome(one: Admitted, loaded: Loaded, now: dict[ClaimKey, Claim], done: Claimed, policy: Policy) -> Outcome:
    before = loaded.claims
    if one.arrival.value is None and not one.problems:
        return _withdraw(one, before, now, done)
    stands = _stands_already(one, now)
    if stands is not None:
        return Outcome(one, State.UNCHANGED, (stands,))
    if one.claims:
        return _accept(one, before, now, done, policy)
    if _takes_back(one, now):
        _withdraw(one, before, now, done)
    refused = _was_refused(one, loaded.refused)
    if refused is not None:
        return Outcome(one, State.UNCHANGED, (refused,))
    return Outcome(one, one.problems[0].state if one.problems else State.REJECTED, one.problems)


def _put(claim: Claim, before: Mapping[ClaimKey, Claim], now: dict[ClaimKey, Claim], done: Claimed) -> None:
    now[claim.key] = claim
    done.changed[claim.key] = (before.get(claim.key), claim)


def _withdraw(one: Admitted, before: Mapping[ClaimKey, Claim], now: dict[ClaimKey, Claim], done: Claimed) -> Outcome:
    old = now.get(claim_key(one.arrival.centre.no, one.stix_id or ""))
    gone = None if old is None else withdrawal(old, one.arrival.stamp)
    if old is None or gone is None:
        says = f"You have nothing live under {cut(one.stix_id)}; nothing was withdrawn."
        return Outcome(one, State.UNCHANGED, (Problem(Code.WITHDRAWAL_UNKNOWN, "", says),))
    _put(gone, before, now, done)
    _withdraw_parts(_parts_of(old), one.arrival.stamp, before, now, done)
    return Outcome(one, State.ACCEPTED, _as_meant(one))


def _as_meant(one: Admitted) -> tuple[Problem, ...]:
    """What is said of a withdrawal that names an id in another spelling."""
    if one.arrival.value is not None or one.stix_id == one.arrival.stix_id:
        return ()
    says = f"{cut(one.arrival.stix_id)} was read as {cut(one.stix_id)}."
    return (Problem(Code.WITHDRAWAL_LENIENT, "", says),)


def _following(old: Claim | None, part: Claim) -> Claim | None:
    """The claim of a part whose whole counts from now on, whatever came between; None where it is as it was."""
    return newest(old, part if old is None else replace(part, stamp=max(part.stamp, old.stamp)))[0]


def _withdraw_parts(
    parts: Iterable[ClaimKey], stamp: Stamp, before: Mapping[ClaimKey, Claim], now: dict[ClaimKey, Claim], done: Claimed
) -> None:
    for key in parts:
        gone = withdrawal(now[key], max(stamp, now[key].stamp)) if key in now else None
        if gone is not None:
            _put(gone, before, now, done)


def _stands_already(one: Admitted, now: Mapping[ClaimKey, Claim]) -> Problem | None:
    """Why there is nothing to hold: an operator has released this very claim, or a newer one stands.

    A feed that sends all it has every day would otherwise ask the operator again about what was decided.
    """
    if one.retracts or not one.would_claim:
        return None
    replaces, code = newest(now.get(one.would_claim[0].key), one.would_claim[0])
    return None if replaces is not None or code is None else _said(code, one.would_claim[0])


def _was_refused(one: Admitted, refused: Set[tuple[int, StixId, bytes]]) -> Problem | None:
    """Why this is not asked again: an operator has refused this very claim."""
    if not one.held_on or (one.arrival.centre.no, one.would_claim[0].id, one.would_claim[0].digest) not in refused:
        return None
    says = f"An operator of this hub has refused this object ({one.problems[0].says.rstrip('.')}); it stays out."
    return Problem(Code.HELD_REFUSED, "", says)


def _takes_back(one: Admitted, now: Mapping[ClaimKey, Claim]) -> bool:
    """Whether nobody may see any more what stands: it is refused for its marking and would have replaced it, or it is
    held and would change who sees it, until the operator has decided.
    """
    if one.retracts:
        return newest(now.get(one.would_claim[0].key), one.would_claim[0])[0] is not None
    return any(
        old.state is not ClaimState.WITHDRAWN and old.marks != claim.marks
        for claim in one.would_claim
        if (old := now.get(claim.key)) is not None
    )


def _accept(
    one: Admitted, before: Mapping[ClaimKey, Claim], now: dict[ClaimKey, Claim], done: Claimed, policy: Policy
) -> Outcome:
    whole, *parts = one.claims
    old = now.get(whole.key)
    if one.only_revokes:
        whole = revoked(whole, old, one.arrival.centre.default_level)
    replaces, code = newest(old, whole)
    moved = [part for part in (_following(now.get(part.key), part) for part in parts) if part is not None]
    if replaces is None and code is Code.VERSION_SAME and moved:
        replaces, code = whole, Code.VERSION_NOT_INCREMENTED
    said = () if code is None else (_said(code, whole),)
    if replaces is None:
        return Outcome(one, State.UNCHANGED, said)
    for claim in (replaces, *moved):
        _put(claim, before, now, done)
    left_out = set(_parts_of(old)) - {part.key for part in parts}
    _withdraw_parts(sorted(left_out), one.arrival.stamp, before, now, done)
    trouble = None if one.only_revokes else _marking_trouble(whole, now, policy)
    if trouble is not None and whole.state is ClaimState.REVOKED:
        return Outcome(one, State.ACCEPTED, (*one.problems, *_revoking(whole.obj, trouble).warnings, *said))
    if trouble is not None:
        return Outcome(one, State.HELD, (trouble,))
    return Outcome(one, State.ACCEPTED, (*one.problems, *said))


def _marking_trouble(claim: Claim, now: Mapping[ClaimKey, Claim], policy: Policy) -> Problem | None:
    """What hides a claim from everyone until its centre defines its marking, or otherwise than it has."""
    if claim.marks.unreadable:
        says = "A label states a TLP that is no level of it; nobody sees this object until that is mended."
        return Problem(Code.MARKING_UNKNOWN, "/labels", says)
    for ref in _own_markings(claim, policy):
        at = "/object_marking_refs" if ref in claim.marks.own else "/granular_markings"
        definition = now.get(claim_key(claim.centre, ref))
        if definition is None or definition.state is ClaimState.WITHDRAWN:
            says = f"You have not defined the marking {cut(ref)}; nobody sees this object until you send it."
            return Problem(Code.MARKING_UNKNOWN, at, says)
        decided = decided_by(definition.obj)
        if not decided.readable:
            says = f"Your marking {cut(ref)} states a TLP that is no level of it, or nothing; nobody sees this object."
            return Problem(Code.MARKING_UNKNOWN, at, says)
        if decided.level is not None and decided.level > policy.centres[claim.centre].ceiling:
            says = (
                f"Your marking {cut(ref)} is TLP:{decided.level.label.upper()}, above your ceiling; nobody sees this."
            )
            return Problem(Code.MARKING_UNKNOWN, at, says)
    return None


def _said(code: Code, claim: Claim) -> Problem:
    says = {
        Code.VERSION_OLDER: "A newer version, or a withdrawal, stands already.",
        Code.VERSION_SAME: "The same claim stands already.",
        Code.VERSION_NOT_INCREMENTED: "It differs from the version before under the same modified, and counts.",
    }[code]
    return Problem(code, "/modified" if claim.modified_us is not None else "", says)
