"""Merges claims into views that the hub makes: indicators, and relationships between things that merge.

Source: docs/semantics.md, section 5 (the rule of each property) and section 6.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from hub.core.merge.asserted import Asserted, asserted_by
from hub.core.merge.content import LEADING, Content, content
from hub.core.merge.feedback import NO_FEEDBACK, Feedback
from hub.core.merge.known import uses_of_extensions
from hub.core.merge.project import Projection, no_stricter, view_groups
from hub.core.merge.reach import strictest
from hub.core.merge.unnamed import marking_in, marking_name
from hub.core.merge.voices import confidence, voices
from hub.model.extensions import VIEW_EXTENSION
from hub.model.markings import PAP_ORDER, TLP_IDS, stated_by
from hub.model.policy import Policy, Source, Widths
from hub.model.times import exact_time, parse_us, stix_time
from hub.model.words import GroupName, Level, Naming, StixId, StixObject, derived_id

_MERGED = frozenset(
    {
        "confidence", "created_by_ref", "description", "extensions", "external_references",
        "indicator_types", "kill_chain_phases", "labels", "lang", "name", "object_marking_refs", "pattern",
        "pattern_type", "pattern_version", "relationship_type", "revoked", "source_ref", "start_time", "stop_time",
        "target_ref", "valid_from", "valid_until",
    }
) | LEADING  # fmt: skip
"""Properties with a rule of their own. Any other property is taken from the best-ranked projection that has it."""

_DATE_CHARS = len("2026-01-31")


def indicator(
    live: Sequence[Projection], revoked: Sequence[Projection], policy: Policy, feedback: Feedback = NO_FEEDBACK
) -> Content:
    """The content of an indicator's view. ``live``: at least one projection that counts. ``revoked``: visible claims
    that were revoked. ``feedback``: what may be shown of it.
    """
    ranked = _ranked(live)
    best = ranked[0].obj
    made: StixObject = {"created_by_ref": policy.hub_identity}
    made.update(_text(ranked, "name", "description", "lang"))
    about = asserted_by(best)
    observables = _observables(about, _widest_blocked(ranked))
    if "name" not in made and len(observables) == 1:
        made["name"] = f"{observables[0]['type']} {observables[0]['value']}"
    made.update(_unions(ranked, "indicator_types", "kill_chain_phases"))
    made["pattern"] = best["pattern"]
    made["pattern_type"] = best["pattern_type"]
    if "pattern_version" in best:
        made["pattern_version"] = best["pattern_version"]
    start_us = min(_time_us(p, "valid_from") for p in ranked)
    made["valid_from"] = exact_time(start_us)
    ends = [p.validity.end_us for p in ranked]
    if None not in ends:  # of two times within one microsecond the second is still the later one (section 4.7)
        made["valid_until"] = exact_time(max(start_us + 1, *(end for end in ends if end is not None)))
    more: StixObject = {"observables": observables} if observables else {}
    if feedback.sightings:
        more["sightings"] = in_steps(feedback.sightings)
    if feedback.false_positives:
        more["false_positives"] = in_steps(feedback.false_positives)
    due = min([p.validity.due_day for p in ranked if p.validity.due_day is not None], default=None)
    return _merged("indicator", made, ranked, revoked, policy, more, about.kinds, due)


def relationship(
    live: Sequence[Projection], revoked: Sequence[Projection], policy: Policy, source: StixId, target: StixId
) -> Content:
    """The content of a merged relationship's view. ``source`` and ``target``: the ids of its ends in the collection."""
    ranked = _ranked(live)
    made: StixObject = {
        "created_by_ref": policy.hub_identity,
        "relationship_type": ranked[0].obj["relationship_type"],
        **_text(ranked, "description", "description", "lang"),
        "source_ref": source,
        "target_ref": target,
    }
    starts = [us for p in ranked if (us := _said_us(p, "start_time")) is not None]
    if starts:
        made["start_time"] = exact_time(min(starts))
    stops = [_said_us(p, "stop_time") for p in ranked]
    if None not in stops:
        stop_us = max(stop for stop in stops if stop is not None)
        if not starts or stop_us > min(starts):
            made["stop_time"] = exact_time(stop_us)
    return _merged("relationship", made, ranked, revoked, policy, {})


def _ranked(live: Sequence[Projection]) -> Sequence[Projection]:
    return sorted(live, key=lambda p: p.rank) if len(live) > 1 else live


def _merged(
    kind: str,
    made: StixObject,
    ranked: Sequence[Projection],
    revoked: Sequence[Projection],
    policy: Policy,
    more: StixObject,
    kinds: tuple[str, ...] = (),
    due_day: int | None = None,
) -> Content:
    by_voice = voices(ranked, policy.source_of_identity)
    labels = merged_labels(ranked)
    if labels:
        made["labels"] = labels
    sure = confidence(by_voice)
    if sure is not None:
        made["confidence"] = sure
    references = external_references(ranked)
    if references:
        made["external_references"] = references
    markings = view_markings(ranked, policy)
    made["object_marking_refs"] = markings.refs
    gone = sum(no_stricter(p, markings.level, markings.groups) for p in revoked)
    extensions = _without_rule(made, ranked)
    extensions[VIEW_EXTENSION] = {  # instead of what a source may say under the hub's own id
        "extension_type": "property-extension",
        "sources": sources(ranked),
        "voices": len(by_voice),
        "floor": floor(ranked).label,
        **({"revoked_by": gone} if gone else {}),
        **more,
    }
    made["extensions"] = extensions
    uses = (policy.hub_identity, *uses_of_extensions(made), *markings.uses)
    return content(kind, made, uses=uses, kinds=kinds, due_day=due_day)


def _without_rule(made: StixObject, ranked: Sequence[Projection]) -> dict[str, Any]:
    """Add the properties without a rule of their own; returns the extensions."""
    extensions: dict[str, Any] = {}
    for p in ranked:
        for name, value in (p.obj.get("extensions") or {}).items():
            extensions.setdefault(name, value)
        for name, value in p.obj.items():
            if name not in _MERGED:
                made.setdefault(name, value)
    return extensions


def in_steps(count: int) -> int:
    """The greatest of 1, 2, 5, 10, 20, 50 … up to ``count``, 0 below 1: an exact count would reveal who was there."""
    step, last = 1, 0
    while True:
        for factor in (1, 2, 5):
            if step * factor > count:
                return last
            last = step * factor
        step *= 10


# ---------------------------------------------------------------- rules shared by several kinds of view


def _text(ranked: Sequence[Projection], leading: str, description: str, lang: str) -> StixObject:
    """``leading``, description and language of the best-ranked that has it; the description may be another's."""
    found: StixObject = {}
    first = next((p.obj for p in ranked if leading in p.obj), None)
    if first is not None:
        found = {name: first[name] for name in (leading, description, lang) if name in first}
    if description not in found:
        other = next((p.obj for p in ranked if description in p.obj), None)
        if other is not None:
            found[description] = other[description]
            if first is None and lang in other:  # a view has one language
                found[lang] = other[lang]
    return found


def _unions(ranked: Sequence[Projection], *names: str) -> StixObject:
    found: StixObject = {}
    for name in names:
        if len(ranked) == 1:
            values = ranked[0].obj.get(name)
            if not values:
                continue
        else:
            values = [value for p in ranked for value in p.obj.get(name) or ()]
        if values:
            found[name] = _sorted_union(values)
    return found


def _sorted_union(values: Sequence[Any]) -> list[Any]:
    """The distinct values, sorted by canonical JSON."""
    if len(values) < 2:  # the usual case
        return list(values)
    by_text = {orjson.dumps(value, option=orjson.OPT_SORT_KEYS): value for value in values}
    return [by_text[text] for text in sorted(by_text)]


def merged_labels(ranked: Sequence[Projection]) -> list[str]:
    """The sorted union of the labels, with only the strictest label that states a PAP and none that state a TLP."""
    labels = {label for p in ranked for label in p.obj.get("labels") or ()}
    return sorted(with_pap([label for label in labels if not stated_by(label).is_tlp], [p.marked_pap for p in ranked]))


def with_pap(labels: Iterable[str], marked: Iterable[int | None]) -> list[str]:
    """The labels with the strictest PAP that one of them or a marking states as the only one. ``marked``: the PAPs of
    markings, as indices into ``PAP_ORDER``; None for no PAP.
    """
    stated = [(label, stated_by(label).pap) for label in labels]  # an owner's object may have one label twice
    kept, pap = [label for label, pap in stated if pap is None], strictest(*(pap for _, pap in stated), *marked)
    return kept if pap is None else [*kept, f"PAP:{PAP_ORDER[pap]}"]


def external_references(ranked: Sequence[Projection]) -> list[Any]:
    """The sorted union."""
    return _sorted_union([reference for p in ranked for reference in p.obj.get("external_references") or ()])


class ViewMarkings(NamedTuple):
    """The markings of a view."""

    level: Level
    """The strictest level of its claims."""
    groups: tuple[GroupName, ...]
    """See ``view_groups``."""
    refs: list[StixId]
    """``object_marking_refs``: the TLP, the groups, and the statements."""
    uses: tuple[str, ...]
    """The same in the form of ``Content.uses``: each statement with the source whose definition this view uses."""


def view_markings(ranked: Sequence[Projection], policy: Policy) -> ViewMarkings:
    """The markings of a view of these projections."""
    level, groups = max(p.level for p in ranked), view_groups(ranked)
    vouched = _vouched(level, groups, policy)
    names = {(marking_name(ref, p.source), p.source.no) for p in ranked for ref in p.statements}
    if not names:
        return ViewMarkings(level, groups, [*vouched], vouched)
    statements = sorted({shown_marking(name, policy) for name, _ in names})
    uses = sorted(f"{name}@{source}" for name, source in names)
    return ViewMarkings(level, groups, [*vouched, *statements], (*vouched, *uses))


@lru_cache(maxsize=256)
def _vouched(level: Level, groups: tuple[GroupName, ...], policy: Policy) -> tuple[StixId, ...]:
    """The markings that the hub defines for a level and groups."""
    return TLP_IDS[level], *sorted(policy.groups[name].marking for name in groups)


def shown_marking(name: str, policy: Policy) -> StixId:
    """The id under which a source's marking-definition is shown; ``name``: see ``marking_name``."""
    marking = marking_in(name)
    return marking if name == marking else derived_id("marking-definition", policy.namespace, f"marking {name}")


def floor(ranked: Sequence[Projection]) -> Any:
    """The lowest level among the claims without a group restriction; if there are none, among all claims."""
    free = [p.level for p in ranked if not p.restrictions]
    return min(free or [p.level for p in ranked])


def sources(ranked: Sequence[Projection]) -> list[StixObject]:
    """The name of each source, with the first and the last time of its claims; as days if the source is not shown by
    name.
    """
    times: dict[int, tuple[Source, int, int]] = {}
    for p in ranked:
        source, first_us, last_us = p.source, _time_us(p, "created"), _time_us(p, "modified")
        if source.no in times:
            _, other_first_us, other_last_us = times[source.no]
            first_us, last_us = min(first_us, other_first_us), max(last_us, other_last_us)
        times[source.no] = source, first_us, last_us
    found = []
    for source, first_us, last_us in times.values():
        chars = None if source.naming is Naming.NAMED else _DATE_CHARS
        first, last = stix_time(first_us)[:chars], stix_time(last_us)[:chars]
        found.append({"name": source.shown_name, "first": first, "last": last})
    return sorted(found, key=lambda source: (source["name"], source["first"], source["last"]))


def _time_us(p: Projection, name: str) -> int:
    return parse_us(p.obj[name])


def _said_us(p: Projection, name: str) -> int | None:
    said = p.obj.get(name)
    return None if said is None else parse_us(said)


def _widest_blocked(ranked: Sequence[Projection]) -> Widths:
    """The widest networks that lists made for blocking take on the word of one of the sources."""
    trusted = [p.source.widest_blocked for p in ranked]
    return Widths(min(one.ipv4 for one in trusted), min(one.ipv6 for one in trusted))


def _observables(about: Asserted, widest: Widths) -> list[StixObject]:
    """The values that a pattern asserts positively and alone; networks wider than ``widest`` say so."""
    return [
        {"type": one.kind, "path": one.path, "value": one.value, **({"wide": True} if width.exceed(widest) else {})}
        for one, width in about.values
    ]
