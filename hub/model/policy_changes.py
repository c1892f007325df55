"""Policy changes of operators as values, and what must be computed again after each.

Every change is numbered and stored. A new kind of change is one class here, one line in ``PolicyChange``, and one case
in ``affected``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias, assert_never

from hub.model.policy import Group, Source
from hub.model.policy_keys import Affects, find_key
from hub.model.tasks import (
    NOTHING_PREVIOUS,
    DropVersions,
    Previous,
    Recompute,
    RecomputeDue,
    RecomputeId,
    TakeReleased,
    Task,
)
from hub.model.words import StixId

Said: TypeAlias = dict[str, Any]
"""Settings as the operator entered them, for the history."""


@dataclass(frozen=True, slots=True)
class SourceAdded:
    """A source was added."""

    name: str
    no: int
    was_named: bool
    """Whether claims may already refer to its identity, or to one that it speaks for."""
    said: Said


@dataclass(frozen=True, slots=True)
class SourceChanged:
    """Settings of a source were changed."""

    name: str
    no: int
    fields: list[str]
    """The changed settings, by their names in ``policy.Source``."""
    said: Said
    previous: Previous = NOTHING_PREVIOUS


@dataclass(frozen=True, slots=True)
class SourceSuspended:
    """A source was suspended, so its claims no longer count; or was resumed."""

    name: str
    no: int
    suspended: bool


@dataclass(frozen=True, slots=True)
class PrincipalChanged:
    """Reading, or credentials, of a principal were changed: no view changes."""

    name: str
    kind: str
    """The kind of the principal."""
    change: str
    """``add``, ``set``, ``suspend``, ``resume``, ``rotate``, ``remove``."""
    said: Said


@dataclass(frozen=True, slots=True)
class GroupAdded:
    """A group was added, with a new marking that no object can carry yet."""

    name: str
    said: Said


@dataclass(frozen=True, slots=True)
class GroupRemoved:
    """A group was removed; objects with its marking are hidden from everyone."""

    name: str
    group: Group | None = None
    """As it was."""


@dataclass(frozen=True, slots=True)
class GroupMembersChanged:
    """The list of a group was changed."""

    name: str
    joined: list[str]
    left: list[str]


@dataclass(frozen=True, slots=True)
class CollectionAdded:
    """A collection was added, and must be filled."""

    name: str
    no: int
    said: Said


@dataclass(frozen=True, slots=True)
class AlertLaneSet:
    """A collection was made an alert lane, or made none: what it shows stays the same."""

    name: str
    no: int
    alert: bool


@dataclass(frozen=True, slots=True)
class CollectionRemoved:
    """A collection was removed."""

    name: str
    no: int


@dataclass(frozen=True, slots=True)
class HeldSettled:
    """An operator has decided about held objects."""

    state: str
    """``released`` or ``refused``."""
    count: int
    said: Said


@dataclass(frozen=True, slots=True)
class IdPinned:
    """It was decided which author comes first under an id."""

    name: StixId
    author: StixId | None
    """None: the usual rule decides again."""


@dataclass(frozen=True, slots=True)
class ValueForgotten:
    """It was decided to erase a value, which is not repeated here, and to refuse it from now on."""

    no: int
    """The number of the request."""
    who: str
    reason: str
    case: str | None


@dataclass(frozen=True, slots=True)
class ValueErased:
    """A value was erased."""

    no: int
    counts: Said
    """How much was erased, by kind."""


@dataclass(frozen=True, slots=True)
class ForgettingLifted:
    """It was decided that what was erased may come again."""

    no: int


@dataclass(frozen=True, slots=True)
class SettingChanged:
    """A value of the policy was set."""

    key: str
    value: str | None
    """As ``hub/model/policy_keys`` writes it; None: the default again."""


@dataclass(frozen=True, slots=True)
class DateSet:
    """A new day was set as the hub's date."""

    day: str
    """``YYYY-MM-DD``"""


@dataclass(frozen=True, slots=True)
class TimesPutBack:
    """Times that a wrong clock had written were corrected."""

    said: Said


PolicyChange: TypeAlias = (
    SourceAdded
    | SourceChanged
    | SourceSuspended
    | PrincipalChanged
    | GroupAdded
    | GroupRemoved
    | GroupMembersChanged
    | CollectionAdded
    | AlertLaneSet
    | CollectionRemoved
    | HeldSettled
    | IdPinned
    | ValueForgotten
    | ValueErased
    | ForgettingLifted
    | SettingChanged
    | DateSet
    | TimesPutBack
)

_SEEN_IN_OTHERS = frozenset({"country", "naming", "alias", "speaks_for"})
"""Settings of a source that also affect views of others' claims: its identity object, references to it, the voice of
relayed claims."""

_OF_ADMISSION = frozenset({"widest_shown"})
"""Settings of a source that decide only about what it sends from now on."""


def affected(change: PolicyChange) -> tuple[Task, ...]:
    """The tasks that a change requires."""
    match change:
        case SourceAdded(was_named=True):
            return (Recompute(),)
        case SourceChanged() | SourceSuspended() | GroupRemoved():
            return _affected_by_terms(change)
        case CollectionAdded():
            return (Recompute(collection=change.no),)
        case HeldSettled() | IdPinned():
            return _affected_by_decision(change)
        case SourceAdded() | PrincipalChanged() | GroupAdded() | GroupMembersChanged():
            return ()
        case AlertLaneSet() | CollectionRemoved():
            return ()
        case SettingChanged(key):
            return _affected_by_setting(key)
        case DateSet():
            return (RecomputeDue(), DropVersions())
        case TimesPutBack(said):
            return (Recompute(type="indicator"),) * bool(said.get("days"))
        case _:
            return _affected_by_erasing(change)


def _affected_by_decision(change: HeldSettled | IdPinned) -> tuple[Task, ...]:
    if isinstance(change, IdPinned):
        return (RecomputeId(change.name),)
    return (TakeReleased(),) if change.state == "released" else ()


def _affected_by_erasing(change: ValueForgotten | ValueErased | ForgettingLifted) -> tuple[Task, ...]:
    """None: erasing has steps of its own, in ``hub/forgetting``."""
    match change:
        case ValueForgotten() | ValueErased() | ForgettingLifted():
            return ()
        case _ as never:
            assert_never(never)


def previous_of(old: Source, new: Source) -> Previous:
    """Who saw the claims of a source before its settings were changed."""
    return Previous(
        old.no,
        old.ceiling if old.ceiling != new.ceiling else None,
        old.default_level if old.default_level != new.default_level else None,
        old.amber_to if old.amber_to != new.amber_to else None,
        old.suspended if old.suspended != new.suspended else None,
    )


def _affected_by_terms(change: SourceChanged | SourceSuspended | GroupRemoved) -> tuple[Task, ...]:
    if isinstance(change, GroupRemoved):
        return (Recompute(previous=Previous(group=change.group)),)
    if isinstance(change, SourceSuspended):
        return (Recompute(change.no, previous=Previous(change.no, suspended=not change.suspended)),)
    fields = set(change.fields)
    if fields <= _OF_ADMISSION:
        return ()
    if fields & _SEEN_IN_OTHERS:
        return (Recompute(previous=change.previous),)
    return (Recompute(change.no, with_members="amber_to" in fields, previous=change.previous),)


def _affected_by_setting(key: str) -> tuple[Task, ...]:
    """The tasks that another value of a key requires."""
    found = find_key(key)
    match None if found is None else found.key.affects:
        case Affects.INDICATORS:
            return (Recompute(type="indicator"),)
        case Affects.VERSIONS:
            return (DropVersions(),)
        case Affects.LATER | None:
            return ()
