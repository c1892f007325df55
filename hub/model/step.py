"""What one step of a worker reads and writes: the core asks with ``Wanted`` and answers with ``Writes``."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hub.model.claims import Change, Claim, ClaimKey, View
from hub.model.words import CanonicalKey, Seq, StixId

CROWD = 500
"""More referrers of one id than this are looked up page by page, and what need not happen at once happens in steps."""

REFERRERS = "referrers:"
"""Begins the scope of what a step leaves for later ones: ``referrers:COLLECTION:ID``."""


@dataclass(slots=True)
class Wanted:
    """What a step needs to know of the store. Empty means nothing."""

    claims: set[ClaimKey] = field(default_factory=set)
    things: set[CanonicalKey] = field(default_factory=set)
    """All contributions about these things, and their views in every collection."""
    ids: set[StixId] = field(default_factory=set)
    """All contributions under these ids, of whatever centre."""
    referrers: set[StixId] = field(default_factory=set)
    """All contributions that refer to these ids."""
    placements: set[ClaimKey] = field(default_factory=set)
    """Where these relationships stand, in every collection."""
    placed: set[CanonicalKey] = field(default_factory=set)
    """Which relationships stand under these things, in every collection."""
    bodies: set[tuple[int, Seq]] = field(default_factory=set)
    """The bytes of these rows of these logs."""
    carried: set[tuple[int, str]] = field(default_factory=set)
    """How many views of a collection use something."""
    pages: set[tuple[StixId, bytes]] = field(default_factory=set)
    """Of these ids the next ``crowd`` referring contributions above a key, in the order of their keys."""
    issued: set[StixId] = field(default_factory=set)
    """The things for which a collection made these ids, if it did."""
    past: set[tuple[int, StixId]] = field(default_factory=set)
    """The last row of these collections under these ids, which another id has followed since."""
    held: set[tuple[int, StixId]] = field(default_factory=set)
    """What waits for the operator, or was refused by one, of these centres under these ids."""
    crowd: int = CROWD
    """Of ``referrers`` none are given where there are more than this."""

    def __bool__(self) -> bool:
        return any(getattr(self, name) for name in self.__slots__ if name != "crowd")


@dataclass(slots=True)
class Loaded:
    """The answer to ``Wanted``, in full: what is not in it is not there."""

    claims: dict[ClaimKey, Claim] = field(default_factory=dict)
    of_thing: dict[CanonicalKey, list[ClaimKey]] = field(default_factory=dict)
    views: dict[tuple[int, CanonicalKey], View] = field(default_factory=dict)
    of_id: dict[StixId, list[ClaimKey]] = field(default_factory=dict)
    referrers: dict[StixId, list[ClaimKey]] = field(default_factory=dict)
    placements: dict[ClaimKey, dict[int, CanonicalKey]] = field(default_factory=dict)
    placed: dict[CanonicalKey, dict[int, list[ClaimKey]]] = field(default_factory=dict)
    bodies: dict[tuple[int, Seq], bytes] = field(default_factory=dict)
    carried: dict[tuple[int, str], int] = field(default_factory=dict)
    refused: set[tuple[int, StixId, bytes]] = field(default_factory=set)
    """Centre, id, and the digest of what an operator has refused."""
    waits: set[tuple[int, StixId]] = field(default_factory=set)
    """Of what was asked as ``held``, under which centres and ids something waits."""
    crowds: set[StixId] = field(default_factory=set)
    """The ids with too many referrers; ``referrers`` lacks them."""
    pages: dict[tuple[StixId, bytes], list[Claim]] = field(default_factory=dict)
    issued: dict[StixId, CanonicalKey] = field(default_factory=dict)
    past: dict[tuple[int, StixId], Change] = field(default_factory=dict)


@dataclass(slots=True)
class Head:
    """Where a log ends."""

    seq: Seq
    date_us: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one received object came to, for its receipt: nothing more is kept of an object without a code."""

    receipt: str | None
    index: int
    state: str
    id: str | None
    code: str | None
    says: str
    at: str = ""


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
    centre: int
    counts: ReceiptCounts
    problems: tuple[Mapping[str, Any], ...]
    """``index``, ``id``, ``state``, ``code``, ``message``, in the order of the indexes."""


@dataclass(frozen=True, slots=True)
class Held:
    """An object that waits for the operator: the bytes as they came, and why."""

    no: int
    centre: int
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
class Word:
    """What a centre said under an id: its stamp, and the ``modified`` of the object; None where it has none, or the
    centre took back what it had said.
    """

    stamp: bytes
    modified_us: int | None

    @property
    def reaches(self) -> float:
        """The latest ``modified`` that it overtakes."""
        return math.inf if self.modified_us is None else self.modified_us


def last_words(said: Iterable[Word]) -> list[Word]:
    """Those behind which no later one stands that overtakes at least as much, by their stamps."""
    found: list[Word] = []
    for word in sorted(said, key=lambda word: (word.stamp, word.reaches), reverse=True):
        if not found or word.reaches > found[-1].reaches:
            found.append(word)
    return found[::-1]


def is_overtaken(words: Sequence[Word], stamp: bytes, modified_us: int | None) -> bool:
    """Whether, by the ``last_words`` under an id, what came with ``stamp`` is not the newest any more."""
    later = bisect_right(words, stamp, key=lambda word: word.stamp)
    return later < len(words) and (modified_us is None or modified_us <= words[later].reaches)


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
    carried: dict[tuple[int, str], int] = field(default_factory=dict)
    """What the counts change by."""
    heads: dict[int, Head] = field(default_factory=dict)
    receipts: list[ReceiptPart] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    overtaking: dict[tuple[int, StixId], list[Word]] = field(default_factory=dict)
    """Centres' words by id: what waits for the operator under these, and is not newer, is overtaken."""
    released: list[int] = field(default_factory=list)
    """Numbers of held objects that were taken up."""
    counts: dict[int, ReceiptCounts] = field(default_factory=dict)
    """Per centre, what is to be added."""
    sweeps: list[tuple[str, int]] = field(default_factory=list)
    """Scopes of what is left for bounded steps after this one, and the time that their rows carry."""
    cancelled: list[str] = field(default_factory=list)
    """Scopes that earlier steps have left and that nothing waits for any more."""
