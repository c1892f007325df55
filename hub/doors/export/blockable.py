"""Selects the values of indicators that a device may block, and the data of each list entry.

The pattern is parsed again, so that an export does not depend on other parts of the object. Each value is checked again
as well, since an object may be older than a warning list's entry.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

import orjson

from hub.core.hold import WarningLists
from hub.doors.export.entry import Entry, type_of
from hub.model.extensions import VIEW_EXTENSION
from hub.model.markings import LEVEL_OF_ID, PAP_ORDER, stated_pap
from hub.model.policy import ANY_WIDTH, WIDEST_SHOWN
from hub.model.problems import Problem
from hub.model.stix_types import STIX_TYPES
from hub.model.times import has_passed
from hub.model.words import StixObject
from hub.patterns import Observable, canonical, is_of_its_kind
from hub.store.port import LogPage

_BARRING = frozenset(range(PAP_ORDER.index("AMBER"), len(PAP_ORDER)))
"""PAP:AMBER allows only passive use, PAP:RED only use that nobody can notice. Blocking is active use.

A view has one label with the strictest PAP of its claims, whether these state it by a label or by a marking."""
_HARMLESS = frozenset({"benign"})
_ONE_PROPERTY = frozenset(name for name, row in STIX_TYPES.items() if row.value == "value")
"""Types that are a kind of value. Others, such as ``file``, have several properties; ``type`` selects all of them."""


@dataclass(slots=True)
class Skipped:
    """Counts the values that an export has left out."""

    count: int = 0


@dataclass(frozen=True, slots=True)
class Selection:
    """The criteria of one export."""

    kinds: frozenset[str] = frozenset()
    """Names as ``type_of`` returns them, or kinds of observable; empty: all."""
    today_us: int | None = None
    """The start of the hub's current date; None: no date has been set, and nothing has expired."""
    lists: WarningLists = field(default_factory=WarningLists)
    """The warning lists that each value is checked with."""
    released: Collection[str] = frozenset()
    """Canonical patterns that an operator has released although a list has a value of them."""
    skipped: Skipped = field(default_factory=Skipped)
    """Counts requested values that are left out: invalid for their type, forbidden by PAP, on a warning list, or too
    wide."""

    def entries(self, page: LogPage) -> Iterator[Entry]:
        """Yields the values of a page's indicators that may be blocked."""
        for row, body in page.with_bodies():
            if row.type == "indicator" and not row.withdrawn:
                yield from self._of(orjson.loads(body), row.version_us)

    def _of(self, obj: StixObject, modified_us: int) -> Iterator[Entry]:
        if not self._asserts(obj):
            return
        found = canonical(obj["pattern"], limit_chars=2 * len(obj["pattern"]) + 1)
        if isinstance(found, Problem):
            return
        may_block = self._may_block(obj)
        said = _said_of_values(obj)
        for observable in found.asserted:
            name = type_of(observable)
            if not self._is_wanted(name, observable.kind):
                continue
            if may_block and self._is_fit(
                observable, found.text, said.get((observable.kind, observable.path, observable.value))
            ):
                yield _entry(obj, name, observable.value, modified_us)
            else:
                self.skipped.count += 1

    def _is_wanted(self, name: str, kind: str) -> bool:
        return not self.kinds or name in self.kinds or (kind in self.kinds and kind not in _ONE_PROPERTY)

    def _is_fit(self, observable: Observable, pattern: str, said: StixObject | None) -> bool:
        """Returns whether a value is valid for its type and, unless released, on no warning list and no network that is
        too wide. ``said``: what the view says of it.
        """
        if not is_of_its_kind(observable.kind, observable.path, observable.value):
            return False
        if pattern in self.released:
            return True
        if said is not None and said.get("wide"):
            return False
        # a source is trusted with the width of a network of which the view says nothing
        return self.lists.judge(observable, WIDEST_SHOWN if said is None else ANY_WIDTH) is None

    def _asserts(self, obj: StixObject) -> bool:
        """Returns whether an indicator is live, valid today, and asserts malicious activity."""
        return (
            obj.get("pattern_type") == "stix"
            and obj.get("revoked") is not True
            and not has_passed(obj.get("valid_until"), self.today_us)
            and not (obj.get("indicator_types") and _HARMLESS.issuperset(obj["indicator_types"]))
        )

    def _may_block(self, obj: StixObject) -> bool:
        return not any(stated_pap(label) in _BARRING for label in obj.get("labels") or ())


def _said_of_values(obj: StixObject) -> dict[tuple[str, str, str], StixObject]:
    """Returns what the view says of each value that its pattern asserts, by type, path and value."""
    extension = (obj.get("extensions") or {}).get(VIEW_EXTENSION) or {}
    return {(one["type"], one["path"], one["value"]): one for one in extension.get("observables") or ()}


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
