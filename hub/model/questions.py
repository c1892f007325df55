"""What a step asks of the store, and what it is told.

A question has a kind, and a key that says what it is about. Answers are complete: every key that was asked has one,
also where the store has nothing. A new kind of question is one line here and one loader in the store.
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


class Question(Generic[K, A]):
    """A kind of question: about ``K``, answered by ``A``."""

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


CLAIM: Question[ClaimKey, Claim | None] = Question("claim")
REPLACED: Question[ClaimKey, Claim | None] = Question("replaced")
"""The claim that the step may replace: nobody else changes it before the step has ended."""
THING: Question[CanonicalKey, ThingRecord] = Question("thing")
UNDER_ID: Question[StixId, list[Claim]] = Question("under id")
"""All claims under a STIX id, of whatever source."""
REFERRERS: Question[StixId, list[Claim] | None] = Question("referrers")
"""All claims that refer to an id; None where there are more than ``Questions.referrer_limit``."""
PAGE: Question[tuple[StixId, bytes], list[Claim]] = Question("page of referrers")
"""The next ``Questions.referrer_limit`` claims after a key that refer to an id, in the order of their keys."""
PLACEMENT: Question[ClaimKey, dict[int, CanonicalKey]] = Question("placement")
"""The thing that a relationship is about, by collection."""
PLACED: Question[CanonicalKey, dict[int, list[Claim]]] = Question("placed")
"""The relationships that are about a thing, by collection."""
BODY: Question[tuple[int, Seq], bytes] = Question("body")
"""The bytes of a row of a log."""
USES: Question[tuple[int, str], int] = Question("uses")
"""How many views of a collection use something."""
ISSUED: Question[StixId, CanonicalKey | None] = Question("issued")
"""The thing for which a collection made an id, if one did."""
PAST: Question[tuple[int, StixId], Change | None] = Question("past")
"""The last object that a collection showed under an id which another id of the same view has followed."""
HELD: Question[tuple[int, StixId], HeldRecord] = Question("held")
"""What waits for the operator, or was refused by one, under a source's id."""
REJECTIONS_LOG: Question[int, int] = Question("log of rejections")
"""The number of a source's log of rejections."""

TURNS: Question[None, dict[tuple[int, StixId], bytes]] = Question("turns")
"""The ids, by collection, whose referrers are deferred, and the key of the last one that had its turn."""


class Questions:
    """What is to be looked up; false when there is nothing."""

    def __init__(self, referrer_limit: int = REFERRER_LIMIT) -> None:
        """``referrer_limit``: of an id with more referrers than this none are given, and a page holds so many."""
        self.referrer_limit = referrer_limit
        self._keys: dict[Question[Any, Any], set[Any]] = defaultdict(set)

    def add(self, question: Question[K, Any], key: K) -> None:
        """Ask about one more key."""
        self._keys[question].add(key)

    def update(self, question: Question[K, Any], keys: Iterable[K]) -> Questions:
        """Ask about these keys too; returns itself."""
        self._keys[question].update(keys)
        return self

    def about(self, question: Question[K, Any]) -> set[K]:
        """The keys that are asked about; do not change it."""
        return self._keys.get(question) or set()

    def __bool__(self) -> bool:
        return any(self._keys.values())


class Answers:
    """The answers to ``Questions``, by kind and key."""

    def __init__(self) -> None:
        self._found: dict[Question[Any, Any], dict[Any, Any]] = {}

    def put(self, question: Question[K, A], found: Mapping[K, A]) -> None:
        """Answer a kind of question, for every key that was asked."""
        self._found.setdefault(question, {}).update(found)

    def of(self, question: Question[K, A]) -> dict[K, A]:
        """All answers to a kind of question; empty where none was asked."""
        return cast("dict[K, A]", self._found.get(question) or {})
