"""The tree of a STIX pattern: frozen values as the sender wrote them, not normalised.

The names are those of STIX 2.1, section 9: an observation expression contains comparison expressions in brackets and
may have qualifiers; a comparison relates an object path to constants.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ConstantKind(StrEnum):
    """The types of constants (STIX 2.1, section 9.2, "Constants")."""

    STRING = "string"
    INTEGER = "integer"
    FLOAT = "float"
    HEX = "hex"
    BINARY = "binary"
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamp"


@dataclass(frozen=True, slots=True)
class Constant:
    """A constant. ``text`` is the unescaped text between the quotes; for numbers the digits, for booleans the word."""

    kind: ConstantKind
    text: str


@dataclass(frozen=True, slots=True)
class StepIndex:
    """One element of a list: digits, or ``*`` for any."""

    text: str


PathStep = str | StepIndex
"""A key, unquoted and unescaped, or an index."""


@dataclass(frozen=True, slots=True)
class Path:
    """An object path: the object's type and at least one step, the first of which is a key."""

    type: str
    steps: tuple[PathStep, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One comparison. ``IN`` has any number of constants, ``EXISTS`` none, every other operator one."""

    path: Path
    operator: str
    """``=`` ``!=`` ``<`` ``<=`` ``>`` ``>=`` ``IN`` ``LIKE`` ``MATCHES`` ``ISSUBSET`` ``ISSUPERSET`` ``EXISTS``"""
    negated: bool
    """Whether NOT precedes the operator."""
    constants: tuple[Constant, ...]


@dataclass(frozen=True, slots=True)
class Junction:
    """Comparison expressions joined inside one observation, two or more, by AND or by OR."""

    word: str
    operands: tuple[ComparisonExpression, ...]


ComparisonExpression = Comparison | Junction


@dataclass(frozen=True, slots=True)
class Observation:
    """One pair of square brackets."""

    expression: ComparisonExpression


@dataclass(frozen=True, slots=True)
class Combination:
    """Observation expressions, two or more, joined by AND, OR or FOLLOWEDBY."""

    word: str
    operands: tuple[ObservationExpression, ...]


@dataclass(frozen=True, slots=True)
class Within:
    """``WITHIN seconds SECONDS``; the number as written, an integer or a float."""

    seconds: Constant


@dataclass(frozen=True, slots=True)
class Repeats:
    """``REPEATS times TIMES``; the number as written."""

    times: Constant


@dataclass(frozen=True, slots=True)
class StartStop:
    """``START t'…' STOP t'…'``."""

    start: Constant
    stop: Constant


Qualifier = Within | Repeats | StartStop


@dataclass(frozen=True, slots=True)
class Qualified:
    """An observation expression followed by one or more qualifiers; the first is applied first."""

    expression: ObservationExpression
    qualifiers: tuple[Qualifier, ...]


ObservationExpression = Observation | Combination | Qualified
