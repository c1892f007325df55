"""The results of reading a pattern: its canonical form, the values that it asserts, and the others that it names."""

from __future__ import annotations

from dataclasses import dataclass

from hub.model.problems import Problem


@dataclass(frozen=True, slots=True)
class Observable:
    """One value that a pattern asserts."""

    kind: str
    """Object type: ``ipv4-addr``, ``domain-name``, ``file`` …"""
    path: str
    """Property: ``value``, ``hashes.'SHA-256'`` …"""
    value: str
    """The canonical value; for a constant that is not a string, its text."""


@dataclass(frozen=True, slots=True)
class Named(Observable):
    """A value in a pattern that is not asserted alone: in an AND, in a sequence, with LIKE, after NOT …"""

    operator: str
    negated: bool
    """Whether the pattern excludes it: ``!=``, or NOT before the operator."""


@dataclass(frozen=True, slots=True)
class Canonical:
    """A pattern in canonical form."""

    text: str
    """For example ``[ipv4-addr:value = '198.51.100.7']``."""
    kinds: tuple[str, ...]
    """The object types in the pattern, sorted, each once."""
    asserted: tuple[Observable, ...]
    """Values that each make the pattern true alone; see ``hub/patterns/asserted.py``."""
    others: tuple[Named, ...]
    """All other values in the pattern; a value may be asserted in one place and only named in another."""
    warnings: tuple[Problem, ...]
    """``value.not-of-its-kind``, ``url.credentials``; at most 20, and above that the last one counts the rest."""
