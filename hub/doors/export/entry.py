"""One value of a list, and the name of its kind."""

from __future__ import annotations

from dataclasses import dataclass

from hub.core.merge.voices import SILENT_CONFIDENCE
from hub.patterns import Observable
from hub.patterns.observables.hashes import ALGORITHMS, algorithm

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

    @property
    def rank(self) -> tuple[int, int]:
        """The rank: by confidence, then by time; greater is better. ``hub/core/merge/voices.py`` has the default."""
        return (SILENT_CONFIDENCE if self.confidence is None else self.confidence, self.modified_us)


def type_of(observable: Observable) -> str:
    """Returns the kind of an observable in lists: its type, the algorithm of a hash, or type and property.

    >>> type_of(Observable("file", "hashes.'SHA-256'", "ab")), type_of(Observable("file", "name", "a.exe"))
    ('sha-256', 'file:name')
    """
    if observable.path == "value":
        return observable.kind
    if observable.kind == "file" and observable.path.startswith("hashes."):
        name = algorithm(observable.path.removeprefix("hashes.").strip("'"))
        if name is not None:
            return name.lower()
    return f"{observable.kind}:{observable.path}"
