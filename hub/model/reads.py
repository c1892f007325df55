"""What a step must read from the store before it can continue, and the answers of the store.

A read has a kind and a key. Answers are complete: every requested key has one, even if the store has nothing. A new
kind of read is one line here and one loader in the store.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar, cast

from hub.model.breaker import BreakerRecord
from hub.model.claims import Change, Claim, ClaimKey, View
from hub.model.held import HeldAs
from hub.model.words import CanonicalKey, Seq, StixId, Withdrawal

REFERRER_LIMIT = 500
"""If more claims than this refer to one id, they are read page by page, and may be deferred to later steps."""

K = TypeVar("K", bound=Hashable)
A = TypeVar("A")


class Read(Generic[K, A]):
    """A kind of read, with keys of type ``K`` and answers of type ``A``."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


class ThingRecord(NamedTuple):
    """What the store has about a thing."""

    claims: list[Claim]
    views: dict[int, View]
    """By number of the collection; includes views that have ended."""


class DueViews(NamedTuple):
    """The views of a collection that change by themselves until a date, ``limit`` at most."""

    collection: int
    day: int
    """In days since 1970."""
    limit: int


class LateViews(NamedTuple):
    """The views of a collection whose next version was put off until a time, ``limit`` at most."""

    collection: int
    until_us: int
    limit: int


class LateThings(NamedTuple):
    """The things of such views, and what comes after them."""

    things: list[CanonicalKey]
    next_us: int | None
    """The next such time after ``until_us``; None: there is none."""


class WaitingVersion(NamedTuple):
    """A held object or withdrawal, without its content."""

    stamp: bytes
    modified_us: int | None
    digest: bytes
    """Of the claim that it would make."""
    held_as: HeldAs = HeldAs.FOR_CONTENT
    withdrawal: Withdrawal | None = None
    """None: it is an object."""


class HeldRecord(NamedTuple):
    """What a source has under an id besides a claim."""

    waiting: tuple[WaitingVersion, ...]
    refused: frozenset[bytes]
    """The digests of the objects that an operator has refused for their content."""


CLAIM: Read[ClaimKey, Claim | None] = Read("claim")
REPLACED: Read[ClaimKey, Claim | None] = Read("replaced")
"""The claim that the step may replace: no other step changes it before this one has ended."""
THING: Read[CanonicalKey, ThingRecord] = Read("thing")
UNDER_ID: Read[StixId, list[Claim]] = Read("under id")
"""All claims under a STIX id, of all sources."""
REFERRERS: Read[StixId, list[Claim] | None] = Read("referrers")
"""All claims that refer to an id; None if there are more than ``Reads.referrer_limit``."""
PAGE: Read[tuple[StixId, bytes], list[Claim]] = Read("page of referrers")
"""The next ``Reads.referrer_limit`` claims that refer to an id, after a key and ordered by key."""
PLACEMENT: Read[ClaimKey, dict[int, CanonicalKey]] = Read("placement")
"""The things that a relationship is about, by collection."""
PLACED: Read[CanonicalKey, dict[int, list[Claim]]] = Read("placed")
"""The relationships that are about a thing, by collection."""
BODY: Read[tuple[int, Seq], bytes] = Read("body")
"""The bytes of a row of a log."""
USES: Read[tuple[int, str], int] = Read("uses")
"""The number of views of a collection that use something."""
ISSUED: Read[StixId, CanonicalKey | None] = Read("issued")
"""The thing for which the hub made this id; None if it did not make it."""
PAST: Read[tuple[int, StixId], Change | None] = Read("past")
"""The last object that a collection showed under an id that its view no longer has."""
HELD: Read[tuple[int, StixId], HeldRecord] = Read("held")
"""The held and the refused objects under a source's id."""
LATE: Read[LateViews, LateThings] = Read("late")
"""The views whose next version has been put off, the earliest first; the order depends only on what the collection
shows."""
DUE: Read[DueViews, list[CanonicalKey]] = Read("due")
"""The things whose views change by themselves until a date, the oldest dates first; the order depends only on what the
collection shows."""
BREAKER: Read[int, BreakerRecord] = Read("breaker")
"""What the breaker knows of a source: no other step changes it before this one has ended."""
REFERRING: Read[StixId, int] = Read("referring")
"""The number of claims that refer to an id."""
REJECTIONS_LOG: Read[int, int] = Read("log of rejections")
"""The number of a source's log of rejections."""

TURNS: Read[None, dict[tuple[int, StixId], bytes]] = Read("turns")
"""The ids with deferred referrers, by collection, with the key of the last referrer that was computed."""


class ClaimsPage(NamedTuple):
    """Part of the contributions of a task."""

    keys: Sequence[ClaimKey]
    cursor: bytes | None
    """Where the next page begins; None: there are no more."""


class Reads:
    """The keys to read, by kind; false if there are none."""

    def __init__(self, referrer_limit: int = REFERRER_LIMIT) -> None:
        """``referrer_limit``: the size of a page; an id with more referrers than this has the answer None."""
        self.referrer_limit = referrer_limit
        self._keys: dict[Read[Any, Any], set[Any]] = defaultdict(set)

    def add(self, read: Read[K, Any], key: K) -> None:
        """Request one more key."""
        self._keys[read].add(key)

    def update(self, read: Read[K, Any], keys: Iterable[K]) -> Reads:
        """Request these keys too; returns itself."""
        self._keys[read].update(keys)
        return self

    def about(self, read: Read[K, Any]) -> set[K]:
        """The requested keys; do not change the set."""
        return self._keys.get(read) or set()

    def __bool__(self) -> bool:
        return any(self._keys.values())


class Answers:
    """The answers to ``Reads``, by kind and key."""

    def __init__(self) -> None:
        self._found: dict[Read[Any, Any], dict[Any, Any]] = {}

    def put(self, read: Read[K, A], found: Mapping[K, A]) -> None:
        """Add the answers to a kind of read, one for every requested key."""
        self._found.setdefault(read, {}).update(found)

    def add(self, others: Answers) -> None:
        """Add the answers of another round."""
        for read, found in others._found.items():
            self.put(read, found)

    def of(self, read: Read[K, A]) -> dict[K, A]:
        """All answers to a kind of read; empty if none was requested."""
        return cast("dict[K, A]", self._found.get(read) or {})

    def update(self, other: Answers) -> None:
        """Add all answers of ``other``."""
        for read, found in other._found.items():
            self.put(read, found)
