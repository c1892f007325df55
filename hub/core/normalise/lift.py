"""Converts STIX 2.0 objects to STIX 2.1. Source: the STIX 2.1 specification, appendix "Revision history" and sections 4
to 7, compared with those of STIX 2.0.

The result is deterministic: where 2.1 requires a random UUID, it is derived from the input.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.core.normalise.observed import lift_container
from hub.core.normalise.vocabulary import OPEN_VOCABULARIES, canonical_word
from hub.model.markings import LEVEL_OF_ID, TLP_IDS
from hub.model.problems import Code, Problem, cut
from hub.model.stix_types import Family, stix_type
from hub.model.words import StixObject
from hub.patterns import canonical

_TYPES_OF_LABELS: Mapping[str, str] = {
    "indicator": "indicator_types",
    "malware": "malware_types",
    "report": "report_types",
    "threat-actor": "threat_actor_types",
    "tool": "tool_types",
}
"""Types whose ``labels`` held an open vocabulary in STIX 2.0, and the property that holds it in 2.1."""

_SAYS_2_1 = frozenset(
    {"pattern_type", "pattern_version", "is_family", "confidence", "lang", "extensions", *_TYPES_OF_LABELS.values()}
)
"""Properties that STIX 2.0 did not have: an object with one of them is 2.1 and merely lacks ``spec_version``."""


def lift(obj: StixObject) -> list[StixObject] | Problem | None:
    """Convert an object of STIX 2.0 to STIX 2.1 objects; None if there is nothing to convert.

    Returns one object, or for observed-data with embedded objects that object followed by the embedded ones. If the
    first is refused, so are the others. Properties that 2.1 dropped are kept in an extension. An object without
    ``spec_version`` is 2.0 unless it is an observable (section 3.2). Returns a Problem if it cannot be converted;
    never raises. ``validate`` checks the result.
    """
    version = obj.get("spec_version")
    kind = obj.get("type")
    if type(kind) is not str or (version == "2.1" and not _has_container(obj)):
        return None
    if version not in ("2.0", "2.1", None) or ("spec_version" in obj and version is None):
        says = f"{cut(version)} is not a supported version; use 2.1 or 2.0."
        return Problem(Code.STIX_SPEC_VERSION, "/spec_version", says)
    if version is None and (stix_type(kind).family is Family.OBSERVABLE or "created" not in obj):
        return None
    if version != "2.1" and (problem := _not_2_0(obj, kind)):
        return problem
    return _lifted(obj, kind)


def _has_container(obj: StixObject) -> bool:
    """Whether it is observed-data with embedded objects. 2.1 deprecates them, so they are separated there too."""
    return obj.get("type") == "observed-data" and type(obj.get("objects")) is dict and "object_refs" not in obj


def _not_2_0(obj: StixObject, kind: str) -> Problem | None:
    """Why an object without ``spec_version`` 2.1 cannot be a 2.0 object either."""
    if stix_type(kind).since_2_1:
        return Problem(Code.STIX_SPEC_VERSION, "", f'STIX 2.0 has no {kind}; say "spec_version": "2.1".')
    if "spec_version" not in obj and (new := sorted(_SAYS_2_1 & obj.keys())):
        says = f'Without spec_version this is STIX 2.0, which has no {new[0]}; say "spec_version": "2.1".'
        return Problem(Code.STIX_SPEC_VERSION, "", says)
    return None


def _lifted(obj: StixObject, kind: str) -> list[StixObject] | Problem:
    lifted = {**obj, "spec_version": "2.1"}
    if obj.get("spec_version") != "2.1":
        _lift_labels(lifted, kind)
        _lift_markings(lifted)
        if kind == "indicator" and (problem := _lift_pattern(lifted)):
            return problem
        if kind == "malware":
            # 2.0 has no such property; its other properties describe a single sample
            lifted.setdefault("is_family", False)
        elif kind == "marking-definition":
            _name_tlp(lifted)
    if not _has_container(lifted):
        return [lifted]
    return lift_container(lifted, is_2_0=obj.get("spec_version") != "2.1")


def _lift_pattern(lifted: StixObject) -> Problem | None:
    """Convert the pattern to the grammar and names of 2.1: all patterns of 2.0 were STIX patterns."""
    lifted.setdefault("pattern_type", "stix")
    pattern = lifted.get("pattern")
    if lifted["pattern_type"] != "stix" or type(pattern) is not str or not pattern:
        return None
    found = canonical(pattern, spec_version="2.0")
    if isinstance(found, Problem):
        return found
    lifted["pattern"] = found.text
    lifted["pattern_version"] = "2.1"
    return None


def _lift_labels(lifted: StixObject, kind: str) -> None:
    """Move the labels from the type's open vocabulary to its property; other labels remain."""
    name, labels = _TYPES_OF_LABELS.get(kind), lifted.get("labels")
    if name is None or type(labels) is not list or not all(type(label) is str for label in labels):
        return
    words = OPEN_VOCABULARIES[name]
    types: list[str] = []
    kept: list[str] = []
    moves: dict[int, tuple[str, int]] = {}
    for index, label in enumerate(labels):
        word = canonical_word(name, label)
        holder, into, text = (name, types, word) if word in words else ("labels", kept, label)
        if text not in into:
            into.append(text)
        moves[index] = (holder, into.index(text))
    if not types:
        return
    lifted.pop("labels")
    if kept:
        lifted["labels"] = kept
    lifted[name] = types
    _move_selectors(lifted, moves, name)


def _move_selectors(lifted: StixObject, moves: Mapping[int, tuple[str, int]], name: str) -> None:
    """Update granular markings for the labels that moved: otherwise a marked label would no longer be marked."""
    markings = lifted.get("granular_markings")
    if type(markings) is not list:
        return
    places = {f"labels.[{old}]": f"{holder}.[{new}]" for old, (holder, new) in moves.items()}
    whole = [one for one in ("labels", name) if one in lifted]
    lifted["granular_markings"] = [
        {**marking, "selectors": _moved(marking["selectors"], places, whole)}
        if type(marking) is dict and type(marking.get("selectors")) is list
        else marking
        for marking in markings
    ]


def _moved(selectors: list[Any], places: Mapping[str, str], whole: list[str]) -> list[Any]:
    moved: list[Any] = []
    for selector in selectors:
        if selector == "labels":
            moved += whole
        else:
            moved.append(places.get(selector, selector) if type(selector) is str else selector)
    return moved


def _lift_markings(lifted: StixObject) -> None:
    """Replace references to TLP 1.0 with TLP 2.0, in object and granular markings."""
    refs = lifted.get("object_marking_refs")
    if type(refs) is list:
        lifted["object_marking_refs"] = _each_once([_tlp2(ref) for ref in refs])
    markings = lifted.get("granular_markings")
    if type(markings) is list:
        lifted["granular_markings"] = [
            {**one, "marking_ref": _tlp2(one["marking_ref"])} if type(one) is dict and "marking_ref" in one else one
            for one in markings
        ]


def _each_once(values: list[Any]) -> list[Any]:
    return [value for index, value in enumerate(values) if value not in values[:index]] if len(values) < 100 else values


def _tlp2(ref: Any) -> Any:
    level = LEVEL_OF_ID.get(ref) if type(ref) is str else None
    return ref if level is None else TLP_IDS[level]


def _name_tlp(lifted: StixObject) -> None:
    """Add the name that the four TLP 1.0 definitions have in 2.1 (section 7.2.1.4)."""
    definition = lifted.get("definition")
    word = definition.get("tlp") if type(definition) is dict else None
    if lifted.get("definition_type") == "tlp" and type(word) is str:
        lifted.setdefault("name", f"TLP:{word.upper()}")
