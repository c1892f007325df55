"""What is shown around a value: networks that contain an address, names above a name, URLs on a host."""

from __future__ import annotations

from collections.abc import Collection as Some
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from hub.model.policy import Collection
from hub.model.problems import Problem
from hub.model.times import parse_us
from hub.model.words import CanonicalKey, StixId, StixObject
from hub.patterns import Observable, canonical, covering, host_key, host_of, value_candidates, value_key
from hub.questions.naming import things_of
from hub.store.thing_port import ThingReader

MOST_NEAR = 50
"""How many of each relation are named."""
_MOST_THINGS = 200
"""Things that are read for each relation; more are only said to be there."""
_MOST_VALUES = 4
Relation = Literal["network", "name", "url"]
RELATION_OF: Mapping[str, Relation] = {"ipv4-addr": "network", "ipv6-addr": "network", "domain-name": "name"}
RELATIONS: Sequence[Relation] = ("network", "name", "url")
_BY_VALUE = ("ipv4-addr", "ipv6-addr", "domain-name", "url")


@dataclass(frozen=True, slots=True)
class Near:
    """Something live that a collection shows around a value."""

    relation: Relation
    """``network`` or ``name``: it contains the value, or the host of the URL; ``url``: it is on the host."""
    value: str
    collection: Collection
    id: StixId
    type: str
    confidence: int | None


@dataclass(frozen=True, slots=True)
class Around:
    """All of it that a caller may see."""

    near: tuple[Near, ...] = ()
    """The narrowest first."""
    cut: tuple[Relation, ...] = ()
    """The relations of which there is more than is named."""


def values_asked(asked: str, patterns: Iterable[str]) -> list[Observable]:
    """The values whose surroundings a question is about: the value itself, or those that the found patterns assert."""
    found = dict.fromkeys(one for one in value_candidates(asked) if one.kind in _BY_VALUE)
    for pattern in patterns if not found else ():
        read = canonical(pattern)
        if not isinstance(read, Problem):
            found.update(dict.fromkeys(one for one in read.asserted if one.kind in _BY_VALUE))
    return list(found)[:_MOST_VALUES]


async def around(
    things: ThingReader, collections: Sequence[Collection], values: Sequence[Observable], today_us: int | None
) -> Around:
    """What these collections show around these values, without what has ended before ``today_us``."""
    by_no = {collection.no: collection for collection in collections}
    wanted = dict.fromkeys(found for one in values for found in covering(one))
    hosts = {one.value for one in values if one.kind != "url" and "/" not in one.value}
    found: list[Near] = []
    cut: set[Relation] = set()
    for keys, known in (
        ([value_key(one.value) for one in wanted], {thing for one in wanted for thing in things_of(one)}),
        ([host_key(host) for host in hosts], set[CanonicalKey]()),
    ):
        more = await things.asserting(keys, by_no, _MOST_THINGS + 1) if keys else []
        if len(more) > _MOST_THINGS:
            cut.update(("url",) if not known else ("network", "name"))
        for shown in await things.shown({*known, *more[:_MOST_THINGS]}, by_no):
            if not shown.view.alive or not shown.body:
                continue
            obj = orjson.loads(shown.body)
            if not _has_ended(obj, today_us):
                names = _near(obj, wanted, hosts if not known else ())
                at, confidence = by_no[shown.view.collection], obj.get("confidence")
                found += [
                    Near(relation, value, at, shown.view.object_id, shown.view.type, confidence)
                    for relation, value in names
                ]
    return _bounded(found, [one.value for one in wanted], cut)


def _has_ended(obj: StixObject, today_us: int | None) -> bool:
    end = obj.get("valid_until")
    return obj.get("revoked") is True or (end is not None and today_us is not None and parse_us(end) <= today_us)


def _near(obj: StixObject, wanted: Some[Observable], hosts: Some[str]) -> list[tuple[Relation, str]]:
    """The relations and values with which an object is near: those that it asserts alone."""
    return [
        (RELATION_OF.get(one.kind, "url"), one.value)
        for one in _asserted(obj)
        if one in wanted or (one.kind == "url" and host_of(one.value) in hosts)
    ]


def _asserted(obj: StixObject) -> Sequence[Observable]:
    if obj["type"] == "indicator":
        found = canonical(obj["pattern"]) if obj.get("pattern_type") == "stix" else None
        return () if found is None or isinstance(found, Problem) else found.asserted
    value: Any = obj.get("value")
    return (Observable(obj["type"], "value", value),) if isinstance(value, str) else ()


def _bounded(found: Iterable[Near], narrowest: Sequence[str], cut: set[Relation]) -> Around:
    order = {value: at for at, value in enumerate(narrowest)}
    ranked = sorted(
        set(found),
        key=lambda one: (
            RELATIONS.index(one.relation), order.get(one.value, 0), one.value, one.collection.name, one.id,
        ),
    )  # fmt: skip
    kept: list[Near] = []
    for relation in RELATIONS:
        of_relation = [one for one in ranked if one.relation == relation]
        kept += of_relation[:MOST_NEAR]
        if len(of_relation) > MOST_NEAR:
            cut.add(relation)
    return Around(tuple(kept), tuple(relation for relation in RELATIONS if relation in cut))
