"""What one step of a worker writes, in one transaction."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hub.model.breaker import BreakerState
from hub.model.claims import Change, Claim, ClaimKey, View
from hub.model.held import HeldAs, held_as
from hub.model.tasks import Task
from hub.model.words import CanonicalKey, Seq, StixId, Withdrawal


@dataclass(slots=True)
class Head:
    """The last number and date of a log."""

    seq: Seq
    date_us: int
    edits: int = 0
    """How often earlier rows of the log have been changed or deleted; only of a head that a reader returns."""


@dataclass(frozen=True, slots=True)
class ReceiptCounts:
    """The states of a receipt's objects so far."""

    accepted: int = 0
    unchanged: int = 0
    held: int = 0
    rejected: int = 0


@dataclass(frozen=True, slots=True)
class ReceiptPart:
    """The results of one batch for one receipt."""

    receipt: str
    source: int
    counts: ReceiptCounts
    problems: tuple[Mapping[str, Any], ...]
    """``index``, ``id``, ``state``, ``code`` and ``message`` of each, ordered by index."""
    objects: tuple[tuple[int, str | None, str | None], ...] | None = None
    """The index, id and version of every object, for a push over TAXII; None for any other push."""


@dataclass(frozen=True, slots=True)
class Held:
    """An object or a withdrawal that is held for a decision: the original bytes, and the reason."""

    no: int
    source: int
    stix_id: str
    code: str
    list_name: str
    says: str
    value: bytes
    stamp: bytes
    receipt: str | None
    index: int
    at_us: int
    modified_us: int | None = None
    digest: bytes = b""
    """The digest of the claim that it would make."""
    withdrawal: Withdrawal | None = None
    """What it does if it is a withdrawal; then it has no bytes."""
    thing: CanonicalKey | None = None
    """What the claim that it would make is about."""

    @property
    def held_as(self) -> HeldAs:
        """Why it is held."""
        return held_as(self.code, self.withdrawal)


@dataclass(frozen=True, slots=True)
class Superseding:
    """A later arrival under an id, which supersedes what is held there: its stamp, and the ``modified`` of the object;
    None if it has none, or is a withdrawal.
    """

    stamp: bytes
    modified_us: int | None
    least: HeldAs = HeldAs.FOR_CONTENT
    """It supersedes only what is held as this, or as what comes after it."""

    @property
    def up_to(self) -> float:
        """The latest ``modified`` that it supersedes."""
        return math.inf if self.modified_us is None else self.modified_us

    def supersedes(self, stamp: bytes, modified_us: int | None, held: HeldAs) -> bool:
        """Whether it supersedes something held with this stamp."""
        older = modified_us is None or modified_us <= self.up_to
        return stamp < self.stamp and older and held >= self.least


def without_superseded(said: Iterable[Superseding]) -> list[Superseding]:
    """The entries that no later one makes redundant, ordered by stamp."""
    found: list[Superseding] = []
    for one in sorted(said, key=lambda one: (one.stamp, one.up_to), reverse=True):
        if not any(later.up_to >= one.up_to and later.least <= one.least for later in found):
            found.append(one)
    return found[::-1]


@dataclass(slots=True)
class Writes:
    """Everything that one step writes, in one transaction."""

    claims: list[Claim] = field(default_factory=list)
    references: dict[ClaimKey, tuple[StixId, ...]] = field(default_factory=dict)
    """The new references of these contributions."""
    values: dict[CanonicalKey, Mapping[bytes, bool]] = field(default_factory=dict)
    """Keys of the values in the patterns of these things, and whether the pattern asserts the value alone."""
    placements: dict[ClaimKey, dict[int, CanonicalKey]] = field(default_factory=dict)
    """The things that these relationships are now about, by collection."""
    views: list[View] = field(default_factory=list)
    due_days: dict[tuple[int, CanonicalKey], int | None] = field(default_factory=dict)
    """The next date at which a view changes by itself, by collection and thing, of views that do not change now."""
    late: dict[tuple[int, CanonicalKey], int | None] = field(default_factory=dict)
    """When the next version of a view is due that the pace has put off, by collection and thing; None: none is."""
    changes: list[Change] = field(default_factory=list)
    received: dict[tuple[int, Seq], int] = field(default_factory=dict)
    """By log and row, when the newest claim that caused the row was received, in microseconds since 1970."""
    past_ids: list[View] = field(default_factory=list)
    """Previous views whose id was replaced by another id."""
    hidden: set[tuple[int, Seq]] = field(default_factory=set)
    """Logs and rows whose object has left its collection; its earlier versions are hidden too."""
    uses: dict[tuple[int, str], int] = field(default_factory=dict)
    """The changes of the use counts."""
    heads: dict[int, Head] = field(default_factory=dict)
    receipts: list[ReceiptPart] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    superseding: dict[tuple[int, StixId], list[Superseding]] = field(default_factory=dict)
    """By source and id: held objects under them that are not newer are superseded."""
    released: list[int] = field(default_factory=list)
    """Numbers of held objects that were processed after their release."""
    counts: dict[int, ReceiptCounts] = field(default_factory=dict)
    """By source, the counts to add."""
    live: dict[int, int] = field(default_factory=dict)
    """By source, the change in the number of its live claims."""
    breakers: dict[int, BreakerState] = field(default_factory=dict)
    """By source, what the breaker has counted."""
    tripped: list[int] = field(default_factory=list)
    """The sources whose breaker has tripped in this step."""
    unwanted: list[tuple[str, int, int]] = field(default_factory=list)
    """Topics, partitions and offsets of records that say something that was erased."""
    tasks: list[Task] = field(default_factory=list)
    """New tasks for later steps."""
    cancelled: list[Task] = field(default_factory=list)
    """Tasks of earlier steps that are no longer needed."""
    time_us: int = 0
    """The time of the step, which its tasks inherit."""
