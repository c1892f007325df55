"""What comes out of a pattern: its canonical form, the values that it asserts, and the others that it names."""

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
    """The canonical value; of a constant that is no string, its text."""


@dataclass(frozen=True, slots=True)
class Named(Observable):
    """One value that a pattern names without asserting it alone: in an AND, in a sequence, by LIKE, behind NOT …"""

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
    """Values of which each alone makes the pattern true; ``hub/patterns/asserted.py`` says which these are."""
    others: tuple[Named, ...]
    """Every other value in the pattern; a value may be asserted in one place and only named in another."""
    warnings: tuple[Problem, ...]
    """``value.not-of-its-kind``, ``url.credentials``; at most 20, the last of which then counts the rest."""
