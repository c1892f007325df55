"""Tasks for later steps, as values: what to do, when, and how far it is done.

A new kind of task is one class here, one line in ``Task``, and one case in the worker.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from hub.model.policy import Group, Policy
from hub.model.words import GroupName, Level, StixId


@dataclass(frozen=True, slots=True)
class Previous:
    """What decided, before a change, who saw the claims of a source; None where the change did not concern it."""

    source: int | None = None
    """The source; its members' claims at amber went where its own went."""
    ceiling: Level | None = None
    default_level: Level | None = None
    amber_to: tuple[GroupName, ...] | None = None
    suspended: bool | None = None
    group: Group | None = None
    """A group that has been removed."""

    def policy(self, now: Policy) -> Policy:
        """A policy by which the same see a claim who saw it before the change."""
        sources = dict(now.sources)
        said: dict[str, Any] = {
            "ceiling": self.ceiling,
            "default_level": self.default_level,
            "suspended": self.suspended,
        }
        terms = {name: value for name, value in said.items() if value is not None}
        for no, source in now.sources.items():
            mine = terms if no == self.source else {}
            if self.amber_to is not None and self.source in (no, source.accredited_by):
                mine = {**mine, "amber_to": self.amber_to}
            if mine:
                sources[no] = replace(source, **mine)
        groups = now.groups if self.group is None else {**now.groups, self.group.name: self.group}
        return replace(now, sources=sources, groups=groups)


NOTHING_PREVIOUS = Previous()


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
    previous: Previous = NOTHING_PREVIOUS
    """Who saw the claims before the change."""

    def precedence(self, policy: Policy) -> tuple[bool, bool]:
        """Sort key: claims of suspended sources are taken away first, new collections are filled last."""
        source = policy.sources.get(self.source or 0)
        return (source is None or not source.suspended, self.collection is not None)


@dataclass(frozen=True, slots=True)
class RecomputeId:
    """Compute again what the claims under one STIX id show, because the operator has decided whose it is."""

    name: StixId

    @property
    def collection(self) -> None:
        """In all collections."""
        return

    @property
    def previous(self) -> Previous:
        """The decision does not change who sees a claim."""
        return NOTHING_PREVIOUS


@dataclass(frozen=True, slots=True)
class RecomputeDue:
    """Compute again the views whose next date has come."""

    collection: int | None = None
    """Of this collection; None: one task for each collection follows."""


@dataclass(frozen=True, slots=True)
class PublishLate:
    """Publish the versions that the pace has put off and that are due."""

    collection: int


@dataclass(frozen=True, slots=True)
class DropVersions:
    """Delete the superseded versions that the policy does not keep."""

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


Task: TypeAlias = (
    Recompute | RecomputeId | RecomputeDue | PublishLate | DropVersions | TakeTurns | TakeReleased | SetDate
)


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
        if self.total is None or not self.per_s:
            return None
        return max(0, round((self.total - self.done) / self.per_s))  # a filled collection may take later ones too


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
