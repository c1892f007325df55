"""What is in the engine's queue, as values: each names what has changed, and in which collections that may matter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from hub.core.merge.solution import Place
from hub.core.merge.turns import Referrer
from hub.model.claims import ClaimKey
from hub.model.words import StixId

Nos = tuple[int, ...]
"""Collections, by number."""


@dataclass(frozen=True, slots=True)
class ClaimChanged:
    """The step changes a claim."""

    key: ClaimKey


@dataclass(frozen=True, slots=True)
class MeaningChanged:
    """An id, or a marking (``marked_with``), may mean something else."""

    name: StixId
    nos: Nos
    if_contested: bool
    """Only where others claim the id too."""


@dataclass(frozen=True, slots=True)
class Sighted:
    """Sightings of an id have changed."""

    name: StixId
    nos: Nos


@dataclass(frozen=True, slots=True)
class EndsChanged:
    """A relationship may be between other things now, and so be another thing itself."""

    key: ClaimKey


@dataclass(frozen=True, slots=True)
class ViewChanged:
    """A view has come, gone, or changed its id."""

    place: Place
    now: StixId | None


Work: TypeAlias = ClaimChanged | MeaningChanged | Sighted | EndsChanged | ViewChanged | Referrer
