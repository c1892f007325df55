"""Turns what a source reports about a thing, named by value, pattern or id, into STIX objects of that source.

A thing that the source may not see is treated like one that is not there: the object refers to it all the same, and
waits. Source: docs/semantics.md, section 10.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from hub.model.errors import Refused
from hub.model.extensions import VIEW_EXTENSION
from hub.model.feedback import WORDS, Verdict
from hub.model.markings import TLP_IDS
from hub.model.policy import Collection, Policy, Source
from hub.model.principals import Principal
from hub.model.problems import Problem, cut
from hub.model.stix_types import SCO_TYPES, stix_type
from hub.model.times import exact_time, parse_us, stix_time
from hub.model.words import Level, StixId, StixObject, derived_id
from hub.patterns import Observable, canonical, pattern_key, value_candidates
from hub.questions.naming import is_stix_id, pattern_of
from hub.store.port import Store


@dataclass(frozen=True, slots=True)
class ThingName:
    """How a thing is named: by exactly one of value, id and pattern."""

    value: str | None = None
    """In any spelling, defanged too."""
    id: str | None = None
    pattern: str | None = None
    kind: str | None = None
    """The STIX type of a value that may be of several."""


@dataclass(frozen=True, slots=True)
class SightingReport:
    """A source has seen a thing. Times are RFC 3339 text."""

    of: ThingName
    count: int = 1
    first_seen: str | None = None
    last_seen: str | None = None
    note: str | None = None
    level: Level | None = None
    """None: the source's default level."""


@dataclass(frozen=True, slots=True)
class VerdictReport:
    """What a source thinks of a thing."""

    of: ThingName
    verdict: Verdict
    reason: str | None = None
    level: Level | None = None


@dataclass(frozen=True, slots=True)
class _Thing:
    name: str
    """Identifies it, for the id of the report."""
    ref: StixId
    """The id that STIX requires in the report; replaced by the thing itself if there is a pattern."""
    pattern: str | None


async def as_objects(
    store: Store,
    principal: Principal,
    collections: Sequence[Collection],
    reports: Sequence[SightingReport | VerdictReport],
    now_us: int,
) -> list[StixObject]:
    """A sighting or an opinion for each report. Its id is derived from the source and the thing, so that a later report
    of the same kind replaces it.

    ``collections``: those under whose ids the principal may name things. Raises Refused for a name that cannot be read.
    """
    policy = await store.policy()
    source = policy.sources[principal.no]
    found = []
    for index, report in enumerate(reports):
        thing = await _thing(store, collections, policy, report.of, index)
        found.append(_object(report, thing, source, policy, now_us, index))
    return found


# ---------------------------------------------------------------- what is named


async def _thing(
    store: Store, collections: Sequence[Collection], policy: Policy, named: ThingName, index: int
) -> _Thing:
    if named.id is None:
        return _of_pattern(_pattern(named, index), policy, index)
    stix_id = named.id.strip().lower()
    if not is_stix_id(stix_id):
        raise _refused(index, f"{cut(named.id)} is not a STIX id.", "Give an id that a collection shows, or a value.")
    shown = await _shown(store, collections, StixId(stix_id))
    pattern = None if shown is None else _pattern_of(shown)
    if pattern is not None:
        return _of_pattern(pattern, policy, index)
    if stix_id.partition("--")[0] in SCO_TYPES:
        raise _refused(index, f"{cut(stix_id)} is the id of an observable.", "Give its value instead.")
    return _Thing(stix_id, StixId(stix_id), None)


def _pattern(named: ThingName, index: int) -> str:
    if named.pattern is not None:
        return named.pattern
    candidates = value_candidates(named.value or "")
    found = next((one for one in candidates if named.kind in (None, one.kind)), None)
    if found is None:
        kinds = ", ".join(dict.fromkeys(one.kind for one in candidates))
        way_out = f"Its type may be {kinds}." if kinds else "Write an address, name, URL or hash, or a pattern."
        kind = "a value" if named.kind is None else f"a value of the type {cut(named.kind)}"
        raise _refused(index, f"{cut(named.value)} cannot be read as {kind}.", way_out)
    return pattern_of(found)


def _of_pattern(said: str, policy: Policy, index: int) -> _Thing:
    found = canonical(said)
    if isinstance(found, Problem):
        raise _refused(index, found.says, "Give a STIX pattern, or a value.")
    name = pattern_key("stix", found.text).hex()
    return _Thing(name, derived_id("indicator", policy.namespace, f"feedback {name}"), found.text)


async def _shown(store: Store, collections: Sequence[Collection], stix_id: StixId) -> StixObject | None:
    """What one of these collections shows, or last showed, under an id."""
    numbers = [collection.no for collection in collections]
    views = await store.things.views_under(stix_id, numbers)
    if not views:
        return None
    shown = await store.things.shown([view.thing for view in views], numbers)
    return next((orjson.loads(one.body) for one in shown if one.body), None)


def _pattern_of(obj: StixObject) -> str | None:
    """The pattern of an indicator, or that of an observable with one value or one digest."""
    if obj["type"] == "indicator":
        return str(obj["pattern"]) if obj["pattern_type"] == "stix" else None
    value = obj.get(stix_type(obj["type"]).value)
    if isinstance(value, str):
        return pattern_of(Observable(obj["type"], stix_type(obj["type"]).value, value))
    hashes = sorted((obj.get("hashes") or {}).items()) if obj["type"] == "file" else []
    best = next((one for name in ("SHA-256", "SHA-1", "MD5") for one in hashes if one[0] == name), None)
    return None if best is None else pattern_of(Observable("file", f"hashes.'{best[0]}'", best[1]))


def _refused(index: int, says: str, way_out: str) -> Refused:
    return Refused("feedback.thing", f"Report {index + 1}: {says}", way_out)


# ---------------------------------------------------------------- the objects


def _object(
    report: SightingReport | VerdictReport, thing: _Thing, source: Source, policy: Policy, now_us: int, index: int
) -> StixObject:
    kind = "sighting" if isinstance(report, SightingReport) else "opinion"
    obj: StixObject = {
        "type": kind,
        "spec_version": "2.1",
        "id": derived_id(kind, policy.namespace, f"{kind} {source.no} {thing.name}"),
        "created": stix_time(min(source.created_us, now_us)),
        "modified": stix_time(now_us),
        "created_by_ref": source.identity,
        **(_sighting(report, thing, index) if isinstance(report, SightingReport) else _opinion(report, thing)),
    }
    if report.level is not None:
        obj["object_marking_refs"] = [TLP_IDS[report.level]]
    if thing.pattern is not None:
        obj["extensions"] = {VIEW_EXTENSION: {"extension_type": "property-extension", "about": thing.pattern}}
    return obj


def _sighting(report: SightingReport, thing: _Thing, index: int) -> dict[str, Any]:
    times = {"first_seen": report.first_seen, "last_seen": report.last_seen}
    found: dict[str, Any] = {"sighting_of_ref": thing.ref, "count": report.count}
    for name, said in times.items():
        if said is not None:
            try:
                found[name] = exact_time(parse_us(said))
            except ValueError:
                raise _refused(
                    index, f"{name} {cut(said)} is not a time.", "Write it as 2026-01-31T12:00:00Z."
                ) from None
    return found | ({"description": report.note} if report.note else {})


def _opinion(report: VerdictReport, thing: _Thing) -> dict[str, Any]:
    found: dict[str, Any] = {"object_refs": [thing.ref], "opinion": WORDS[report.verdict]}
    if report.verdict is not Verdict.CONFIRMED:
        found["labels"] = [report.verdict.value]
    return found | ({"explanation": report.reason} if report.reason else {})
