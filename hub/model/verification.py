"""What a verification reads of a stored hub, and the differences that it finds, as values."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from hub.model.claims import Change, Claim, ClaimKey, View
from hub.model.words import CanonicalKey, Seq


class StorePart(StrEnum):
    """Which part of the store differs."""

    CLAIM = "claim"
    """A contribution."""
    INDEX = "index"
    """The index of the references of a contribution."""
    VIEW = "view"
    ROW = "row"
    """A row of a change log."""
    LOG = "log"
    """The end of a log."""
    PLACEMENT = "placement"
    USES = "uses"
    RECEIPT = "receipt"
    """The counts of a source."""
    LIVE = "live"
    """The number of a source's live claims."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference between what is stored and what must be stored."""

    part: StorePart
    says: str
    collection: int | None = None
    """The number of the collection, or of the log."""
    thing: CanonicalKey | None = None
    object_id: str = ""
    key: ClaimKey | None = None
    source: int | None = None
    seq: Seq | None = None
    by: int = 0
    """How much must be added to a count."""


@dataclass(slots=True)
class Doubted:
    """What must be computed again although no claim has changed: because it differs, or because of the date."""

    claims: set[ClaimKey] = field(default_factory=set)
    things: set[CanonicalKey] = field(default_factory=set)
    relationships: set[CanonicalKey] = field(default_factory=set)
    """Those of the things that are merged relationships."""
    used: set[str] = field(default_factory=set)
    """The names of objects that are shown only while others use them."""


@dataclass(slots=True)
class StoredSlice:
    """What a store has about the things of one slice of claims."""

    last: int | None = None
    """The number of the last claim of the slice; None: there are no more."""
    things: dict[CanonicalKey, list[Claim]] = field(default_factory=dict)
    """The things whose first claim is in the slice, with all claims about each; and those without claims. A merged
    relationship has no claims here.
    """
    views: dict[CanonicalKey, dict[int, View]] = field(default_factory=dict)
    """By thing and collection; includes views that have ended."""
    rows: dict[tuple[int, CanonicalKey], Change] = field(default_factory=dict)
    """The rows that the views point to."""
    placeable: dict[ClaimKey, Claim] = field(default_factory=dict)
    """The relationships of the slice between things that merge."""
    placements: dict[ClaimKey, dict[int, CanonicalKey]] = field(default_factory=dict)
    """Where these are placed."""
    placed: dict[CanonicalKey, dict[int, list[Claim]]] = field(default_factory=dict)
    """All relationships that are placed at each of the things that are merged relationships, by collection."""
    references: dict[ClaimKey, set[str]] = field(default_factory=dict)
    """What the index of references has of the claims of the slice."""
    has_feedback: bool = True
    """Whether there may be feedback on anything in the whole hub."""


@dataclass(slots=True)
class Tally:
    """How many views use something, by collection and name."""

    computed: Counter[tuple[int, str]] = field(default_factory=Counter)
    """Of the views as they must be."""
    stored: Counter[tuple[int, str]] = field(default_factory=Counter)
    """Of the views as they are stored."""

    def add(self, other: Tally) -> None:
        """Add the numbers of another part of the store."""
        self.computed.update(other.computed)
        self.stored.update(other.stored)


@dataclass(slots=True)
class Findings:
    """What the verification of one part of the store has found."""

    differences: list[Difference] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    unproven: dict[tuple[int, CanonicalKey], str] = field(default_factory=dict)
    """Views, with their ids, that are as they must be if others that need views are shown; still to be proved."""
    beside: dict[tuple[int, CanonicalKey], tuple[View, Change | None]] = field(default_factory=dict)
    """Views of objects that are shown only because others use them, each with its row."""
    things: int = 0

    def add(self, other: Findings) -> None:
        """Add what was found in another part."""
        self.differences += other.differences
        self.tally.add(other.tally)
        self.unproven |= other.unproven
        self.beside |= other.beside
        self.things += other.things
