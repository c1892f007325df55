"""Tasks for later steps, as values: what to do, when, and how far it is done.

A new kind of task is one class here, one line in ``Task``, and one case in the worker.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from hub.model.policy import Policy
from hub.model.words import StixId


@dataclass(frozen=True, slots=True)
class Recompute:
    """Compute again what claims show, because the policy has changed."""

    source: int | None = None
    """Only the claims of this source; None: of all sources."""
    collection: int | None = None
    """Only in this collection; None: in all."""
    with_members: bool = False
    """Also the claims of the members that the source, a centre, has accredited."""
    type: str | None = None
    """Only the claims of this STIX type; None: of all types."""

    def precedence(self, policy: Policy) -> tuple[bool, bool]:
        """Sort key: claims of suspended sources are taken away first, new collections are filled last."""
        source = policy.sources.get(self.source or 0)
        return (source is None or not source.suspended, self.collection is not None)


@dataclass(frozen=True, slots=True)
class RecomputeId:
    """Compute again what the claims under one STIX id show, because the operator has decided whose it is."""

    name: StixId


@dataclass(frozen=True, slots=True)
class RecomputeDue:
    """Compute again the views whose next date has come."""

    collection: int | None = None
    """Of this collection; None: one task for each collection follows."""


@dataclass(frozen=True, slots=True)
class DropVersions:
    """Delete the versions that a newer one of the same object has followed for longer than the policy keeps them."""

    collection: int | None = None
    """Of this collection; None: one task for each collection follows."""


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


Task: TypeAlias = Recompute | RecomputeId | RecomputeDue | DropVersions | TakeTurns | TakeReleased | SetDate


@dataclass(frozen=True, slots=True)
class DueTask:
    """A task as stored."""

    no: int
    task: Task
    cursor: bytes
    """How far it is done; empty at first."""
    time_us: int
    """The time of its cause, which its rows carry if a batch caused it."""
    until: int | None = None
    """Of a task over claims: the number of the last claim that it covers; None before its first step."""


@dataclass(frozen=True, slots=True)
class TaskProgress:
    """How far a task over claims is."""

    task: Recompute
    done: int
    """Number of claims computed."""
    total: int | None
    """Number of claims that it covers, counted at its first step; None before that."""
    per_s: float | None
    """Claims per second since its first step; None if it is not known yet."""

    @property
    def left_s(self) -> int | None:
        """The estimated time until it is done, in seconds; None if it is not known yet."""
        return None if self.total is None or not self.per_s else round((self.total - self.done) / self.per_s)


def progress_of(
    task: Recompute, *, done: int, total: int | None, started_us: int | None, moved_us: int | None
) -> TaskProgress:
    """How far a task is, from its stored numbers: ``started_us`` and ``moved_us`` are the times of its first and of its
    last step.

    >>> progress_of(Recompute(), done=300, total=900, started_us=0, moved_us=2_000_000).left_s
    4
    """
    spent_us = (moved_us or 0) - (started_us or 0)
    return TaskProgress(task, done, total, done * 1e6 / spent_us if done and spent_us > 0 else None)
