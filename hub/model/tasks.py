"""Work that is left for later steps, as values: what is to be done, from when on, and how far it has come.

A new kind of work is one class here, one line in ``Task``, and one case in the worker.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from hub.model.words import StixId


@dataclass(frozen=True, slots=True)
class Recompute:
    """Look again at what claims come to, since the policy has changed."""

    source: int | None = None
    """Only the claims of this source; None: of every source."""
    collection: int | None = None
    """Only in this collection; None: in every collection."""


@dataclass(frozen=True, slots=True)
class TakeTurns:
    """Let those that refer to an id have their turn in a collection, which shows the id now."""

    collection: int
    name: StixId


@dataclass(frozen=True, slots=True)
class TakeReleased:
    """Take up the objects that an operator has let pass."""


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
    """How far it has come; empty at its beginning."""
    time_us: int
    """When it was caused: the time that the rows of what follows a batch carry."""
