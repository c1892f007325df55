"""MUST rules that the tables cannot express: selectors, TLP 1.0 definitions, CVE ids, random UUIDs. Each function names
its section.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hub.core.validate.common import LANGUAGE_TAG
from hub.core.validate.kinds import AnyOf
from hub.core.validate.observables import OBSERVABLES
from hub.core.validate.rules import Holds, Trouble
from hub.model.problems import Code, cut
from hub.model.selectors import selects
from hub.model.stix_types import STIX_TYPES, StixType

TLP1_IDS: Mapping[str, str] = {
    "white": "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9",
    "green": "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da",
    "amber": "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82",
    "red": "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed",
}
"""STIX 2.1, section 7.2.1.4: the only four definitions of type ``tlp``."""

_REFERENCE_IDS = {
    "cve": re.compile(r"CVE-\d{4}-(?:0\d{3}|[1-9]\d{3,})").fullmatch,
    "capec": re.compile(r"CAPEC-\d+").fullmatch,
}
_language = re.compile(LANGUAGE_TAG).fullmatch
_property_name = re.compile(r"[a-z][a-z0-9_]{2,249}|id").fullmatch


def selectors_select(obj: dict[str, Any]) -> list[Trouble] | None:
    """Each selector of a granular marking must select something in the object (section 7.2.3.1)."""
    markings = obj.get("granular_markings")
    if type(markings) is not list:
        return None
    troubles = []
    for index, marking in enumerate(markings):
        selectors = marking.get("selectors") if type(marking) is dict else None
        for place, selector in enumerate(selectors if type(selectors) is list else ()):
            if type(selector) is str and not selects(obj, selector):
                at = f"/granular_markings/{index}/selectors/{place}"
                says = f"{cut(selector)} selects nothing in the object."
                troubles.append(Trouble(Code.STIX_MARKING, at, says))
    return troubles or None


def references_are_named(obj: dict[str, Any]) -> list[Trouble] | None:
    """A reference to CVE or CAPEC must have an id of that scheme (sections 4.1 and 4.19)."""
    references = obj.get("external_references")
    if type(references) is not list:
        return None
    troubles = []
    for index, reference in enumerate(references):
        source = reference.get("source_name") if type(reference) is dict else None
        if type(source) is not str or source not in _REFERENCE_IDS:
            continue
        external_id = reference.get("external_id")
        if not (type(external_id) is str and _REFERENCE_IDS[source](external_id)):
            at = f"/external_references/{index}/external_id"
            says = f"{cut(external_id)} is not an id of {source}, such as {_EXAMPLES[source]}."
            troubles.append(Trouble(Code.STIX_VALUE, at, says))
    return troubles or None


_EXAMPLES = {"cve": "CVE-2024-3094", "capec": "CAPEC-163"}


def _marks_no_self(obj: dict[str, Any]) -> list[Trouble] | None:
    """A marking definition must not mark itself (section 7.2)."""
    refs = obj.get("object_marking_refs")
    granular = obj.get("granular_markings")
    marks = [*refs] if type(refs) is list else []
    if type(granular) is list:
        marks += [one.get("marking_ref") for one in granular if type(one) is dict]
    if obj.get("id") in marks:
        return [Trouble(Code.STIX_MARKING, "/object_marking_refs", "A marking definition cannot mark itself.")]
    return None


def _is_a_known_tlp(obj: dict[str, Any]) -> list[Trouble] | None:
    """A definition of type ``tlp`` must be one of the four of the specification, unchanged (section 7.2.1.4)."""
    if obj.get("definition_type") != "tlp":
        return None
    definition = obj.get("definition")
    word = definition.get("tlp") if type(definition) is dict else None
    if type(word) is str and TLP1_IDS.get(word) == obj.get("id"):
        return None
    says = f"A TLP definition {cut(word)} under this id is none of the four of STIX; refer to theirs, or to TLP 2.0's."
    return [Trouble(Code.STIX_MARKING, "/definition", says)]


def _states_something(obj: dict[str, Any]) -> list[Trouble] | None:
    """A definition of type ``statement`` must have a statement (section 7.2.1.3)."""
    if obj.get("definition_type") != "statement":
        return None
    definition = obj.get("definition")
    if type(definition) is not dict or type(definition.get("statement")) is str:
        return None
    return [Trouble(Code.STIX_REQUIRED, "/definition", "A statement marking needs a statement, a string.")]


def _names_properties_for_the_top(obj: dict[str, Any]) -> list[Trouble] | None:
    """Only top-level extensions may list the properties that they add (section 7.3)."""
    types = obj.get("extension_types")
    if "extension_properties" not in obj or type(types) is not list or "toplevel-property-extension" in types:
        return None
    says = "extension_properties is for extensions of the type toplevel-property-extension."
    return [Trouble(Code.STIX_VALUE, "/extension_properties", says)]


def _speaks_languages(obj: dict[str, Any]) -> list[Trouble] | None:
    """The contents must be keyed by RFC 5646 tag, then by property (section 7.1)."""
    contents = obj.get("contents")
    if type(contents) is not dict:
        return None
    troubles = []
    for tag, texts in contents.items():
        if not _language(tag):
            troubles.append(Trouble(Code.STIX_VALUE, "/contents", f"{cut(tag)} is not an RFC 5646 language tag."))
        troubles += [
            Trouble(Code.STIX_PROPERTY_NAME, "/contents", f"{cut(name)} is not the name of a property.")
            for name in (texts if type(texts) is dict else ())
            if not _property_name(name)
        ]
    return troubles or None


def _observes_objects(obj: dict[str, Any]) -> list[Trouble] | None:
    """Each object in the deprecated ``objects`` must have a type (section 4.14)."""
    objects = obj.get("objects")
    if type(objects) is not dict:
        return None
    untyped = [key for key, one in objects.items() if type(one) is dict and type(one.get("type")) is not str]
    if untyped:
        return [Trouble(Code.STIX_TYPE, "/objects", f"The observed object {cut(untyped[0])} has no type.")]
    return None


def _may_lack_all(row: StixType) -> bool:
    """Whether an observable of this type may lack all properties that determine its id (section 2.9)."""
    table, names = OBSERVABLES[row.name], frozenset(row.id_from)
    one_of = (rule.names for rule in table.rules if isinstance(rule, AnyOf))
    return names.isdisjoint(table.required) and not any(names.issuperset(needed) for needed in one_of)


def _random_id(row: StixType) -> Holds:
    kind, contributing = row.name, row.id_from

    def holds(obj: dict[str, Any]) -> list[Trouble] | None:
        stix_id = obj.get("id")
        if type(stix_id) is not str or any(name in obj for name in contributing):
            return None
        if stix_id[-22:-21] != "4":
            says = (
                f"Without {', '.join(contributing) or 'a value that names it'} a {kind} has a random UUID (version 4)."
            )
            return [Trouble(Code.STIX_ID, "/id", says)]
        return None

    return holds


SPECIAL: Mapping[str, tuple[Holds, ...]] = {
    "marking-definition": (_marks_no_self, _is_a_known_tlp, _states_something),
    "extension-definition": (_names_properties_for_the_top,),
    "language-content": (_speaks_languages,),
    "observed-data": (_observes_objects,),
    **{name: (_random_id(STIX_TYPES[name]),) for name in OBSERVABLES if _may_lack_all(STIX_TYPES[name])},
}
"""The rules of one type that its table cannot express."""

EVERYWHERE: tuple[Holds, ...] = (selectors_select, references_are_named)
"""Rules for all objects that have the property concerned."""
