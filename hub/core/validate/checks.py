"""Compiles each kind of value in the tables to a function that returns what is wrong with a value.

A check returns None for a valid value, so that nothing is allocated for it: an indicator of 900 bytes has about forty
values, and each of them is checked for every incoming object.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple, assert_never

from hub.core.validate import kinds
from hub.core.validate.kinds import ValueKind
from hub.core.validate.rules import Trouble, compile_rules
from hub.core.validate.timestamps import is_timestamp
from hub.model.problems import Code, cut

Check = Callable[[Any], list[Trouble] | None]
"""Returns what is wrong with a value, with pointers relative to it; None if it is valid."""

UUID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[1-5][0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}"
"""RFC 4122, the version that STIX 2.1 refers to (section 2.9): versions 1 to 5 of its own variant."""

TYPE_NAME = r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*"
IDENTIFIER = rf"({TYPE_NAME})--{UUID}"
PROPERTY_NAME = r"[a-z][a-z0-9_]{2,249}"
EXTENSION_KEY = rf"extension-definition--{UUID}|{TYPE_NAME}-ext"
BINARY = r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)"
HEX_PATTERN = r"(?:[0-9a-fA-F]{2})+"
HASH_PATTERNS: Mapping[str, str] = {
    "MD5": r"[0-9a-fA-F]{32}",
    "SHA-1": r"[0-9a-fA-F]{40}",
    "SHA-256": r"[0-9a-fA-F]{64}",
    "SHA-512": r"[0-9a-fA-F]{128}",
    "SHA3-256": r"[0-9a-fA-F]{64}",
    "SHA3-512": r"[0-9a-fA-F]{128}",
    "SSDEEP": r"[A-Za-z0-9/+:.]{1,128}",
    "TLSH": r"(?:T1)?[0-9a-fA-F]{70}",
}
"""The algorithms of hash-algorithm-ov (section 10.7) with the form of their digests; TLSH in all its versions."""

HASH_NAME = r"[a-zA-Z0-9_-]{3,250}"
_REPORTED = 10
"""Maximum troubles reported for one list or object."""


def compile_kind(kind: ValueKind) -> Check:
    """The check of a kind of value."""
    match kind:
        case kinds.Dictionary() | kinds.ListOf() | kinds.Embedded() | kinds.Extensions():
            return _compile_holder(kind)
        case kinds.Flag() | kinds.Integer() | kinds.Number() | kinds.Hashes() | kinds.Anything():
            return _compile_other(kind)
        case _:
            return _compile_string(kind)


def _compile_holder(kind: kinds.Holder) -> Check:
    match kind:
        case kinds.Dictionary(of, keys):
            return _dictionary(anything if of is None else compile_kind(of), re.compile(keys).fullmatch)
        case kinds.ListOf(of):
            return _list(compile_kind(of), texts=of == kinds.Text())
        case kinds.Embedded():
            return _record(kind)
        case kinds.Extensions(known):
            return _extensions({name: compile_kind(one) for name, one in known.items()})
        case _:
            assert_never(kind)


def _compile_other(kind: kinds.Other) -> Check:
    match kind:
        case kinds.Flag():
            return _flag
        case kinds.Integer(least, most):
            return _integer(least, most)
        case kinds.Number(least_number, most_number):
            return _number(least_number, most_number)
        case kinds.Hashes():
            return _hashes
        case kinds.Anything():
            return anything
        case _:
            assert_never(kind)


def _compile_string(kind: kinds.String) -> Check:
    match kind:
        case kinds.Text():
            return _text(kind)
        case kinds.Timestamp():
            return _timestamp
        case kinds.Reference(types, but):
            return _reference_to(next(iter(types))) if len(types) == 1 else _reference(types, but)
        case kinds.Ipv6():
            return _ipv6
        case kinds.EnumValue(of):
            return _word(of)
        case kinds.Binary():
            return _matching(BINARY, "base64")
        case kinds.Hex():
            return _matching(HEX_PATTERN, "hexadecimal digits in pairs")
        case _:
            assert_never(kind)


def trouble(says: str, code: Code = Code.STIX_PROPERTY_TYPE, at: str = "") -> list[Trouble]:
    """A list with one trouble, as a check returns it."""
    return [Trouble(code, at, says)]


def anything(value: Any) -> list[Trouble] | None:
    """Refuse null and an empty list, which STIX forbids as values (sections 2.12 and 3.2)."""
    if value is None:
        return trouble("null is not a value in STIX; leave the property out.")
    if value == [] and type(value) is list:
        return trouble("A list may not be empty; leave the property out.")
    return None


def under(key: str | int, troubles: list[Trouble]) -> list[Trouble]:
    """The troubles of a value, with pointers relative to its container, where it is under ``key``."""
    token = key.replace("~", "~0").replace("/", "~1") if type(key) is str else key
    return [Trouble(code, f"/{token}{at}", says) for code, at, says in troubles]


def _text(kind: kinds.Text) -> Check:
    if kind.pattern is not None:
        return _matching(kind.pattern, kind.what)
    return _filled if kind.filled else _string


def _string(value: Any) -> list[Trouble] | None:
    return None if type(value) is str else _not(value, "a string")


def _filled(value: Any) -> list[Trouble] | None:
    if type(value) is not str:
        return _not(value, "a string")
    return None if value else trouble("The text is empty; fill it.", Code.STIX_VALUE)


def _matching(pattern: str, what: str) -> Check:
    matches = re.compile(pattern, re.ASCII).fullmatch

    def check(value: Any) -> list[Trouble] | None:
        if type(value) is not str:
            return _not(value, "a string")
        return None if matches(value) else trouble(f"{cut(value)} is not {what}.", Code.STIX_VALUE)

    return check


def _flag(value: Any) -> list[Trouble] | None:
    return None if type(value) is bool else _not(value, "true or false")


def _not(value: Any, what: str) -> list[Trouble]:
    if value is None:
        return trouble(f"null is not a value in STIX; write {what} or leave the property out.")
    return trouble(f"{cut(value)} is not {what}.")


def _integer(least: int | None, most: int | None) -> Check:
    low, high = -(2**53) if least is None else least, 2**53 if most is None else most
    span = f"from {low:,} to {high:,}" if most is not None else "of 0 or more" if least == 0 else "of at most 53 bits"

    def check(value: Any) -> list[Trouble] | None:
        if type(value) is not int:
            return _not(value, "a whole number")
        return None if low <= value <= high else trouble(f"{value} is not a whole number {span}.", Code.STIX_VALUE)

    return check


def _number(least: float | None, most: float | None) -> Check:
    def check(value: Any) -> list[Trouble] | None:
        if type(value) is not int and type(value) is not float:
            return _not(value, "a number")
        if (least is None or value >= least) and (most is None or value <= most):
            return None
        return trouble(f"{value} is not a number from {least} to {most}.", Code.STIX_VALUE)

    return check


_is_short_timestamp = lru_cache(maxsize=4_096)(is_timestamp)
"""Cached: ``created``, ``modified`` and ``valid_from`` of one object are mostly equal. Long text is not cached."""


def _timestamp(value: Any) -> list[Trouble] | None:
    if type(value) is str and (_is_short_timestamp(value) if len(value) < 40 else is_timestamp(value)):
        return None
    says = f"{cut(value)} is not a timestamp such as 2026-01-31T12:00:00.123Z (RFC 3339, always with Z)."
    return trouble(says, Code.STIX_TIMESTAMP)


_identifier = re.compile(IDENTIFIER).fullmatch


def _reference(types: frozenset[str], but: frozenset[str]) -> Check:
    def check(value: Any) -> list[Trouble] | None:
        found = _identifier(value) if type(value) is str else None
        if found is None:
            return _no_identifier(value)
        kind = found[1]
        if (types and kind not in types) or kind in but:
            wanted = f"one of {', '.join(sorted(types))}" if types else "of another type"
            return trouble(f"{cut(value)} refers to a {cut(kind)}; it must be {wanted}.", Code.STIX_REFERENCE)
        return None

    return check


def _reference_to(kind: str) -> Check:
    """A reference to a single type, the most common case, checked with one regular expression."""
    matches = re.compile(rf"{kind}--{UUID}").fullmatch

    def check(value: Any) -> list[Trouble] | None:
        if type(value) is str:
            if matches(value):
                return None
            if _identifier(value):
                return trouble(f"{cut(value)} is not the id of a {kind}.", Code.STIX_REFERENCE)
        return _no_identifier(value)

    return check


def _no_identifier(value: Any) -> list[Trouble]:
    return trouble(f"{cut(value)} is not an id of the form type--UUID.", Code.STIX_REFERENCE)


def _ipv6(value: Any) -> list[Trouble] | None:
    if type(value) is not str:
        return _not(value, "a string")
    try:
        if "%" not in value:
            ipaddress.IPv6Network(value, strict=False)
            return None
    except ValueError:
        pass
    hint = " (a zone such as %eth0 means something on one machine only)" if "%" in value else ""
    return trouble(f"{cut(value)} is not an IPv6 address{hint}.", Code.STIX_VALUE)


def _word(of: frozenset[str]) -> Check:
    def check(value: Any) -> list[Trouble] | None:
        if type(value) is str and value in of:
            return None
        return trouble(f"{cut(value)} is not one of {cut(', '.join(sorted(of)), 200)}.", Code.STIX_VALUE)

    return check


_hash_name = re.compile(HASH_NAME).fullmatch
_digests = {name: re.compile(pattern).fullmatch for name, pattern in HASH_PATTERNS.items()}


def _hashes(value: Any) -> list[Trouble] | None:
    if type(value) is not dict:
        return _not(value, "an object of hashes by algorithm")
    if not value:
        return trouble("An object of hashes may not be empty; leave the property out.")
    troubles: list[Trouble] = []
    for name, digest in value.items():
        if type(digest) is not str:
            troubles += under(name, _not(digest, "a string"))
        elif not _hash_name(name):
            troubles += under(name, trouble(f"{cut(name)} is not the name of a hash algorithm.", Code.STIX_HASH))
        elif (matches := _digests.get(name)) and not matches(digest):
            troubles += under(name, trouble(f"{cut(digest)} is not a {name}.", Code.STIX_HASH))
    return troubles[:_REPORTED] or None


def _dictionary(of: Check, is_key: Callable[[str], object]) -> Check:
    def check(value: Any) -> list[Trouble] | None:
        if type(value) is not dict:
            return _not(value, "an object")
        if not value:
            return trouble("The object may not be empty; leave the property out.")
        troubles: list[Trouble] = []
        for key, item in value.items():
            if not is_key(key):
                troubles += under(key, trouble(f"{cut(key)} cannot be a key here.", Code.STIX_PROPERTY_NAME))
            elif wrong := of(item):
                troubles += under(key, wrong)
        return troubles[:_REPORTED] or None

    return check


def _list(of: Check, *, texts: bool) -> Check:
    def check(value: Any) -> list[Trouble] | None:
        if type(value) is not list:
            return _not(value, "a list")
        if not value:
            return trouble("A list may not be empty; leave the property out.")
        if texts and set(map(type, value)) == {str}:
            return None
        troubles: list[Trouble] = []
        for index, item in enumerate(value):
            if wrong := of(item):
                troubles += under(index, wrong)
                if len(troubles) >= _REPORTED:
                    break
        return troubles or None

    return check


class Shape(NamedTuple):
    """A compiled table: the check of each property, and the rules between properties."""

    checks: Mapping[str, Check]
    required: frozenset[str]
    rules: tuple[Callable[[dict[str, Any]], list[Trouble] | None], ...]

    def missing(self, value: dict[str, Any]) -> list[Trouble]:
        """Troubles for the required properties that are absent."""
        absent = sorted(self.required - value.keys())
        return [Trouble(Code.STIX_REQUIRED, "", f"The property {name} is missing.") for name in absent]


def compile_shape(
    properties: Mapping[str, ValueKind], required: tuple[str, ...], rules: tuple[kinds.PropertyRule, ...]
) -> Shape:
    """Compile the checks of a table."""
    checks = {name: compile_kind(kind) for name, kind in properties.items()}
    return Shape(checks, frozenset(required), tuple(compile_rules(rules)))


def check_properties(shape: Shape, value: dict[str, Any]) -> list[Trouble]:
    """Check the properties that a table defines, and that none is missing; other properties are not checked."""
    troubles: list[Trouble] = []
    for name, item in value.items():
        check = shape.checks.get(name, anything)
        if wrong := check(item):
            troubles += under(name, wrong)
    if not shape.required <= value.keys():
        troubles += shape.missing(value)
    for rule in shape.rules:
        if wrong := rule(value):
            troubles += wrong
    return troubles


def _record(kind: kinds.Embedded) -> Check:
    shape = compile_shape(kind.properties, kind.required, kind.rules)

    def check(value: Any) -> list[Trouble] | None:
        if type(value) is not dict:
            return _not(value, f"an object ({kind.name})")
        if not value:
            return trouble(f"The {kind.name} is empty; fill it or leave it out.")
        return check_properties(shape, value) or None

    return check


_extension_key = re.compile(EXTENSION_KEY).fullmatch
_EXTENSION_TYPES = frozenset({"new-sdo", "new-sco", "new-sro", "property-extension", "toplevel-property-extension"})


def _extensions(known: Mapping[str, Check]) -> Check:
    def check(value: Any) -> list[Trouble] | None:
        if type(value) is not dict:
            return _not(value, "an object of extensions")
        if not value:
            return trouble("An object of extensions may not be empty; leave the property out.", Code.STIX_EXTENSION)
        troubles: list[Trouble] = []
        for key, item in value.items():
            if wrong := _extension(key, item, known):
                troubles += under(key, wrong)
        return troubles[:_REPORTED] or None

    return check


def _extension(key: str, value: Any, known: Mapping[str, Check]) -> list[Trouble] | None:
    if not _extension_key(key):
        says = f"{cut(key)} names no extension: use the id of its extension-definition."
        return trouble(says, Code.STIX_EXTENSION)
    if type(value) is not dict or not value:
        return trouble("An extension is an object with at least one property.", Code.STIX_EXTENSION)
    if table := known.get(key):
        return table(value)
    said = value.get("extension_type")
    if key.startswith("extension-definition--") and (type(said) is not str or said not in _EXTENSION_TYPES):
        wanted = ", ".join(sorted(_EXTENSION_TYPES))
        return trouble(f"extension_type is {cut(said)}; it must be one of {wanted}.", Code.STIX_EXTENSION)
    troubles: list[Trouble] = []
    for name, item in value.items():
        if wrong := anything(item):
            troubles += under(name, wrong)
    return troubles or None
