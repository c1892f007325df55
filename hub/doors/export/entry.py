"""One value of a list, and what lists call its kind."""

from __future__ import annotations

from dataclasses import dataclass

from hub.core.merge.voices import SILENT_CONFIDENCE
from hub.patterns import Observable
from hub.patterns.observables.hashes import ALGORITHMS, algorithm

HASHES = frozenset(name.lower() for name in ALGORITHMS)
NETWORK_KINDS = frozenset({"ipv4-addr", "ipv6-addr", "domain-name", "url"})
PLAIN_KINDS = NETWORK_KINDS | HASHES
"""Kinds that no product takes for one another: what a list has that does not say of each value what it is."""
COLUMNS = ("type", "value", "confidence", "valid_from", "valid_until", "tlp", "modified", "id")
"""What formats that say more than the value have of an entry, in this order."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One value to be blocked."""

    type: str
    """Its kind, as ``type_of`` calls it."""
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
        """Greater is better: sure before unsure, new before old. Silence counts as in ``hub/core/merge/voices.py``."""
        return (SILENT_CONFIDENCE if self.confidence is None else self.confidence, self.modified_us)


def type_of(observable: Observable) -> str:
    """What lists call an observable: its kind, the algorithm of a hash, else kind and property.

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
