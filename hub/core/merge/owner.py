"""Views of what has an owner: one id, one claim shown whole. And of observables: a union, without versions.

Source: docs/semantics.md, section 6.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hub.core.merge.content import Content, content
from hub.core.merge.hubmade import external_references, marking_refs, merged_labels, uses_of_markings
from hub.core.merge.known import shown_author
from hub.core.merge.project import Projection
from hub.model.policy import Policy
from hub.model.times import DAY_US, exact_time, parse_us
from hub.model.words import Naming, StixId, StixObject

_OBSERVABLE_RULES = frozenset({"granular_markings", "object_marking_refs", "external_references", "labels"})


def owners_choice(visible: Sequence[Projection]) -> Projection:
    """The claim that is shown: of one author the own before the relayed; of several authors the one whom most centres
    name, then whose claim has stood longest; then greatest ``modified``, trust, content hash.
    """
    by_author: dict[str, list[Projection]] = {}
    for p in visible:
        by_author.setdefault(p.author or f"unknown {p.centre.no}", []).append(p)
    claims = min(
        by_author.values(),
        key=lambda some: (
            -len({p.centre.no for p in some}), min(p.since for p in some), _greatest(_best(some)),
        ),
    )  # fmt: skip
    return _best(claims)


def _best(claims: Sequence[Projection]) -> Projection:
    return min(claims, key=lambda p: (not p.own, _greatest(p)))


def _greatest(p: Projection) -> tuple[int, int, bytes]:
    return (-p.modified_us, -p.centre.trust, bytes(255 - byte for byte in p.digest))


def owners(chosen: Projection, obj: StixObject, policy: Policy, known: Iterable[StixId]) -> Content:
    """The content of an owner's object. ``obj`` is the chosen claim with its references as the collection shows them,
    ``known`` the objects of the hub among these.
    """
    made = {name: value for name, value in obj.items() if name != "granular_markings"}
    markings = marking_refs([chosen], policy)
    made["object_marking_refs"] = markings
    uses = [*uses_of_markings(markings, [chosen]), *known]
    if chosen.hides_times:
        made["created_by_ref"] = shown_author(chosen.centre, policy)
        uses.append(made["created_by_ref"])
        made.pop("external_references", None)
        made = _by_day(made)
    nameless = chosen.own and chosen.centre.naming is Naming.ANONYMOUS
    return content(obj["type"], made, uses=tuple(dict.fromkeys(uses)), own=None if nameless else obj)


def marking(chosen: Projection, obj: StixObject, known: Iterable[StixId]) -> Content:
    """The content of a marking-definition of a centre, which has no marking itself."""
    made = {name: value for name, value in obj.items() if name not in ("granular_markings", "object_marking_refs")}
    if chosen.hides_times:
        made.pop("created_by_ref", None)
        made.pop("external_references", None)
    return content("marking-definition", made, uses=tuple(known), own=obj)


def vouched(obj: StixObject) -> Content:
    """The content of an object that the hub itself vouches for."""
    author = obj.get("created_by_ref")
    return content(obj["type"], obj, uses=() if author is None else (author,), own=obj)


def _by_day(obj: StixObject) -> StixObject:
    found = dict(obj)
    for name, end in (
        ("valid_from", 0),
        ("start_time", 0),
        ("valid_until", DAY_US - 1000),
        ("stop_time", DAY_US - 1000),
    ):
        if name in found:
            us = parse_us(found[name])
            found[name] = exact_time(us - us % DAY_US + end)
    return found


def observable(ranked: Sequence[Projection], policy: Policy, known: Iterable[StixId]) -> Content:
    """The content of an observable's view: the union of the properties, best-ranked first."""
    made: StixObject = {}
    for p in ranked:
        for name, value in p.obj.items():
            if name not in _OBSERVABLE_RULES:
                made.setdefault(name, value)
    if labels := merged_labels(ranked):
        made["labels"] = labels
    if references := external_references(ranked):
        made["external_references"] = references
    markings = marking_refs(ranked, policy)
    made["object_marking_refs"] = markings
    uses = tuple(dict.fromkeys((*uses_of_markings(markings, ranked), *known)))
    return content(ranked[0].obj["type"], made, uses=uses, own={"id": made["id"]})
