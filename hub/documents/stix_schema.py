"""``schemas/stix/object.json``: the accepted subset of STIX 2.1, from the tables that ``validate`` uses.

The schema is never stricter than ``validate``. Rules that JSON Schema cannot express are in ``$comment``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeAlias, assert_never

from hub.core.validate import RESERVED_PROPERTIES, TYPES, kinds
from hub.core.validate.checks import (
    BINARY,
    EXTENSION_KEY,
    HASH_NAME,
    HASH_PATTERNS,
    HEX_PATTERN,
    IDENTIFIER,
    PROPERTY_NAME,
    TYPE_NAME,
    UUID,
)
from hub.core.validate.common import PROPERTIES, REQUIRED, SAME_EVERYWHERE, VERSIONED_RULES
from hub.core.validate.kinds import ObjectType, PropertyRule, ValueKind
from hub.core.validate.objects import EXTENSION_TYPES
from hub.core.validate.timestamps import TIMESTAMP
from hub.model.stix_types import Excludes, Family, InOrder, stix_type

PATH = Path(__file__).parents[2] / "schemas" / "stix" / "object.json"
Schema: TypeAlias = dict[str, Any]

_LARGEST = 2**53 - 1
_ANYTHING: Schema = {"not": {"type": "null"}, "minItems": 1}
_IPV6 = r"[0-9A-Fa-f:.]+(?:/[0-9]{1,3})?"


def document() -> Schema:
    """Returns the schema of one object of any type, in JSON Schema 2020-12."""
    known = sorted(TYPES)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A STIX 2.1 object that ctihub accepts",
        "description": "What a centre may send, beyond what its marking and its author decide. One object of a record; "
        "a bundle is cut into its objects first. STIX 2.0 is lifted to 2.1 before this is asked.",
        "type": "object",
        "required": ["type"],
        "allOf": [
            *({"if": _of_type({"const": name}), "then": {"$ref": f"#/$defs/{name}"}} for name in known),
            {
                "if": _of_type({"not": {"enum": known}}),
                "then": {"anyOf": [{"$ref": "#/$defs/custom-object"}, {"$ref": "#/$defs/custom-observable"}]},
            },
        ],
        "$defs": {
            **_shared(),
            **{name: _object(table, stix_type(name).family) for name, table in sorted(TYPES.items())},
            "custom-object": _object(ObjectType("", {}), Family.DOMAIN),
            "custom-observable": {
                **_object(ObjectType("", {}), Family.OBSERVABLE),
                "not": {"anyOf": [{"required": ["created"]}, {"required": ["modified"]}]},
            },
        },
    }


def document_bytes() -> bytes:
    """Returns the document as it is published: indented, with a line break at the end."""
    return (json.dumps(document(), indent=1, ensure_ascii=False) + "\n").encode()


def _of_type(schema: Schema) -> Schema:
    return {"properties": {"type": schema}, "required": ["type"]}


def _whole(pattern: str) -> str:
    return f"^(?:{pattern})$"


def _object(table: ObjectType, family: Family) -> Schema:
    name = table.name
    common = {key: kind for key, kind in PROPERTIES[family].items() if key not in table.without}
    needed = [key for key in REQUIRED[family] if key not in table.without]
    rules = table.rules if family is Family.OBSERVABLE else (*VERSIONED_RULES, *table.rules)
    schema: Schema = {
        "type": "object",
        "properties": {
            "type": {"const": name} if name else {"type": "string", "pattern": _whole(TYPE_NAME), "maxLength": 250},
            "spec_version": {"const": "2.1"},
            "id": {"type": "string", "pattern": _whole(f"{name or TYPE_NAME}--{UUID}")},
            **{key: _kind(kind) for key, kind in {**SAME_EVERYWHERE, **common, **table.properties}.items()},
        },
        "required": ["type", "id", *needed, *table.required],
        "patternProperties": {
            "_bin$": {"type": "string", "pattern": _whole(BINARY)},
            "_hex$": {"type": "string", "pattern": _whole(HEX_PATTERN)},
        },
        "propertyNames": {
            "pattern": _whole(f"id|{PROPERTY_NAME}"),
            "not": {"enum": sorted(RESERVED_PROPERTIES)},
        },
        "additionalProperties": _ANYTHING,
    }
    if table.section:
        schema["description"] = f"STIX 2.1, section {table.section}"
    return _with_rules(schema, rules)


def _with_rules(schema: Schema, rules: tuple[PropertyRule, ...]) -> Schema:
    said = [_rule(rule) for rule in rules if not isinstance(rule, InOrder)]
    if said:
        schema["allOf"] = said
    orders = [rule for rule in rules if isinstance(rule, InOrder)]
    if orders:
        schema["$comment"] = "; ".join(
            f"{rule.last} is {'after' if rule.strictly else 'not before'} {rule.first}" for rule in orders
        )
    return schema


def _rule(rule: kinds.AnyOf | kinds.OneOf | kinds.Needs | Excludes) -> Schema:
    match rule:
        case kinds.AnyOf(names):
            return {"anyOf": [{"required": [name]} for name in names]}
        case kinds.OneOf(names):
            return {"oneOf": [{"required": [name]} for name in names]}
        case kinds.Needs(name, others, when):
            return {"if": _has(name, when), "then": {"required": list(others)}}
        case Excludes(name, other, when):
            return {"if": _has(name, when), "then": {"not": {"required": [other]}}}
        case _:
            assert_never(rule)


def _has(name: str, when: bool | None) -> Schema:
    return {"required": [name]} if when is None else {"required": [name], "properties": {name: {"const": when}}}


def _shared() -> dict[str, Schema]:
    """Returns the shared definitions, by the name that ``_name`` returns."""
    waiting: list[ValueKind] = [kind for table in TYPES.values() for kind in table.properties.values()]
    waiting += [kind for common in PROPERTIES.values() for kind in common.values()]
    shared: dict[str, Schema] = {}
    while waiting:
        kind = waiting.pop()
        name = _name(kind)
        if name is not None and name not in shared:
            shared[name] = _in_full(kind)
        match kind:
            case kinds.Dictionary(of) | kinds.ListOf(of) if of is not None:
                waiting.append(of)
            case kinds.Embedded():
                waiting += kind.properties.values()
            case kinds.Extensions(known):
                waiting += known.values()
            case _:
                pass
    return dict(sorted(shared.items()))


def _name(kind: ValueKind) -> str | None:
    """Returns the name of a shared definition; None for a kind that is defined inline."""
    match kind:
        case kinds.Embedded():
            return kind.name
        case kinds.Timestamp():
            return "timestamp"
        case kinds.Hashes():
            return "hashes"
        case kinds.Extensions(known):
            return "extensions" if not known else None
        case _:
            return None


def _kind(kind: ValueKind) -> Schema:
    name = _name(kind)
    return _in_full(kind) if name is None else {"$ref": f"#/$defs/{name}"}


def _in_full(kind: ValueKind) -> Schema:
    match kind:
        case kinds.Dictionary() | kinds.ListOf() | kinds.Embedded() | kinds.Extensions():
            return _holder(kind)
        case kinds.Flag() | kinds.Integer() | kinds.Number() | kinds.Hashes() | kinds.Anything():
            return _other(kind)
        case _:
            return _string(kind)


def _holder(kind: kinds.Holder) -> Schema:
    match kind:
        case kinds.Dictionary(of, keys):
            values = _ANYTHING if of is None else _kind(of)
            return _filled_object(propertyNames={"pattern": _whole(keys)}, additionalProperties=values)
        case kinds.ListOf(of):
            return {"type": "array", "minItems": 1, "items": _kind(of)}
        case kinds.Embedded():
            return _record(kind)
        case kinds.Extensions(known):
            return _extensions(known)
        case _:
            assert_never(kind)


def _other(kind: kinds.Other) -> Schema:
    match kind:
        case kinds.Flag():
            return {"type": "boolean"}
        case kinds.Integer(least, most):
            return {
                "type": "integer",
                "minimum": -_LARGEST if least is None else least,
                "maximum": _LARGEST if most is None else most,
            }
        case kinds.Number(least_number, most_number):
            limits = {"minimum": least_number, "maximum": most_number}
            return {"type": "number"} | {key: value for key, value in limits.items() if value is not None}
        case kinds.Hashes():
            return _filled_object(
                properties={name: {"pattern": _whole(pattern)} for name, pattern in HASH_PATTERNS.items()},
                propertyNames={"pattern": _whole(HASH_NAME)},
                additionalProperties={"type": "string"},
            )
        case kinds.Anything():
            return _ANYTHING
        case _:
            assert_never(kind)


def _string(kind: kinds.String) -> Schema:
    match kind:
        case kinds.Text(pattern, _, filled):
            more: Schema = {"pattern": _whole(pattern)} if pattern else {"minLength": 1} if filled else {}
            return {"type": "string", **more}
        case kinds.Timestamp():
            return {"type": "string", "pattern": _whole(TIMESTAMP)}
        case kinds.Reference(types, but):
            return {"type": "string", "pattern": _reference(types, but)}
        case kinds.Ipv6():
            return {"type": "string", "pattern": _whole(_IPV6)}
        case kinds.EnumValue(of):
            return {"enum": sorted(of)}
        case kinds.Binary():
            return {"type": "string", "pattern": _whole(BINARY)}
        case kinds.Hex():
            return {"type": "string", "pattern": _whole(HEX_PATTERN)}
        case _:
            assert_never(kind)


def _reference(types: frozenset[str], but: frozenset[str]) -> str:
    if types:
        return _whole(f"(?:{'|'.join(sorted(types))})--{UUID}")
    others = f"(?!(?:{'|'.join(sorted(but))})--)" if but else ""
    return f"^{others}(?:{IDENTIFIER})$"


def _filled_object(**more: Any) -> Schema:
    return {"type": "object", "minProperties": 1, **more}


def _record(kind: kinds.Embedded) -> Schema:
    properties = {name: _kind(one) for name, one in kind.properties.items()}
    schema = _filled_object(properties=properties, additionalProperties=_ANYTHING)
    if kind.required:
        schema["required"] = list(kind.required)
    return _with_rules(schema, kind.rules)


def _extensions(known: Any) -> Schema:
    defined = _filled_object(
        required=["extension_type"],
        properties={"extension_type": {"enum": sorted(EXTENSION_TYPES)}},
        additionalProperties=_ANYTHING,
    )
    return _filled_object(
        properties={name: _kind(one) for name, one in known.items()},
        patternProperties={f"^extension-definition--{UUID}$": defined},
        propertyNames={"pattern": _whole(EXTENSION_KEY)},
        additionalProperties=_filled_object(additionalProperties=_ANYTHING),
    )
