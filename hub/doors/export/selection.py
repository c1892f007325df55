"""Selects what a list contains: the values of indicators that a device may block, or whole objects.

The values are those of the view's own extension, which the merge takes from the pattern. Each is checked again with the
warning lists, since an object may be older than a list's entry.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

import orjson

from hub.core.hold import WarningLists
from hub.doors.export.entry import Entry, ListedObject, ListItem, rated, type_of
from hub.doors.export.format import Format, Unit
from hub.model.extensions import VIEW_EXTENSION
from hub.model.markings import LEVEL_OF_ID, PAP_ORDER, stated_pap
from hub.model.policy import ANY_WIDTH
from hub.model.problems import Problem
from hub.model.stix_types import STIX_TYPES
from hub.model.times import DAY_US, has_passed, parse_us
from hub.model.words import StixObject
from hub.patterns import Observable, canonical, is_of_its_kind
from hub.store.port import LogPage, LogRow

_BARRING = frozenset(range(PAP_ORDER.index("AMBER"), len(PAP_ORDER)))
"""PAP:AMBER allows only passive use, PAP:RED only use that nobody can notice. Blocking is active use.

A view has one label with the strictest PAP of its claims, whether these state it by a label or by a marking."""
_ONE_VALUE = re.compile(r"\[[^ ]+ = '(?:[^'\\]|\\.)*'\]", re.DOTALL)
"""A pattern in canonical form that asserts one value and nothing else."""
_HARMLESS = frozenset({"benign"})
_ONE_PROPERTY = frozenset(name for name, row in STIX_TYPES.items() if row.value == "value")
"""Types that are a kind of value. Others, such as ``file``, have several properties; ``type`` selects all of them."""


@dataclass(slots=True)
class Skipped:
    """Counts the values that an export has left out."""

    count: int = 0


class _State(Enum):
    LIVE = auto()
    REMOVED = auto()
    ABSENT = auto()


@dataclass(frozen=True, slots=True)
class Selection:
    """The criteria of one export."""

    format: Format
    kinds: frozenset[str] = frozenset()
    """Names as ``type_of`` returns them, or kinds of observable, of objects their types; empty: all."""
    min_confidence: int = 0
    today_us: int | None = None
    """The start of the hub's current date; None: no date has been set, and nothing has expired."""
    lists: WarningLists = field(default_factory=WarningLists)
    """The warning lists that each value is checked with."""
    released: Collection[str] = frozenset()
    """Canonical patterns that an operator has released although a list has a value of them."""
    skipped: Skipped = field(default_factory=Skipped)
    """Counts requested values that are left out: not of their kind, forbidden by PAP, on a warning list, or too
    wide."""

    def items(self, page: LogPage) -> Iterator[ListItem]:
        """Yields what the list contains of a page."""
        for row, body in page.with_bodies():
            yield from self.of_row(row, body)

    def of_row(self, row: LogRow, body: bytes) -> Iterator[ListItem]:
        """Yields what the list contains of a row."""
        match self.format.unit:
            case Unit.VALUE:
                return self._values_of(row, body)
            case Unit.INDICATOR:
                return self._object(row, body, self._may_list)
            case Unit.OBJECT:
                return self._object(row, body, self._is_shown)

    def values(self, page: LogPage) -> Iterator[Entry]:
        """Yields the values of a page's indicators that may be blocked."""
        for row, body in page.with_bodies():
            yield from self._values_of(row, body)

    def _object(self, row: LogRow, body: bytes, is_listed: Callable[[StixObject, int], bool]) -> Iterator[ListedObject]:
        if not row.withdrawn and is_listed(obj := orjson.loads(body), row.version_us):
            yield ListedObject(row.object_id, row.type, body, obj, row.version_us)

    # ---------------------------------------------------------------- values

    def _values_of(self, row: LogRow, body: bytes) -> Iterator[Entry]:
        if not row.withdrawn:
            return self._values(orjson.loads(body), row.version_us)
        if self.format.removed_days and body:  # it has none if it was erased
            return self._values({**orjson.loads(body), "revoked": True}, row.version_us)
        return iter(())

    def _values(self, obj: StixObject, modified_us: int) -> Iterator[Entry]:
        if obj["pattern_type"] != "stix" or is_harmless(obj) or not self._is_sure(obj):
            return
        state = self._state(obj, modified_us)
        if state is _State.ABSENT:
            return
        said = [(type_of(one["type"], one["path"]), one) for one in asserted_values(obj)]
        wanted = [(name, one) for name, one in said if self._is_wanted(name, one["type"])]
        is_allowed = may_block(obj)
        fit = [
            (name, one) for name, one in wanted if is_allowed and is_fit(one, obj["pattern"], self.lists, self.released)
        ]
        if state is _State.LIVE:
            self.skipped.count += len(wanted) - len(fit) + sum(self._is_wanted(*one) for one in misfits(obj))
        if fit:
            yield from _entries(obj, fit, modified_us, removed=state is _State.REMOVED)

    def _is_wanted(self, name: str, kind: str) -> bool:
        return not self.kinds or name in self.kinds or (kind in self.kinds and kind not in _ONE_PROPERTY)

    # ---------------------------------------------------------------- whole objects

    def _may_list(self, obj: StixObject, modified_us: int) -> bool:
        """Returns whether an indicator is listed: a STIX pattern if one of its values may be blocked."""
        if obj["pattern_type"] != self.format.pattern_type:
            return False
        if self.format.pattern_type == "stix":
            return next(self._values(obj, modified_us), None) is not None
        if is_harmless(obj) or not self._is_sure(obj) or self._state(obj, modified_us) is not _State.LIVE:
            return False
        if may_block(obj):
            return True
        self.skipped.count += 1
        return False

    def _is_shown(self, obj: StixObject, modified_us: int) -> bool:
        is_wanted = not self.kinds or obj["type"] in self.kinds
        return is_wanted and self._is_sure(obj) and self._state(obj, modified_us) is _State.LIVE

    # ---------------------------------------------------------------- both

    def _is_sure(self, obj: StixObject) -> bool:
        least = self.min_confidence
        return not least or obj["type"] != "indicator" or rated(obj.get("confidence")) >= least

    def _state(self, obj: StixObject, modified_us: int) -> _State:
        ended_us = end_us(obj, modified_us, self.today_us)
        if ended_us is None:
            return _State.LIVE
        days = self.format.removed_days
        is_recent = days and (self.today_us is None or ended_us >= self.today_us - days * DAY_US)
        return _State.REMOVED if is_recent else _State.ABSENT


def is_fit(said: StixObject, pattern: str, lists: WarningLists, released: Collection[str]) -> bool:
    """Returns whether a value is, unless released, on no warning list and no network that is too wide."""
    if pattern in released:
        return True
    if said.get("wide"):
        return False
    # the view says which networks are too wide: some sources are trusted with wider ones
    return lists.judge(Observable(said["type"], said["path"], said["value"]), ANY_WIDTH) is None


def end_us(obj: StixObject, modified_us: int, today_us: int | None) -> int | None:
    """Returns when an object was withdrawn or expired, in microseconds since 1970; None: it is live."""
    if obj.get("revoked") is True:
        return modified_us
    return parse_us(obj["valid_until"]) if has_passed(obj.get("valid_until"), today_us) else None


def is_harmless(obj: StixObject) -> bool:
    """Returns whether an indicator only says that something is benign."""
    types = obj.get("indicator_types") or ()
    return bool(types) and _HARMLESS.issuperset(types)


def may_block(obj: StixObject) -> bool:
    """Returns whether the PAP of an object allows blocking."""
    return not any(stated_pap(label) in _BARRING for label in obj.get("labels") or ())


def tlp_of(obj: StixObject) -> str:
    """Returns the strictest TLP level of an object, as ``Level.label``; empty without one."""
    levels = [LEVEL_OF_ID[ref] for ref in obj.get("object_marking_refs") or () if ref in LEVEL_OF_ID]
    return max(levels).label if levels else ""


def view_extension(obj: StixObject) -> StixObject:
    """Returns what the hub says of an object in its extension."""
    found: StixObject = (obj.get("extensions") or {}).get(VIEW_EXTENSION) or {}
    return found


def source_names(obj: StixObject) -> tuple[str, ...]:
    """Returns the names of the sources of an object that the collection shows."""
    return tuple(one["name"] for one in view_extension(obj).get("sources") or ())


def asserted_values(obj: StixObject) -> Collection[StixObject]:
    """Returns the values that the view's pattern asserts, each with its type and path."""
    return view_extension(obj).get("observables") or ()


def misfits(obj: StixObject) -> Iterator[tuple[str, str]]:
    """Yields type name and kind of each value that a pattern asserts though it is not of its kind: the view does not
    have them.
    """
    pattern, has = obj["pattern"], len(asserted_values(obj))
    if has and _ONE_VALUE.fullmatch(pattern):
        return  # parsing takes most of the time of a list
    found = canonical(pattern, limit_chars=2 * len(pattern) + 1)
    if not isinstance(found, Problem) and len(found.asserted) > has:
        for one in found.asserted:
            if not is_of_its_kind(one.kind, one.path, one.value):
                yield type_of(one.kind, one.path), one.kind


def _entries(
    obj: StixObject, values: Sequence[tuple[str, StixObject]], modified_us: int, *, removed: bool
) -> Iterator[Entry]:
    tlp = tlp_of(obj)
    labels, types = tuple(obj.get("labels") or ()), tuple(obj.get("indicator_types") or ())
    sources = source_names(obj)
    for name, one in values:
        yield Entry(
            type=name,
            value=one["value"],
            confidence=obj.get("confidence"),
            valid_from=obj["valid_from"],
            valid_until=obj.get("valid_until"),
            tlp=tlp,
            modified=obj["modified"],
            id=obj["id"],
            modified_us=modified_us,
            labels=labels,
            indicator_types=types,
            sources=sources,
            removed=removed,
        )
