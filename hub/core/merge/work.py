"""The scope of the engine, and the items of its queue: each names what has changed, and the collections that it may
affect.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from hub.core.merge.solution import Place
from hub.core.merge.turns import Referrer
from hub.model.claims import ClaimHead, ClaimKey, ClaimState, FillPlace
from hub.model.policy import Policy
from hub.model.reads import REFERRER_LIMIT
from hub.model.words import StixId

Nos = tuple[int, ...]
"""Numbers of collections."""


@dataclass(frozen=True, slots=True)
class StepScope:
    """Where a step works, and what it knows of other steps."""

    nos: Nos | None = None
    """The collections; None: all."""
    referrer_limit: int = REFERRER_LIMIT
    """If more claims refer to one id, they are read page by page, and may be deferred to later steps."""
    pending: Mapping[tuple[int, StixId], bytes] = field(default_factory=dict)
    """What earlier steps have deferred, with the last key that was computed, by collection and name."""
    policy_before: Policy | None = None
    """See ``Projections``."""
    paced_after_us: int | None = None
    """Versions dated later than this may be too new to be followed; see ``Pace``. None: none is."""
    filled_to: FillPlace | None = None
    """When a collection is being filled: the place of the last claim of this step. Later steps compute those after it.
    """


ALL_COLLECTIONS = StepScope()


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
    nos: Nos


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
