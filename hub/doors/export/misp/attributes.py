"""What MISP is told of an indicator: one attribute for each value that its pattern asserts alone."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace

from hub.core.hold import WarningLists
from hub.doors.export.entry import type_of
from hub.doors.export.misp.attribute_types import attribute_type
from hub.doors.export.misp.tags import confidence_tag, label_tags, own_tags, tlp_tag
from hub.doors.export.selection import (
    asserted_values,
    end_us,
    is_fit,
    is_harmless,
    may_block,
    misfits,
    source_names,
    tlp_of,
)
from hub.model.times import DAY_US, LAST_US, midnight_after, parse_us
from hub.model.words import StixObject

DELETED_DAYS = 90
"""How long a feed says that a value was withdrawn or has expired: longer than a MISP is out of order, and as long as
the longest notice of an erasure (``forget --notice``)."""
_NOTICED_US = 3_600_000_000
"""Time for the hub to notice at midnight that something has expired."""
_HIT_S, _RELEASED_S = 1, 2
"""How much later the time of a value is stated that a list has or that is too wide, and of such a value that an
operator has released: neither changes the indicator, and MISP takes only an attribute whose time has risen. Times may
fall again: no stated time is later than ``latest_us``, so that of the next change is greater than all before.
"""


@dataclass(frozen=True, slots=True)
class MispRules:
    """What decides besides the indicators what a feed says."""

    today_us: int | None = None
    """The start of the hub's current date; None: no date has been set, and nothing has expired."""
    lists: WarningLists = field(default_factory=WarningLists)
    released: Collection[str] = frozenset()
    """Canonical patterns that an operator has released although a list has a value of them."""
    latest_us: int = LAST_US
    """The latest time that a feed states, in microseconds since 1970. MISP compares whole seconds, so a change must not
    be stated with a second in which another one may follow."""


@dataclass(frozen=True, slots=True)
class MispAttribute:
    """A value as MISP stores it."""

    type: str
    category: str
    value: str
    to_ids: bool
    """Whether it may be blocked."""
    deleted: bool
    """Whether it was withdrawn or has expired."""
    changed_us: int
    """The time of its last change, in microseconds since 1970."""
    later_s: int
    """How much later its time is stated, in seconds: 0, ``_HIT_S`` or ``_RELEASED_S``."""
    comment: str
    first_seen: str | None
    last_seen: str | None
    tags: tuple[str, ...]

    @property
    def place(self) -> tuple[str, str]:
        """What is unique in an event: MISP refuses a second attribute of the same type and value."""
        return (self.type, self.value)


def changed_us(obj: StixObject, modified_us: int, today_us: int | None) -> int:
    """Returns when what a feed says of an indicator has changed, in microseconds since 1970: with its version, or when
    the hub has noticed that it has expired.
    """
    ended_us = end_us(obj, modified_us, today_us)
    if ended_us is None or obj.get("revoked") is True:
        return modified_us
    return max(modified_us, midnight_after(ended_us - 1) + _NOTICED_US)


def is_listed(obj: StixObject, modified_us: int, today_us: int | None) -> bool:
    """Returns whether an indicator is live, or has ended recently."""
    ended_us = end_us(obj, modified_us, today_us)
    return ended_us is None or today_us is None or ended_us >= today_us - DELETED_DAYS * DAY_US


def attributes_of(obj: StixObject, modified_us: int, rules: MispRules) -> Iterator[MispAttribute]:
    """Yields the attributes of an indicator with a STIX pattern. Values that MISP cannot store are missing."""
    is_live = end_us(obj, modified_us, rules.today_us) is None
    is_allowed = is_live and may_block(obj) and not is_harmless(obj)
    tags = tuple(dict.fromkeys(_tags(obj)))
    times = _times(obj)
    last_us = changed_us(obj, modified_us, rules.today_us)
    for said in asserted_values(obj):
        value = str(said["value"])
        found = attribute_type(type_of(said["type"], said["path"]), value)
        if found is None:
            continue
        is_for_ids = found.to_ids and is_allowed
        later_s = _later_s(said, obj["pattern"], rules) if is_for_ids else 0
        yield MispAttribute(
            type=found.name,
            category=found.category,
            value=value,
            to_ids=is_for_ids and later_s != _HIT_S,
            deleted=not is_live,
            changed_us=last_us,
            later_s=later_s,
            comment=_comment(obj),
            first_seen=times[0],
            last_seen=times[1],
            tags=tags,
        )


def left_out(obj: StixObject) -> int:
    """Returns how many values of a live indicator MISP is not told; 1 for a pattern that asserts none alone."""
    if obj["pattern_type"] != "stix":
        return 1
    values = [(type_of(one["type"], one["path"]), str(one["value"])) for one in asserted_values(obj)]
    missing = sum(attribute_type(*one) is None for one in values) + sum(1 for _ in misfits(obj))
    return missing if values or missing else 1


def one_of_each(attributes: Iterable[MispAttribute]) -> list[MispAttribute]:
    """Returns one attribute for each type and value, in this order: of several, the one that may be blocked, is live,
    or is newest. It has the latest times of all, so that MISP takes it when another one ends or is released.
    """
    chosen: dict[tuple[str, str], MispAttribute] = {}
    latest: dict[tuple[str, str], tuple[int, int]] = {}
    for one in attributes:
        known = chosen.get(one.place)
        if known is None or _rank(one) > _rank(known):
            chosen[one.place] = one
        last_us, later_s = latest.get(one.place, (one.changed_us, 0))
        latest[one.place] = max(one.changed_us, last_us), max(one.later_s, later_s)
    return [_with_times(chosen[place], *latest[place]) for place in sorted(chosen)]


def _with_times(one: MispAttribute, changed_us: int, later_s: int) -> MispAttribute:
    is_same = (one.changed_us, one.later_s) == (changed_us, later_s)
    return one if is_same else replace(one, changed_us=changed_us, later_s=later_s)


def _later_s(said: StixObject, pattern: str, rules: MispRules) -> int:
    """Returns ``later_s`` of a value that may be blocked unless a list has it or it is too wide."""
    if is_fit(said, pattern, rules.lists, released=()):
        return 0
    return _RELEASED_S if pattern in rules.released else _HIT_S


def _rank(one: MispAttribute) -> tuple[bool, bool, int, str]:
    return (one.to_ids, not one.deleted, one.changed_us, one.comment)


def _comment(obj: StixObject) -> str:
    confidence = obj.get("confidence")
    return str(obj["id"]) if confidence is None else f"{obj['id']}, confidence {confidence}"


def _times(obj: StixObject) -> tuple[str | None, str | None]:
    """Returns when an indicator is valid. MISP stores no times before 1970."""
    begin, end = obj["valid_from"], obj.get("valid_until")
    return (begin if parse_us(begin) >= 0 else None, end if end is not None and parse_us(end) >= 0 else None)


def _tags(obj: StixObject) -> Iterator[str]:
    if label := tlp_of(obj):
        yield tlp_tag(label)
    yield from label_tags(obj.get("labels") or ())
    if (confidence := obj.get("confidence")) is not None:
        yield confidence_tag(confidence)
    yield from own_tags("indicator-type", obj.get("indicator_types") or ())
    yield from own_tags("source", source_names(obj))
