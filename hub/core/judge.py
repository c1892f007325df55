"""Turns the bytes of one object into normalised objects: read, lift, validate, normalise, settle what granular markings
take. Independent of the source.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hub.core.encodings import utf8
from hub.core.granular import settled, taken_along
from hub.core.normalise import Normal, normalise
from hub.core.normalise.lift import lift
from hub.core.normalise.nothing import without_nothing
from hub.core.normalise.observed import part_id
from hub.core.read import read
from hub.core.records import split
from hub.core.revoke import revocation, revocation_in
from hub.core.validate import validate
from hub.model.problems import Code, Problem, cut
from hub.model.words import Limits, State, StixObject
from hub.patterns import key as key_of


def judge(value: bytes, limits: Limits) -> list[Normal] | Problem | tuple[Problem, str | None]:
    """Read, lift, validate and normalise one object. Returns the resulting objects or the first problem that refuses
    it; if the object could be read, the problem comes with its id.
    """
    obj = read(value, limits)
    if isinstance(obj, Problem):
        revokes = revocation_in(value) if len(value) <= limits.object_bytes else None
        return (obj, None) if revokes is None else [revoking(revokes, obj)]
    found = judge_object(obj, limits)
    return (found, id_of(obj)) if isinstance(found, Problem) else found


def judge_object(obj: StixObject, limits: Limits) -> list[Normal] | Problem:
    """Lift, validate and normalise one decoded object. Returns the resulting objects or the first problem that refuses
    it.

    A refused object is judged again without its empty properties. If it is still refused but is a revocation, only the
    revocation counts.
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
    return found if revokes is None else [revoking(revokes, found)]


def _says_nothing(left_out: Sequence[str]) -> Problem:
    named = ", ".join(cut(at[1:]) for at in left_out[:_NAMED])
    more = f" and {len(left_out) - _NAMED} more" if len(left_out) > _NAMED else ""
    says = f"Null and empty lists have no meaning; {named}{more} counted as left out."
    return Problem(Code.STIX_EMPTY_PROPERTY, left_out[0], says)


_NAMED = 5
"""How many empty properties a warning names."""


def revoking(revokes: StixObject, why: Problem) -> Normal:
    """A normalised object of which only the revocation counts, with a warning that gives the reason."""
    says = f"It is accepted only as a revocation of the version before: {why.says}"
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
        normal = _valid(one, limits)
        if isinstance(normal, Problem):
            return normal
        normal = settled(one, normal, lambda rest: _valid(rest, limits))
        if found:
            normal = taken_along(normal, found[0])
        found.append(normal if not found else replace(normal, said_id=part_id(found[0].said_id, normal.said_id)))
    if lifted is not None:
        says = "It came as STIX 2.0 and was lifted to STIX 2.1."
        found[0] = _warned(found[0], Problem(Code.STIX_LIFTED, "/spec_version", says))
    return found


def _valid(obj: StixObject, limits: Limits) -> Normal | Problem:
    """An object of STIX 2.1, validated and normalised; or the first problem that refuses it."""
    refused = next((problem for problem in validate(obj, limits) if problem.state is State.REJECTED), None)
    return normalise(obj, limits) if refused is None else refused


def id_of(obj: StixObject) -> str | None:
    """The id of an object that may be invalid; None if the id cannot be quoted."""
    stix_id = obj.get("id")
    return stix_id if isinstance(stix_id, str) and len(stix_id) <= 255 and stix_id.isprintable() else None


def check(value: bytes, limits: Limits) -> list[Problem]:
    """Check one object without a source and a hub: returns the problem that refuses it, or its warnings."""
    found = judge(value, limits)
    if isinstance(found, Problem):
        return [found]
    if isinstance(found, tuple):
        return [found[0]]
    return [warning for normal in found for warning in normal.warnings]


def objects_in(value: bytes, limits: Limits) -> list[bytes] | Problem:
    """The objects of a record, in UTF-8: a single object, or those of a bundle, an envelope or a list."""
    return split(utf8(value), limits)
