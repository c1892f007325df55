"""What one step of a worker writes, in one transaction."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hub.model.claims import Change, Claim, ClaimKey, View
from hub.model.tasks import Task
from hub.model.words import CanonicalKey, Seq, StixId


@dataclass(slots=True)
class Head:
    """Where a log ends."""

    seq: Seq
    date_us: int


@dataclass(frozen=True, slots=True)
class ReceiptCounts:
    """What a receipt came to so far."""

    accepted: int = 0
    unchanged: int = 0
    held: int = 0
    rejected: int = 0


@dataclass(frozen=True, slots=True)
class ReceiptPart:
    """What one batch made of one receipt's objects."""

    receipt: str
    source: int
    counts: ReceiptCounts
    problems: tuple[Mapping[str, Any], ...]
    """``index``, ``id``, ``state``, ``code``, ``message``, in the order of the indexes."""


@dataclass(frozen=True, slots=True)
class Held:
    """An object that waits for the operator: the bytes as they came, and why."""

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
    """Of the claim that it would be."""


@dataclass(frozen=True, slots=True)
class Superseding:
    """What a source said under an id, as far as it supersedes what waits there: its stamp, and the ``modified`` of the
    object; None where it has none, or the source took back what it had said.
    """

    stamp: bytes
    modified_us: int | None

    @property
    def up_to(self) -> float:
        """The latest ``modified`` that it supersedes."""
        return math.inf if self.modified_us is None else self.modified_us


def without_superseded(said: Iterable[Superseding]) -> list[Superseding]:
    """Those that no later one supersedes, by stamp."""
    found: list[Superseding] = []
    for one in sorted(said, key=lambda one: (one.stamp, one.up_to), reverse=True):
        if not found or one.up_to > found[-1].up_to:
            found.append(one)
    return found[::-1]


def is_superseded(by: Sequence[Superseding], stamp: bytes, modified_us: int | None) -> bool:
    """Whether what came with ``stamp`` is not the newest any more. ``by``: ``without_superseded``, under its id."""
    later = bisect_right(by, stamp, key=lambda one: one.stamp)
    return later < len(by) and (modified_us is None or modified_us <= by[later].up_to)


@dataclass(slots=True)
class Writes:
    """All that one step writes, in one transaction."""

    claims: list[Claim] = field(default_factory=list)
    references: dict[ClaimKey, tuple[StixId, ...]] = field(default_factory=dict)
    """The references of these contributions from now on."""
    values: dict[CanonicalKey, Mapping[bytes, bool]] = field(default_factory=dict)
    """Keys of the values in the patterns of these things, and whether the pattern asserts the value alone."""
    placements: dict[ClaimKey, dict[int, CanonicalKey]] = field(default_factory=dict)
    """Where these relationships stand from now on, in every collection."""
    views: list[View] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    past_ids: list[View] = field(default_factory=list)
    """Views that have ended and whose id no later generation has."""
    hidden: set[tuple[int, Seq]] = field(default_factory=set)
    """Logs and rows whose object has left its collection; the versions before them leave with them."""
    uses: dict[tuple[int, str], int] = field(default_factory=dict)
    """What the counts change by."""
    heads: dict[int, Head] = field(default_factory=dict)
    receipts: list[ReceiptPart] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    superseding: dict[tuple[int, StixId], list[Superseding]] = field(default_factory=dict)
    """By source and id: what waits for the operator under these, and is not newer, is superseded."""
    released: list[int] = field(default_factory=list)
    """Numbers of held objects that were taken up."""
    counts: dict[int, ReceiptCounts] = field(default_factory=dict)
    """Per source, what is to be added."""
    tasks: list[Task] = field(default_factory=list)
    """What is left for later steps."""
    cancelled: list[Task] = field(default_factory=list)
    """What earlier steps have left and nothing waits for any more."""
    time_us: int = 0
    """When the step was: what it leaves was caused then."""
