"""Views of objects with an owner, which show one claim whole, and of observables, which are a union without versions.

Source: docs/semantics.md, section 6.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hub.core.merge.content import Content, content
from hub.core.merge.hubmade import external_references, merged_labels, shown_marking, view_markings, with_pap
from hub.core.merge.known import shown_author, uses_of_extensions
from hub.core.merge.project import Projection
from hub.core.merge.unnamed import day_of, marking_name
from hub.model.extensions import VIEW_EXTENSION
from hub.model.observable_ids import deterministic_id
from hub.model.policy import Policy
from hub.model.stix_types import Clash, Excludes, InOrder, stix_type
from hub.model.times import parse_us
from hub.model.words import StixId, StixObject, derived_id

_NOT_OF_MARKINGS = frozenset({"modified", "object_marking_refs"})
_OBSERVABLE_RULES = frozenset({"object_marking_refs", "external_references", "labels"})


def owners_choice(visible: Sequence[Projection], pins: Mapping[StixId, StixId]) -> Projection:
    """The claim that is shown. Claims of centres come before those of members. Of these the author is chosen first: the
    one to whom the operator has pinned the id, then the one named by most sources in live claims (in revoked ones if
    none is live), then the one whose live claim has been visible longest. Of one author's claims, its own comes before
    relayed ones; then the greatest ``modified``, trust and content digest count, and finally source and id, because
    equal objects may use different markings.
    """
    visible = [p for p in visible if p.source.is_centre] or visible
    if (pinned := pins.get(visible[0].of[1])) is not None:
        visible = [p for p in visible if _is_by(p, pinned)] or visible
    by_author: dict[str, list[Projection]] = {}
    for p in visible:
        by_author.setdefault(p.author or f"unknown {p.source.no}", []).append(p)
    if len(by_author) == 1:
        return _best(visible)
    any_live = any(not p.revoked for p in visible)
    claims = min(
        by_author.values(),
        key=lambda some: (
            -len({p.source.no for p in some if not (any_live and p.revoked)}),
            min((p.since for p in some if not p.revoked), default=_NEVER),
            _greatest(_best(some)),
        ),
    )
    return _best(claims)


def _is_by(p: Projection, author: StixId) -> bool:
    """Whether a claim is an author's, or comes from that source and states no author."""
    return p.author == author or (p.author is None and p.source.identity == author)


_NEVER = b"\xff"
"""Greater than every stamp."""


def _best(claims: Sequence[Projection]) -> Projection:
    return min(claims, key=lambda p: (not p.own, _greatest(p))) if len(claims) > 1 else claims[0]


def _greatest(p: Projection) -> tuple[int, int, int, str, str]:
    return (-p.modified_us, -p.source.trust, -int.from_bytes(p.digest), p.source.identity, p.of[1])


def attributed(chosen: Projection, policy: Policy) -> StixObject:
    """The chosen claim, with the author that may be shown: another one if the source is not shown by name."""
    if not (chosen.unnamed and chosen.own):
        return chosen.obj
    return {**chosen.obj, "created_by_ref": shown_author(chosen.source, policy)}


def owners(chosen: Projection, obj: StixObject, policy: Policy, known: Iterable[StixId]) -> Content:
    """The content of an owner's object. ``obj``: the chosen claim after ``attributed``, with the references that the
    collection shows. ``known``: the objects of the hub among these references.
    """
    made = dict(without_hubs_word(obj))
    if chosen.marked_pap is not None:
        made["labels"] = with_pap(made.get("labels") or (), [chosen.marked_pap])
    markings = view_markings([chosen], policy)
    made["object_marking_refs"] = markings.refs
    uses = [*markings.uses, *uses_of_extensions(made), *known]
    return content(obj["type"], made, uses=tuple(dict.fromkeys(uses)), own=None if chosen.unnamed else obj)


def marking(chosen: Projection, obj: StixObject, policy: Policy, known: Iterable[StixId]) -> Content:
    """The content of a source's marking-definition, which has no marking itself."""
    made = without_hubs_word({name: value for name, value in obj.items() if name not in _NOT_OF_MARKINGS})
    made["id"] = shown_marking(marking_name(chosen.of[1], chosen.source), policy)
    if chosen.unnamed:
        made.pop("created_by_ref", None)
        made["created"] = day_of(made["created"])
        if "definition" not in made and "extensions" not in made:  # STIX 2.1, section 7.2.1: one of them is required
            made |= {"definition_type": "statement", "definition": {"statement": made.get("name", "A marking")}}
    return content("marking-definition", made, uses=(*uses_of_extensions(made), *known), own=made)


def without_hubs_word(obj: StixObject) -> StixObject:
    """The object without the extension that only the hub may write."""
    extensions = obj.get("extensions")
    if not extensions or VIEW_EXTENSION not in extensions:
        return obj
    rest = {name: value for name, value in extensions.items() if name != VIEW_EXTENSION}
    return {**obj, "extensions": rest} if rest else {k: v for k, v in obj.items() if k != "extensions"}


def vouched(obj: StixObject) -> Content:
    """The content of an object that the hub itself defines."""
    author = obj.get("created_by_ref")
    return content(obj["type"], obj, uses=() if author is None else (author,), own=obj)


def observable(ranked: Sequence[Projection], policy: Policy, known: Iterable[StixId]) -> Content:
    """The content of an observable's view: the union of the properties; the best-ranked claim wins."""
    clashes = stix_type(ranked[0].obj["type"]).clashes
    made: StixObject = {}
    for p in ranked:
        for name, value in p.obj.items():
            if name in _OBSERVABLE_RULES or name in made:
                continue
            if not any(_clashes(made, name, value, rule) for rule in clashes):
                made[name] = value
    made = without_hubs_word(made)
    if labels := merged_labels(ranked):
        made["labels"] = labels
    if references := external_references(ranked):
        made["external_references"] = references
    markings = view_markings(ranked, policy)
    made["object_marking_refs"] = markings.refs
    uses = tuple(dict.fromkeys((*markings.uses, *uses_of_extensions(made), *known)))
    if all(p.unnamed for p in ranked) and deterministic_id(made) != made["id"]:  # the id would reveal hidden values
        made["id"] = derived_id(made["type"], policy.namespace, f"observable {made['id']}", version=4)
    return content(made["type"], made, uses=uses, own={"id": made["id"]})


def _clashes(made: StixObject, name: str, value: Any, rule: Clash) -> bool:
    """Whether a property of one claim conflicts with those of better-ranked ones (STIX 2.1, section 6)."""
    match rule:
        case Excludes(first, other, when) if name == first:
            return other in made and (when is None or value is when)
        case Excludes(first, other, when) if name == other:
            return first in made and (when is None or made[first] is when)
        case InOrder(first, last, strictly) if name == last:
            return first in made and _are_reversed(made[first], value, strictly=strictly)
        case InOrder(first, last, strictly) if name == first:
            return last in made and _are_reversed(value, made[last], strictly=strictly)
        case _:
            return False


def _are_reversed(first: str, last: str, *, strictly: bool) -> bool:
    begins_us, ends_us = parse_us(first), parse_us(last)
    return ends_us < begins_us or (strictly and ends_us == begins_us)
