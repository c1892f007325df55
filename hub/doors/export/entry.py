"""The items of lists: values with the names of their kinds, and whole objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from hub.core.merge.voices import SILENT_CONFIDENCE
from hub.model.words import StixObject
from hub.patterns import type_of as type_of
from hub.patterns.observables.hashes import ALGORITHMS

HASHES = frozenset(name.lower() for name in ALGORITHMS)
NETWORK_KINDS = frozenset({"ipv4-addr", "ipv6-addr", "domain-name", "url"})
PLAIN_KINDS = NETWORK_KINDS | HASHES
"""Kinds that products can tell apart by the value: the default kinds of a list that does not name them."""
COLUMNS = ("type", "value", "confidence", "valid_from", "valid_until", "tlp", "modified", "id")
"""The columns of formats that have more than the value, in this order."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One value to block."""

    type: str
    """Its kind, as ``type_of`` returns it."""
    value: str
    confidence: int | None
    valid_from: str
    valid_until: str | None
    tlp: str
    modified: str
    id: str
    """The indicator that asserts it."""
    modified_us: int
    labels: tuple[str, ...] = ()
    indicator_types: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    """The names of the sources that the collection shows."""
    removed: bool = False
    """Whether it was withdrawn or has expired; only in formats with ``removed_days``."""

    @property
    def rank(self) -> tuple[int, int]:
        """The rank: by confidence, then by time; greater is better."""
        return (rated(self.confidence), self.modified_us)

    def key(self, *, with_type: bool) -> str:
        """Returns what distinguishes it from other entries of a list: its value, in some formats with its type."""
        return f"{self.type} {self.value}" if with_type else self.value


@dataclass(frozen=True, slots=True)
class ListedObject:
    """One object as the collection shows it."""

    id: str
    type: str
    body: bytes
    """Its JSON, as every door sends it."""
    obj: StixObject
    modified_us: int

    @property
    def rank(self) -> tuple[int, int]:
        """The rank, as of ``Entry``."""
        return (rated(self.obj.get("confidence")), self.modified_us)

    def key(self, *, with_type: bool) -> str:
        """Returns its id, which distinguishes it from other objects."""
        del with_type
        return self.id


ListItem: TypeAlias = Entry | ListedObject
"""What one line of a list is about."""


def rated(confidence: int | None) -> int:
    """Returns the confidence that counts in choosing: that of whoever states none is ``SILENT_CONFIDENCE``."""
    return SILENT_CONFIDENCE if confidence is None else confidence
