"""Merges claims into views that the hub makes: indicators, and relationships between things that merge.

Source: docs/semantics.md, section 5 (the rule of each property) and section 6.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import orjson

from hub.core.merge.asserted import Asserted, asserted_by
from hub.core.merge.content import LEADING, Content, content
from hub.core.merge.feedback import NO_FEEDBACK, Feedback
from hub.core.merge.known import uses_of_extensions
from hub.core.merge.project import Projection, no_stricter, view_groups
from hub.core.merge.unnamed import marking_in, marking_name
from hub.core.merge.voices import confidence, voices
from hub.model.extensions import VIEW_EXTENSION
from hub.model.markings import PAP_ORDER, TLP_IDS, UnreadableMarking, stated_level, stated_pap
from hub.model.policy import Policy, Widths
from hub.model.times import exact_time, parse_us, stix_time
from hub.model.words import GroupName, Level, StixId, StixObject, derived_id

_MERGED = frozenset(
    {
        "confidence", "created_by_ref", "description", "extensions", "external_references",
        "indicator_types", "kill_chain_phases", "labels", "lang", "name", "object_marking_refs", "pattern",
        "pattern_type", "pattern_version", "relationship_type", "revoked", "source_ref", "start_time", "stop_time",
        "target_ref", "valid_from", "valid_until",
    }
) | LEADING  # fmt: skip
"""Properties with a rule of their own. Any other property is taken from the best-ranked projection that has it."""


def indicator(
    live: Sequence[Projection], revoked: Sequence[Projection], policy: Policy, feedback: Feedback = NO_FEEDBACK
) -> Content:
    """The content of an indicator's view. ``live``: at least one projection that counts. ``revoked``: visible claims
    that were revoked. ``feedback``: what may be shown of it.
    """
    ranked = sorted(live, key=lambda p: p.rank)
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
    due = [p.validity.due_day for p in ranked if p.validity.due_day is not None]
    return replace(
        _merged("indicator", made, ranked, revoked, policy, more, about.kinds), due_day=min(due, default=None)
    )


def relationship(
    live: Sequence[Projection], revoked: Sequence[Projection], policy: Policy, source: StixId, target: StixId
) -> Content:
    """The content of a merged relationship's view. ``source`` and ``target``: the ids of its ends in the collection."""
    ranked = sorted(live, key=lambda p: p.rank)
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
    return _merged("relationship", made, ranked, revoked, policy, {}, ())


def _merged(
    kind: str,
    made: StixObject,
    ranked: Sequence[Projection],
    revoked: Sequence[Projection],
    policy: Policy,
    more: StixObject,
    kinds: tuple[str, ...],
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
    extensions: dict[str, Any] = {}
    for p in ranked:
        for name, value in (p.obj.get("extensions") or {}).items():
            extensions.setdefault(name, value)  # a source's content under the hub's own id is overwritten below
        for name, value in p.obj.items():
            if name not in _MERGED:
                made.setdefault(name, value)
    extensions[VIEW_EXTENSION] = {
        "extension_type": "property-extension",
        "sources": sources(ranked),
        "voices": len(by_voice),
        "floor": floor(ranked).label,
        **({"revoked_by": gone} if gone else {}),
        **more,
    }
    made["extensions"] = extensions
    uses = (policy.hub_identity, *uses_of_extensions(made), *markings.uses)
    return content(kind, made, uses=uses, kinds=kinds)


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


def _states_tlp(label: str) -> bool:
    try:
        return stated_level(label) is not None
    except UnreadableMarking:
        return True


def merged_labels(ranked: Sequence[Projection]) -> list[str]:
    """The sorted union of the labels, with only the strictest label that states a PAP and none that state a TLP."""
    labels = {label for p in ranked for label in p.obj.get("labels") or ()}
    if not labels and all(p.marked_pap is None for p in ranked):
        return []
    strictest = max((pap for p in ranked if (pap := p.pap) is not None), default=None)
    return sorted(with_pap((label for label in labels if not _states_tlp(label)), strictest))


def with_pap(labels: Iterable[str], pap: int | None) -> list[str]:
    """The labels with this PAP as the only one; ``pap``: an index into ``PAP_ORDER``, or None for no PAP."""
    kept = [label for label in labels if stated_pap(label) is None]
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
    vouched = [TLP_IDS[level], *sorted(policy.groups[name].marking for name in groups)]
    names = {(marking_name(ref, p.source), p.source.no) for p in ranked for ref in p.statements}
    statements = sorted({shown_marking(name, policy) for name, _ in names})
    uses = sorted(f"{name}@{source}" for name, source in names)
    return ViewMarkings(level, groups, [*vouched, *statements], (*vouched, *uses))


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
    found = []
    by_source: dict[int, list[Projection]] = {}
    for p in ranked:
        by_source.setdefault(p.source.no, []).append(p)
    for claims in by_source.values():
        source = claims[0].source
        first = min(_time_us(p, "created") for p in claims)
        last = max(_time_us(p, "modified") for p in claims)
        exact = source.naming.value == "named"
        found.append(
            {
                "name": source.shown_name,
                "first": stix_time(first) if exact else stix_time(first)[:10],
                "last": stix_time(last) if exact else stix_time(last)[:10],
            }
        )
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
