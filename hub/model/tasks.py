"""Work that is left for later steps, as values: what is to be done, when, and how far it is done.

A new kind of work is one class here, one line in ``Task``, and one case in the worker.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from hub.model.words import StixId


@dataclass(frozen=True, slots=True)
class Recompute:
    """Compute again what claims show, since the policy has changed."""

    source: int | None = None
    """Only the claims of this source; None: of every source."""
    collection: int | None = None
    """Only in this collection; None: in every collection."""


@dataclass(frozen=True, slots=True)
class TakeTurns:
    """Compute the claims whose references to an id were deferred, in a collection that shows the id now."""

    collection: int
    name: StixId


@dataclass(frozen=True, slots=True)
class TakeReleased:
    """Process the objects that an operator has released."""


@dataclass(frozen=True, slots=True)
class SetDate:
    """Set the date to that of the day on which it is done, and leave the same for the day after."""


Task: TypeAlias = Recompute | TakeTurns | TakeReleased | SetDate


@dataclass(frozen=True, slots=True)
class DueTask:
    """A task as the store keeps it."""

    no: int
    task: Task
    cursor: bytes
    """How far it is done; empty at first."""
    time_us: int
    """When it was caused: the time that the rows of what follows a batch carry."""
