"""Which values of an indicator a device may block, and what it should know of each.

The pattern is read again here: what an export contains must not depend on what else writes into an object.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import orjson

from hub.model.markings import LEVEL_OF_ID, PAP_ORDER, stated_pap
from hub.model.problems import Problem
from hub.model.times import parse_us
from hub.model.words import StixObject
from hub.patterns import Observable, canonical
from hub.store.reading import Page

_BARRING = frozenset(range(PAP_ORDER.index("AMBER"), len(PAP_ORDER)))
"""PAP:AMBER allows passive use only, PAP:RED none that anybody could notice: blocking is active."""
_HARMLESS = frozenset({"benign"})
SILENT_CONFIDENCE = 50
"""Where an indicator without a confidence stands among others (docs/semantics.md, section 5)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One value to be blocked."""

    type: str
    """``ipv4-addr``, ``domain-name``, ``url``, ``sha-256`` …"""
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
        """Greater is better: sure before unsure, new before old."""
        return (SILENT_CONFIDENCE if self.confidence is None else self.confidence, self.modified_us)


def type_of(observable: Observable) -> str:
    """What lists call an observable: its kind, the algorithm of a hash, else kind and property.

    >>> type_of(Observable("file", "hashes.'SHA-256'", "ab")), type_of(Observable("file", "name", "a.exe"))
    ('sha-256', 'file:name')
    """
    if observable.path == "value":
        return observable.kind
    if observable.kind == "file" and observable.path.startswith("hashes."):
        return observable.path.removeprefix("hashes.").strip("'").lower()
    return f"{observable.kind}:{observable.path}"


def barring_marking(body: bytes) -> bool:
    """Whether a marking-definition states a PAP that forbids blocking."""
    marking: StixObject = orjson.loads(body)
    definition = marking.get("definition")
    said = (definition.get("statement") if isinstance(definition, dict) else None, marking.get("name"))
    return any(isinstance(text, str) and stated_pap(text) in _BARRING for text in said)


@dataclass(frozen=True, slots=True)
class Selection:
    """What goes into one export."""

    types: frozenset[str] = frozenset()
    """Names that ``type_of`` gives, or kinds; empty: all."""
    today_us: int | None = None
    """The beginning of the day that the last tick set; None: there was none, and nothing has expired."""
    barred: frozenset[str] = frozenset()
    """Ids of markings under which nothing may be blocked."""

    def entries(self, page: Page) -> Iterator[Entry]:
        """The values of a page's indicators that may be blocked."""
        for row, body in zip(page.rows, page.bodies, strict=True):
            if row.type == "indicator" and not row.withdrawn:
                yield from self._of(orjson.loads(body), row.version_us)

    def _of(self, obj: StixObject, modified_us: int) -> Iterator[Entry]:
        if not self._may_block(obj):
            return
        found = canonical(obj["pattern"], limit_chars=2 * len(obj["pattern"]) + 1)
        if isinstance(found, Problem):
            return
        for observable in found.asserted:
            name = type_of(observable)
            if not self.types or name in self.types or observable.kind in self.types:
                yield _entry(obj, name, observable.value, modified_us)

    def _may_block(self, obj: StixObject) -> bool:
        until = obj.get("valid_until")
        return (
            obj.get("pattern_type") == "stix"
            and obj.get("revoked") is not True
            and not (until is not None and self.today_us is not None and parse_us(until) <= self.today_us)
            and not any(stated_pap(label) in _BARRING for label in obj.get("labels") or ())
            and self.barred.isdisjoint(obj.get("object_marking_refs") or ())
            and not (obj.get("indicator_types") and _HARMLESS.issuperset(obj["indicator_types"]))
        )


def _entry(obj: StixObject, name: str, value: str, modified_us: int) -> Entry:
    levels = [LEVEL_OF_ID[ref] for ref in obj.get("object_marking_refs") or () if ref in LEVEL_OF_ID]
    return Entry(
        type=name,
        value=value,
        confidence=obj.get("confidence"),
        valid_from=obj["valid_from"],
        valid_until=obj.get("valid_until"),
        tlp=max(levels).label if levels else "",
        modified=obj["modified"],
        id=obj["id"],
        modified_us=modified_us,
    )
