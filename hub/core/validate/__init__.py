"""Checks decoded objects of all types against the MUST rules of STIX 2.1; returns problems with codes.

The rules are tables (``objects``, ``observables``, ``common``). Each type's table is compiled to one function when the
first object of that type arrives, because compiling all at import would delay the start of every process. Patterns are
parsed in ``hub/patterns``, rights are checked in ``hub/core/admit``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from hub.core.validate.checks import (
    BINARY,
    HEX_PATTERN,
    PROPERTY_NAME,
    TYPE_NAME,
    UUID,
    Check,
    anything,
    compile_shape,
    under,
)
from hub.core.validate.common import PROPERTIES, REQUIRED, SAME_EVERYWHERE, VERSIONED_RULES
from hub.core.validate.kinds import ObjectType
from hub.core.validate.objects import OBJECTS
from hub.core.validate.observables import OBSERVABLES
from hub.core.validate.rules import Trouble
from hub.core.validate.special import EVERYWHERE, SPECIAL
from hub.model.problems import Code, Problem, cut
from hub.model.stix_types import Family, stix_type
from hub.model.words import Limits, StixObject

__all__ = ["RESERVED_PROPERTIES", "TYPES", "custom_properties", "validate"]

TYPES: Mapping[str, ObjectType] = {**OBJECTS, **OBSERVABLES}
"""Every type that STIX 2.1 defines, except the bundle."""

RESERVED_PROPERTIES = frozenset({"severity", "action", "username", "phone_numbers"})
"""Names that no custom property may have (section 11.1 reserves them; ``action`` as stix2-validator reads it)."""

_RESERVED_TYPES = frozenset({"action"})
_MOST_PROBLEMS = 20
"""Maximum problems reported for one object: one with 2,000 wrong labels needs no 2,000 messages."""

_type_name = re.compile(TYPE_NAME).fullmatch
_property_name = re.compile(PROPERTY_NAME).fullmatch
_base64 = re.compile(BINARY).fullmatch
_hexadecimal = re.compile(HEX_PATTERN).fullmatch


def validate(obj: StixObject, limits: Limits) -> list[Problem]:
    """The problems of an object by the MUST rules of STIX 2.1; empty if it is valid. At most 20 problems.

    Objects of STIX 2.0 must be lifted first. Custom types and properties are accepted where the specification allows
    them: with well-formed names, valid common properties, and no null.
    """
    kind = obj.get("type")
    if type(kind) is str and kind in TYPES:
        check = _standard_check(kind)
    else:
        if wrong := _wrong_type(obj):
            return wrong
        check = _custom(str(kind), observable="created" not in obj and "modified" not in obj)
    troubles = check(obj)
    if kind == "indicator" and (long := _too_long(obj, limits)):
        troubles.append(long)
    return [Problem(*trouble) for trouble in troubles[:_MOST_PROBLEMS]] if troubles else []


def _wrong_type(obj: StixObject) -> list[Problem] | None:
    """What is wrong with the type of an object whose type is not in ``TYPES``; None if it is a custom type."""
    kind = obj.get("type")
    if "type" not in obj:
        says = next((says for name, says in _OTHER_FORMATS.items() if name in obj), "The property type is missing.")
        return [Problem(Code.STIX_REQUIRED, "", says)]
    if kind == "bundle":
        if type(obj.get("objects")) is list:
            says = "Bundles may be nested three deep, and this one is deeper; send its objects themselves."
            return [Problem(Code.BUNDLE_TOO_DEEP, "/type", says)]
        says = "The objects of a bundle are a list of STIX objects."
        return [Problem(Code.BUNDLE_INVALID, "/objects", says)]
    if type(kind) is not str or not 3 <= len(kind) <= 250 or not _type_name(kind) or kind in _RESERVED_TYPES:
        says = f"{cut(kind)} is not a type: 3 to 250 of a-z, 0-9 and single hyphens, beginning with a letter."
        return [Problem(Code.STIX_TYPE, "/type", says)]
    return None


_OTHER_FORMATS = {
    "Event": "This is a MISP event, not STIX: export it as STIX 2.1, or convert it with misp-stix.",
    "document": "This is not a STIX object but a document, such as one of CSAF: convert it to STIX 2.1.",
}
"""Messages for other formats, by a top-level property that identifies them."""


def _too_long(obj: StixObject, limits: Limits) -> Trouble | None:
    pattern = obj.get("pattern")
    if type(pattern) is str and len(pattern) > limits.pattern_chars:
        says = f"The pattern has {len(pattern):,} characters, the limit is {limits.pattern_chars:,}."
        return Trouble(Code.PATTERN_TOO_LONG, "/pattern", says)
    return None


ObjectCheck = Callable[[StixObject], list[Trouble]]


def _compile(table: ObjectType, family: Family, type_pattern: str) -> ObjectCheck:
    """Compile the check of a type. ``type_pattern`` matches the part of its ids before the two hyphens."""
    common = {name: kind for name, kind in PROPERTIES[family].items() if name not in table.without}
    needed = tuple(name for name in REQUIRED[family] if name not in table.without)
    rules = table.rules if family is Family.OBSERVABLE else (*VERSIONED_RULES, *table.rules)
    properties = {**SAME_EVERYWHERE, **common, **table.properties}
    shape = compile_shape(properties, ("type", "id", *needed, *table.required), rules)
    checks = {**shape.checks, "type": _no_check, "id": _id_check(type_pattern), "spec_version": _spec_version}
    required, holds = shape.required, (*shape.rules, *EVERYWHERE, *SPECIAL.get(table.name, ()))

    def check(obj: StixObject) -> list[Trouble]:
        troubles: list[Trouble] = []
        for name, value in obj.items():
            one = checks.get(name)
            wrong = one(value) if one is not None else _custom_property(name, value)
            if wrong is not None:
                troubles += under(name, wrong)
        if not required <= obj.keys():
            troubles += shape.missing(obj)
        for rule in holds:
            if found := rule(obj):
                troubles += found
        return troubles

    return check


def _no_check(_: Any) -> None:
    return None


def _id_check(type_pattern: str) -> Check:
    matches = re.compile(f"{type_pattern}--{UUID}").fullmatch

    def check(value: Any) -> list[Trouble] | None:
        if type(value) is str and matches(value):
            return None
        says = f"{cut(value)} is not an id of the form type--UUID with the object's own type and an RFC 4122 UUID."
        return [Trouble(Code.STIX_ID, "", says)]

    return check


def _spec_version(value: Any) -> list[Trouble] | None:
    if value == "2.1":
        return None
    return [Trouble(Code.STIX_SPEC_VERSION, "", f"{cut(value)} is not a supported version; use 2.1 or 2.0.")]


def _custom_property(name: str, value: Any) -> list[Trouble] | None:
    """Check a property that the type's table does not define: its name, and not null (sections 3.1, 11.1 and 11.2)."""
    if not _property_name(name):
        says = f"{cut(name)} is not a property name: 3 to 250 of a-z, 0-9 and _, beginning with a letter."
        return [Trouble(Code.STIX_PROPERTY_NAME, "", says)]
    if name in RESERVED_PROPERTIES:
        says = f"The name {name} is reserved by STIX; put it into an extension or call it x_…_{name}."
        return [Trouble(Code.STIX_PROPERTY_NAME, "", says)]
    if name.endswith("_bin") and not (type(value) is str and _base64(value)):
        return [Trouble(Code.STIX_VALUE, "", f"{cut(value)} is not base64, which names ending in _bin are kept for.")]
    if name.endswith("_hex") and not (type(value) is str and _hexadecimal(value)):
        says = f"{cut(value)} is not hexadecimal, which names ending in _hex are kept for."
        return [Trouble(Code.STIX_VALUE, "", says)]
    return anything(value)


@cache
def _standard_check(kind: str) -> ObjectCheck:
    """The check of a type of ``TYPES``, cached."""
    return _compile(TYPES[kind], stix_type(kind).family, re.escape(kind))


@cache
def _custom_check(family: Family) -> ObjectCheck:
    """The rules that apply to every custom type."""
    return _compile(ObjectType("", {}), family, TYPE_NAME)


def _custom(kind: str, *, observable: bool) -> ObjectCheck:
    """The check of a custom type; without ``created`` and ``modified`` it is an observable."""
    common = _custom_check(Family.OBSERVABLE if observable else Family.DOMAIN)

    def check(obj: StixObject) -> list[Trouble]:
        troubles = common(obj)
        stix_id = obj.get("id")
        if type(stix_id) is str and not stix_id.startswith(f"{kind}--"):
            troubles.append(Trouble(Code.STIX_ID, "/id", f"{cut(stix_id)} does not begin with the type {cut(kind)}."))
        return troubles

    return check


def custom_properties(obj: StixObject) -> list[str]:
    """The top-level properties of an object that STIX does not define for its type."""
    said = obj.get("type")
    kind = TYPES.get(said) if isinstance(said, str) else None
    known = {*SAME_EVERYWHERE, "type", "spec_version", "id", "defanged", *(kind.properties if kind else ())}
    return [name for name in obj if name not in known]
