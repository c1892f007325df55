"""Sources, policies, claims and projections made small, for tests of one part of the core at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson

from hub.core.arrivals import Arrival
from hub.core.granular import settled
from hub.core.hold import Hit
from hub.core.merge.newest import newest
from hub.core.merge.project import Projection, decision_of, project
from hub.core.merge.reach import Decided, reach
from hub.core.merge.runs import runs_on
from hub.core.normalise import Normal, normalise
from hub.core.normalise.lift import lift
from hub.core.validate import validate
from hub.model.claims import Claim, ClaimState, claim_key, digest_of
from hub.model.event_log import INTAKE_PREFIX
from hub.model.policy import Audience, Collection, Group, Policy, Source, Widths
from hub.model.problems import Code, Problem
from hub.model.times import parse_us
from hub.model.words import (
    COMMUNITY,
    NETWORK,
    PUBLIC,
    CollectionName,
    GroupName,
    Level,
    Limits,
    SourceName,
    Stamp,
    StixId,
    StixObject,
    Withdrawal,
    stamp_of,
)
from hub.patterns import Observable
from tests.story import NAMESPACE, SECOND_US, START_US, TakesBack, marking_of, uid

HEALTH = GroupName("health")
GROUPS = (PUBLIC, COMMUNITY, NETWORK, HEALTH)
AUDIENCES = tuple(Audience(level, group) for level in Level for group in GROUPS)
"""Every one that there can be with these groups."""
EVERYBODY, MEMBERS, CENTRES = (
    Audience(Level.CLEAR, PUBLIC),
    Audience(Level.GREEN, COMMUNITY),
    Audience(Level.AMBER_STRICT, NETWORK),
)
HUB = StixId(f"identity--{uid('hub')}")


def a_source(no: int = 1, **more: Any) -> Source:
    return Source(no, SourceName(f"c{no}"), StixId(f"identity--{uid('source', no)}"), "RO", START_US, **more)


def a_policy(*sources: Source, audiences: Sequence[Audience] = (EVERYBODY, MEMBERS, CENTRES)) -> Policy:
    """A policy with a collection, from number 1, for each of the audiences."""
    groups = {name: Group(name, marking_of(name), START_US) for name in GROUPS}
    collections = {
        no: Collection(no, CollectionName(f"a{no}"), uid("collections", no), audience)
        for no, audience in enumerate(audiences, 1)
    }
    return Policy(1, NAMESPACE, HUB, START_US, {source.no: source for source in sources}, groups, collections)


def a_stamp(second: float = 0, offset: int = 0) -> Stamp:
    """Of a record that came some seconds after the start."""
    return stamp_of(START_US + int(second * SECOND_US), 0, offset)


def a_claim(source: Source, obj: StixObject, second: float = 0) -> Claim:
    """What a source has claimed some seconds after the start, whether or not it may."""
    lifted = lift(dict(obj))
    obj = lifted[0] if isinstance(lifted, list) else obj
    normal = normalise(obj, Limits())
    assert isinstance(normal, Normal), normal
    normal = settled(obj, normal, _again)
    body = orjson.dumps(normal.obj, option=orjson.OPT_SORT_KEYS)
    stix_id, modified, at = StixId(normal.said_id), obj.get("modified"), a_stamp(second)
    return Claim(
        claim_key(source.no, stix_id), source.no, stix_id, obj["type"], normal.thing,
        None if modified is None else parse_us(modified), at, at,
        ClaimState.REVOKED if obj.get("revoked") is True else ClaimState.LIVE, digest_of(body), body,
    )  # fmt: skip


def _again(obj: StixObject) -> Normal | Problem:
    return next(iter(validate(obj, Limits())), None) or normalise(obj, Limits())


def following(old: Claim | None, new: Claim, policy: Policy) -> Claim:
    """What a source claims when a version has come after another, or none, under the policy of that time."""
    counts, _ = newest(old, new)
    if old is None or counts is None:
        return old or new
    return replace(counts, since=runs_on(old, counts, policy))


def seen(
    claim: Claim,
    policy: Policy,
    audience: Audience = CENTRES,
    definitions: Mapping[tuple[int, str], Claim] | None = None,
) -> Projection | None:
    """What an audience sees of a claim."""

    def deciding(source: int, marking: StixId) -> Decided:
        return decision_of((definitions or {}).get((source, marking)))

    return project(claim, audience, policy, reach(claim, policy, deciding))


def projection(policy: Policy, no: int, obj: StixObject, second: float = 0, **how: Any) -> Projection:
    """What ``seen`` gives of an object that the source of this number claims, for an audience that sees it."""
    found = seen(a_claim(policy.sources[no], obj, second), policy, **how)
    assert found is not None
    return found


# ---------------------------------------------------------------- from what is sent


def an_arrival(source: Source, said: Any, second: float = 0, *, released: Code | None = None) -> Arrival:
    """An object, bytes as they are, an id to withdraw softly, or what is taken back, as it has come some seconds after
    the start.
    """
    how = Withdrawal.SOFT
    if isinstance(said, TakesBack):
        said, how = said.stix_id, said.how
    value = None if isinstance(said, str) else said if isinstance(said, bytes) else orjson.dumps(said)
    stix_id, at_us = said if isinstance(said, str) else None, START_US + int(second * SECOND_US)
    topic = INTAKE_PREFIX + source.name
    return Arrival(
        source, value, stix_id, a_stamp(second), at_us, topic, 0, 0, 0, None, withdrawal=how, released=released
    )


def held_if_named(obj: StixObject, _: Sequence[Observable], __: Widths) -> Hit | None:
    """A list that holds every object whose name or description says "held"."""
    if "held" not in f"{obj.get('name')} {obj.get('description')}":
        return None
    return Hit(Problem(Code.LIST_HIT, "/name", "It is on the list l. It waits for an operator."), "l")
