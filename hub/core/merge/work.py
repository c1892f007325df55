"""The items of the engine's queue: each names what has changed, and the collections that it may affect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from hub.core.merge.solution import Place
from hub.core.merge.turns import Referrer
from hub.model.claims import ClaimHead, ClaimKey, ClaimState
from hub.model.words import StixId

Nos = tuple[int, ...]
"""Numbers of collections."""


@dataclass(frozen=True, slots=True)
class ClaimChanged:
    """The step changes a claim."""

    key: ClaimKey


@dataclass(frozen=True, slots=True)
class MeaningChanged:
    """The meaning of an id, or the decision of a marking (``marked_with``), may have changed."""

    name: StixId
    nos: Nos
    if_contested: bool
    """Only matters if other sources claim the id too."""


@dataclass(frozen=True, slots=True)
class FeedbackChanged:
    """The feedback on an id has changed."""

    name: StixId
    nos: Nos


@dataclass(frozen=True, slots=True)
class EndsChanged:
    """The ends of a relationship may mean other things now, so it may itself be another thing."""

    key: ClaimKey


@dataclass(frozen=True, slots=True)
class ViewChanged:
    """A view has been added or removed, or has changed its id."""

    place: Place
    now: StixId | None


Work: TypeAlias = ClaimChanged | MeaningChanged | FeedbackChanged | EndsChanged | ViewChanged | Referrer


def means_the_same(old: ClaimHead, new: ClaimHead) -> bool:
    """Whether an id that only one source claims means the same to every audience before and after a change."""
    return (
        old.thing == new.thing
        and old.thing is not None
        and old.state is ClaimState.LIVE
        and new.state is ClaimState.LIVE
        and old.marks == new.marks
    )
