"""Tasks for later steps, as values: what to do, when, and how far it is done.

A new kind of task is one class here, one line in ``Task``, and one case in the worker.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from hub.model.words import StixId


@dataclass(frozen=True, slots=True)
class Recompute:
    """Compute again what claims show, because the policy has changed."""

    source: int | None = None
    """Only the claims of this source; None: of all sources."""
    collection: int | None = None
    """Only in this collection; None: in all."""


@dataclass(frozen=True, slots=True)
class TakeTurns:
    """Compute the claims whose references to an id were deferred, in a collection that now shows the id."""

    collection: int
    name: StixId


@dataclass(frozen=True, slots=True)
class TakeReleased:
    """Process the objects that an operator has released."""


@dataclass(frozen=True, slots=True)
class SetDate:
    """Set the hub's date to the current day, and create the same task for the next day."""


Task: TypeAlias = Recompute | TakeTurns | TakeReleased | SetDate


@dataclass(frozen=True, slots=True)
class DueTask:
    """A task as stored."""

    no: int
    task: Task
    cursor: bytes
    """How far it is done; empty at first."""
    time_us: int
    """The time of its cause, which its rows carry if a batch caused it."""
