"""The vocabulary of the validation tables: kinds of values, and rules between properties.

The tables are data: ``checks`` compiles each type's table to a function, ``hub/documents`` generates a JSON Schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeAlias

from hub.model.stix_types import Excludes, InOrder


@dataclass(frozen=True, slots=True)
class Text:
    """A string. With ``pattern``, one that matches it entirely; messages call it ``what``."""

    pattern: str | None = None
    what: str = "a string"
    filled: bool = False
    """Not empty."""


@dataclass(frozen=True, slots=True)
class Flag:
    """A boolean."""


@dataclass(frozen=True, slots=True)
class Integer:
    """An integer from ``least`` to ``most``."""

    least: int | None = None
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Number:
    """Any finite number from ``least`` to ``most``."""

    least: float | None = None
    most: float | None = None


@dataclass(frozen=True, slots=True)
class Timestamp:
    """RFC 3339 with ``Z``: ``2026-01-31T12:00:00.123Z`` (STIX 2.1, section 2.16)."""


@dataclass(frozen=True, slots=True)
class Reference:
    """The id of another object (section 2.9). Its type must be one of ``types``, if given, and none of ``but``."""

    types: frozenset[str] = frozenset()
    but: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Ipv6:
    """An IPv6 address or network without a zone (section 6.9)."""


@dataclass(frozen=True, slots=True)
class EnumValue:
    """One of a closed set of words (an ``-enum`` of the specification; open vocabularies are plain text)."""

    of: frozenset[str]


@dataclass(frozen=True, slots=True)
class Binary:
    """Base64 (section 2.1)."""


@dataclass(frozen=True, slots=True)
class Hex:
    """An even number of hexadecimal digits (section 2.7)."""


@dataclass(frozen=True, slots=True)
class Hashes:
    """Digests by algorithm, of the right length where the algorithm is known (section 2.6)."""


@dataclass(frozen=True, slots=True)
class Dictionary:
    """An object with arbitrary keys (section 2.4) and values of the kind ``of``."""

    of: ValueKind | None = None
    keys: str = r"[a-zA-Z0-9_-]{1,250}"


@dataclass(frozen=True, slots=True)
class Anything:
    """Any value except null and an empty list, which STIX forbids everywhere."""


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list that is not empty (section 2.12)."""

    of: ValueKind


@dataclass(frozen=True, slots=True)
class Embedded:
    """An object with known properties: a type embedded in others."""

    name: str
    properties: Mapping[str, ValueKind]
    required: tuple[str, ...] = ()
    rules: tuple[PropertyRule, ...] = ()


@dataclass(frozen=True, slots=True)
class Extensions:
    """Extensions by the id of their definition, or older ones by name (section 7.3); ``known`` ones have tables."""

    known: Mapping[str, Embedded] = field(default_factory=lambda: MappingProxyType({}))


String: TypeAlias = Text | Timestamp | Reference | Ipv6 | EnumValue | Binary | Hex
Other: TypeAlias = Flag | Integer | Number | Hashes | Anything
Holder: TypeAlias = Dictionary | ListOf | Embedded | Extensions
ValueKind: TypeAlias = String | Other | Holder


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of these properties is present."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OneOf:
    """Exactly one of these properties is present."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Needs:
    """If ``name`` is present (with the value ``when``, if given), so are ``others``."""

    name: str
    others: tuple[str, ...]
    when: bool | None = None


PropertyRule: TypeAlias = InOrder | AnyOf | OneOf | Needs | Excludes


@dataclass(frozen=True, slots=True)
class ObjectType:
    """The properties of one top-level type, without the common ones. ``StixType`` says how the hub treats it."""

    name: str
    properties: Mapping[str, ValueKind]
    required: tuple[str, ...] = ()
    rules: tuple[PropertyRule, ...] = ()
    section: str = ""
    """Where STIX 2.1 defines it."""
    without: frozenset[str] = frozenset()
    """Common properties that this type does not have."""
