"""What operators change, as values, and what must be looked at again because of it.

Every change is numbered and kept. A new kind of change is one class here, one line in ``PolicyChange``, and one case in
``affected``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias, assert_never

from hub.model.tasks import Recompute, TakeReleased, Task

Said: TypeAlias = dict[str, Any]
"""Settings as an operator said them, for whoever reads the history."""


@dataclass(frozen=True, slots=True)
class SourceAdded:
    """A source may make claims from now on."""

    name: str
    no: int
    was_named: bool
    """Claims may already name its identity, or one that it speaks for."""
    said: Said


@dataclass(frozen=True, slots=True)
class SourceChanged:
    """Other terms hold for a source."""

    name: str
    no: int
    fields: list[str]
    """What has another value now, by the names of ``policy.Source``."""
    said: Said


@dataclass(frozen=True, slots=True)
class SourceSuspended:
    """A source's claims count no more, or count again."""

    name: str
    no: int
    suspended: bool


@dataclass(frozen=True, slots=True)
class PrincipalChanged:
    """Something about who may read, or with which credentials: no view changes."""

    name: str
    kind: str
    """Of the principal."""
    change: str
    """``add``, ``set``, ``suspend``, ``resume``, ``rotate``, ``remove``."""
    said: Said


@dataclass(frozen=True, slots=True)
class GroupAdded:
    """There is a group, with a marking that nobody can have used."""

    name: str
    said: Said


@dataclass(frozen=True, slots=True)
class GroupRemoved:
    """What carries the group's marking is hidden from everyone."""

    name: str


@dataclass(frozen=True, slots=True)
class GroupMembersChanged:
    """Other principals are on a group's list."""

    name: str
    joined: list[str]
    left: list[str]


@dataclass(frozen=True, slots=True)
class CollectionAdded:
    """A collection is to be filled."""

    name: str
    no: int
    said: Said


@dataclass(frozen=True, slots=True)
class CollectionRemoved:
    """A collection is gone."""

    name: str
    no: int


@dataclass(frozen=True, slots=True)
class HeldSettled:
    """An operator has decided about objects that waited."""

    state: str
    """``released`` or ``refused``."""
    count: int
    said: Said


@dataclass(frozen=True, slots=True)
class DateSet:
    """A day has begun."""

    day: str
    """``YYYY-MM-DD``"""


@dataclass(frozen=True, slots=True)
class TimesPutBack:
    """Times that a wrong clock had given were put back."""

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
    | CollectionRemoved
    | HeldSettled
    | DateSet
    | TimesPutBack
)

_SEEN_IN_OTHERS = frozenset({"country", "naming", "alias", "speaks_for"})
"""What of a source shows in views of others' claims too: its identity object, references to it, whose voice a relayed
claim is.
"""


def affected(change: PolicyChange) -> tuple[Task, ...]:
    """What a change leaves to be done."""
    match change:
        case SourceAdded():
            return (Recompute(),) if change.was_named else ()
        case SourceChanged():
            everybody = not _SEEN_IN_OTHERS.isdisjoint(change.fields)
            return (Recompute(None if everybody else change.no),)
        case SourceSuspended():
            return (Recompute(change.no),)
        case GroupRemoved():
            return (Recompute(),)
        case CollectionAdded():
            return (Recompute(collection=change.no),)
        case HeldSettled():
            return (TakeReleased(),) if change.state == "released" else ()
        case PrincipalChanged() | GroupAdded() | GroupMembersChanged() | CollectionRemoved():
            return ()
        case DateSet() | TimesPutBack():
            return ()
        case _ as never:
            assert_never(never)
