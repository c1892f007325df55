"""The answers of a look-up, composed from what collections show. No I/O."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeVar

import orjson

from hub.model.extensions import VIEW_EXTENSION
from hub.model.markings import LEVEL_OF_ID, PAP_ORDER, stated_pap
from hub.model.problems import Problem
from hub.model.times import has_passed, taxii_time
from hub.model.words import CanonicalKey, Level, StixObject
from hub.patterns import Observable, canonical, digests_together, host_of
from hub.questions.around import RELATION_OF, RELATIONS, Relation
from hub.questions.naming import digest_path
from hub.store.thing_port import LookedUpView

MOST_OF_EACH = 50
"""How many entries of ``found``, of ``related``, and of each relation of ``within`` an answer has."""
ShownState = Literal["live", "expired", "withdrawn"]
_STATES: Sequence[ShownState] = ("live", "expired", "withdrawn")
Cut = Literal["found", "network", "name", "url", "related"]
T = TypeVar("T")

# ---------------------------------------------------------------- the answer


class ShownObject(NamedTuple):
    """What one collection shows, or last showed, of a thing. Of a withdrawn observable only its id is left."""

    collection: str
    id: str
    type: str
    state: ShownState
    changed: str
    """``date_added`` of its newest change."""
    confidence: int | None
    level: Level | None
    pap: str | None
    valid_from: str | None
    valid_until: str | None
    indicator_types: tuple[str, ...]
    labels: tuple[str, ...]
    sources: tuple[StixObject, ...]
    """As the object names them: ``name``, ``first``, ``last``."""
    voices: int | None
    sightings: int | None
    false_positives: int | None

    @property
    def rank(self) -> tuple[int, str, str, str]:
        """What is live comes first."""
        return _STATES.index(self.state), self.collection, self.type, self.id


class NearObject(NamedTuple):
    """Something live around a value; see ``hub.questions.around.Near``."""

    relation: Relation
    value: str
    shown: ShownObject


class RelatedDigest(NamedTuple):
    """Another digest of the same file, and the object that gives both."""

    digest: Observable
    shown: ShownObject


class LookedUp(NamedTuple):
    """The answer about one value."""

    asked: str
    meant: Observable
    """The likeliest reading of the text."""
    found: Sequence[ShownObject]
    within: Sequence[NearObject]
    related: Sequence[RelatedDigest]
    cut: Sequence[Cut]
    """Of what there is more than is named."""


# ---------------------------------------------------------------- what is looked for


class SoughtValue(NamedTuple):
    """One text as it was read."""

    asked: str
    readings: Sequence[Observable]
    """All that it may be, likeliest first; never empty."""
    covering: Sequence[Observable]
    """The networks and names that contain it, the narrowest first."""
    hosts: Sequence[str]
    """It as the host of URLs."""


class Sought(NamedTuple):
    """Several values that are looked for together."""

    each: Sequence[SoughtValue]
    values: Collection[Observable]
    """All of them, and what contains them."""
    things: Mapping[CanonicalKey, Observable]
    """The indicator and the observable of each of these."""


# ---------------------------------------------------------------- composing


@dataclass(slots=True)
class ShownIndex:
    """What collections show, by all that it is looked for with."""

    by_value: defaultdict[Observable, list[ShownObject]] = field(default_factory=lambda: defaultdict(list))
    by_host: defaultdict[str, list[tuple[str, ShownObject]]] = field(default_factory=lambda: defaultdict(list))
    by_digest: defaultdict[Observable, list[RelatedDigest]] = field(default_factory=lambda: defaultdict(list))


def shown_for(
    sought: Sought, views: Iterable[LookedUpView], names: Mapping[int, str], today_us: int | None
) -> ShownIndex:
    """What these views show of what is looked for. ``names``: of the collections, by number."""
    hosts = {host for one in sought.each for host in one.hosts}
    found, asserted = ShownIndex(), _Asserted()
    for view in views:
        obj: StixObject = orjson.loads(view.body) if view.body else {}
        shown = _shown_object(view, obj, names[view.collection], today_us)
        own = sought.things.get(view.thing)
        is_single = own is not None and own.kind != "file"
        values = () if is_single else asserted.of(view.thing, obj)
        for value in values if own is None else {own, *values}:
            if value in sought.values:
                found.by_value[value].append(shown)
            if hosts and value.kind == "url" and (host := host_of(value.value)) in hosts:
                found.by_host[host].append((value.value, shown))
        for group in () if is_single or shown.state == "withdrawn" else asserted.together(view.thing, obj):
            for value in group:
                if value in sought.values:
                    found.by_digest[value] += [RelatedDigest(other, shown) for other in group - {value}]
    return found


def answer_for(sought: SoughtValue, shown: ShownIndex) -> LookedUp:
    """The answer about one value."""
    cut: list[Cut] = []
    same = {id(one): one for value in sought.readings for one in shown.by_value.get(value, ())}
    found = _first(same.values(), lambda one: one.rank, "found", cut)
    near = _near(sought, shown)
    within = [
        each
        for relation in (RELATIONS if near else ())
        for each in _first([one for one in near if one.relation == relation], lambda _: 0, relation, cut)
    ]
    others = {(one.digest, id(one.shown)): one for value in sought.readings for one in shown.by_digest.get(value, ())}
    related = _first(
        others.values(), lambda one: (one.digest.path, one.digest.value, *one.shown.rank), "related", cut
    )  # fmt: skip
    return LookedUp(sought.asked, sought.readings[0], found, within, related, cut)


def _first(some: Collection[T], rank: Callable[[T], Any], what: Cut, cut: list[Cut]) -> Sequence[T]:
    ranked = sorted(some, key=rank) if len(some) > 1 else list(some)
    if len(ranked) > MOST_OF_EACH:
        cut.append(what)
    return ranked[:MOST_OF_EACH]


def _near(sought: SoughtValue, shown: ShownIndex) -> list[NearObject]:
    """What is live around a value, the narrowest first."""
    ranked = [
        (at, NearObject(RELATION_OF[value.kind], value.value, one))
        for at, value in enumerate(sought.covering)
        for one in shown.by_value.get(value, ())
        if one.state == "live"
    ]
    ranked += [
        (0, NearObject("url", value, one))
        for host in sought.hosts
        for value, one in shown.by_host.get(host, ())
        if one.state == "live"
    ]
    ranked.sort(key=lambda pair: (pair[0], pair[1].value, pair[1].shown.collection, pair[1].shown.id))
    return [one for _, one in ranked]


@dataclass(slots=True)
class _Asserted:
    """What objects say of values. A pattern is read once, though several collections show it."""

    _values: dict[CanonicalKey, Sequence[Observable]] = field(default_factory=dict)
    _together: dict[CanonicalKey, Sequence[frozenset[Observable]]] = field(default_factory=dict)

    def of(self, thing: CanonicalKey, obj: StixObject) -> Sequence[Observable]:
        """The values that an object asserts alone."""
        if not obj:
            return ()
        if obj["type"] != "indicator":
            return _values_of(obj)
        if obj.get("pattern_type") != "stix":
            return ()
        if thing not in self._values:
            pattern = obj["pattern"]
            read = canonical(pattern, limit_chars=2 * len(pattern) + 1)
            self._values[thing] = () if isinstance(read, Problem) else read.asserted
        return self._values[thing]

    def together(self, thing: CanonicalKey, obj: StixObject) -> Sequence[frozenset[Observable]]:
        """The digests that an object gives to one file."""
        if obj.get("type") == "file":
            return (frozenset(_values_of(obj)),)
        if obj.get("pattern_type") != "stix":
            return ()
        if thing not in self._together:
            self._together[thing] = digests_together(obj["pattern"])
        return self._together[thing]


def _values_of(obj: StixObject) -> Sequence[Observable]:
    """The values of an observable that is shown."""
    kind = obj["type"]
    if kind == "file":
        digests = (obj.get("hashes") or {}).items()
        return [Observable(kind, digest_path(name), one) for name, one in digests if isinstance(one, str)]
    value = obj.get("value")
    return (Observable(kind, "value", value),) if isinstance(value, str) else ()


def _shown_object(view: LookedUpView, obj: StixObject, collection: str, today_us: int | None) -> ShownObject:
    said = (obj.get("extensions") or {}).get(VIEW_EXTENSION) or {}
    levels = [LEVEL_OF_ID[ref] for ref in obj.get("object_marking_refs") or () if ref in LEVEL_OF_ID]
    labels = tuple(obj.get("labels") or ())
    paps = [pap for pap in map(stated_pap, labels) if pap is not None]
    return ShownObject(
        collection=collection,
        id=view.object_id,
        type=view.type,
        state=_state(view, obj, today_us),
        changed=taxii_time(view.dated_us),
        confidence=obj.get("confidence"),
        level=max(levels) if levels else None,
        pap=PAP_ORDER[max(paps)].lower() if paps else None,
        valid_from=obj.get("valid_from"),
        valid_until=obj.get("valid_until"),
        indicator_types=tuple(obj.get("indicator_types") or ()),
        labels=labels,
        sources=tuple(said.get("sources") or ()),
        voices=said.get("voices"),
        sightings=said.get("sightings"),
        false_positives=said.get("false_positives"),
    )


def _state(view: LookedUpView, obj: StixObject, today_us: int | None) -> ShownState:
    if not view.alive or obj.get("revoked") is True:
        return "withdrawn"
    return "expired" if has_passed(obj.get("valid_until"), today_us) else "live"
