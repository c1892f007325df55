"""What a step must read in the store before it can go on, and what the store answers.

A read has a kind, and a key that says what it is about. Answers are complete: every key that was asked for has one,
also where the store has nothing. A new kind of read is one line here and one loader in the store.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar, cast

from hub.model.claims import Change, Claim, ClaimKey, View
from hub.model.words import CanonicalKey, Seq, StixId

REFERRER_LIMIT = 500
"""More referrers of one id than this are read page by page, and may be deferred to later steps."""

K = TypeVar("K", bound=Hashable)
A = TypeVar("A")


class Read(Generic[K, A]):
    """A kind of read: its keys are ``K``, its answers ``A``."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


class ThingRecord(NamedTuple):
    """What the store has about a thing."""

    claims: list[Claim]
    views: dict[int, View]
    """By collection, also of views that have ended."""


WaitingVersions: TypeAlias = tuple[tuple[bytes, int | None], ...]
"""The stamp and ``modified`` of each object that waits for the operator under one id of a source."""


class HeldRecord(NamedTuple):
    """What a source has under an id that is no claim."""

    waiting: WaitingVersions
    refused: frozenset[bytes]
    """The digests of what an operator has refused."""


CLAIM: Read[ClaimKey, Claim | None] = Read("claim")
REPLACED: Read[ClaimKey, Claim | None] = Read("replaced")
"""The claim that the step may replace: nobody else changes it before the step has ended."""
THING: Read[CanonicalKey, ThingRecord] = Read("thing")
UNDER_ID: Read[StixId, list[Claim]] = Read("under id")
"""All claims under a STIX id, of whatever source."""
REFERRERS: Read[StixId, list[Claim] | None] = Read("referrers")
"""All claims that refer to an id; None where there are more than ``Reads.referrer_limit``."""
PAGE: Read[tuple[StixId, bytes], list[Claim]] = Read("page of referrers")
"""The next ``Reads.referrer_limit`` claims after a key that refer to an id, in the order of their keys."""
PLACEMENT: Read[ClaimKey, dict[int, CanonicalKey]] = Read("placement")
"""The thing that a relationship is about, by collection."""
PLACED: Read[CanonicalKey, dict[int, list[Claim]]] = Read("placed")
"""The relationships that are about a thing, by collection."""
BODY: Read[tuple[int, Seq], bytes] = Read("body")
"""The bytes of a row of a log."""
USES: Read[tuple[int, str], int] = Read("uses")
"""How many views of a collection use something."""
ISSUED: Read[StixId, CanonicalKey | None] = Read("issued")
"""The thing for which a collection made an id, if one did."""
PAST: Read[tuple[int, StixId], Change | None] = Read("past")
"""The last object that a collection showed under an id which another id of the same view has followed."""
HELD: Read[tuple[int, StixId], HeldRecord] = Read("held")
"""What waits for the operator, or was refused by one, under a source's id."""
REJECTIONS_LOG: Read[int, int] = Read("log of rejections")
"""The number of a source's log of rejections."""

TURNS: Read[None, dict[tuple[int, StixId], bytes]] = Read("turns")
"""The ids, by collection, whose referrers are deferred, and the key of the last one that had its turn."""


class Reads:
    """What is to be looked up; false when there is nothing."""

    def __init__(self, referrer_limit: int = REFERRER_LIMIT) -> None:
        """``referrer_limit``: of an id with more referrers than this none are given, and a page holds so many."""
        self.referrer_limit = referrer_limit
        self._keys: dict[Read[Any, Any], set[Any]] = defaultdict(set)

    def add(self, read: Read[K, Any], key: K) -> None:
        """Ask about one more key."""
        self._keys[read].add(key)

    def update(self, read: Read[K, Any], keys: Iterable[K]) -> Reads:
        """Ask about these keys too; returns itself."""
        self._keys[read].update(keys)
        return self

    def about(self, read: Read[K, Any]) -> set[K]:
        """The keys that are asked about; do not change it."""
        return self._keys.get(read) or set()

    def __bool__(self) -> bool:
        return any(self._keys.values())


class Answers:
    """The answers to ``Reads``, by kind and key."""

    def __init__(self) -> None:
        self._found: dict[Read[Any, Any], dict[Any, Any]] = {}

    def put(self, read: Read[K, A], found: Mapping[K, A]) -> None:
        """Answer a kind of read, for every key that was asked."""
        self._found.setdefault(read, {}).update(found)

    def of(self, read: Read[K, A]) -> dict[K, A]:
        """All answers to a kind of read; empty where none was asked for."""
        return cast("dict[K, A]", self._found.get(read) or {})
