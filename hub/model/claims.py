"""Contributions, views and changes as values: what the store keeps, and what the core computes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NewType, Protocol, TypeAlias

import orjson

from hub.model.feedback import FEEDBACK_TYPES, feedback_refs
from hub.model.markings import Marks, marks_of
from hub.model.references import references_of
from hub.model.stix_types import fill_part
from hub.model.words import CanonicalKey, Seq, Stamp, StixId, StixObject

ClaimKey = NewType("ClaimKey", bytes)
"""Identifies a contribution: the source's number (4 bytes), then a digest of the STIX id (16 bytes)."""


def claim_key(source: int, stix_id: str) -> ClaimKey:
    """The key of ``(source, id)``. The keys of one source are adjacent, so all its claims are one range of keys."""
    return ClaimKey(source.to_bytes(4, "big") + hashlib.blake2b(stix_id.encode(), digest_size=16).digest())


def first_key(source: int) -> bytes:
    """Less than or equal to all keys of a source, and greater than those of the sources before it."""
    return source.to_bytes(4, "big")


DIGEST_BYTES = 16
"""The length of a ``digest_of``."""


def digest_of(body: bytes) -> bytes:
    """A digest for comparing contents."""
    return hashlib.blake2b(body, digest_size=DIGEST_BYTES).digest()


class ClaimState(IntEnum):
    """The state of a source's claim under one id. All from ``WITHDRAWN`` on are withdrawn."""

    LIVE = 0
    REVOKED = 1
    WITHDRAWN = 2
    """By a soft withdrawal: whatever the source sends after it counts."""
    WITHDRAWN_STANDING = 3
    """By a withdrawal that stands: what it has cancelled does not count when it comes again."""

    @property
    def is_withdrawn(self) -> bool:
        """Whether the source claims nothing, whether or not the withdrawal stands."""
        return self >= ClaimState.WITHDRAWN


class ClaimHead(Protocol):
    """The part of a claim that may be used without checking who may see its content: its index keys and its markings.

    The merge engine works with these. The content is accessible through ``hub/core/merge/project`` only.
    """

    @property
    def key(self) -> ClaimKey:
        """Identifies the claim."""
        ...

    @property
    def source(self) -> int:
        """The number of its source."""
        ...

    @property
    def id(self) -> StixId:
        """Its STIX id, as the source sent it."""
        ...

    @property
    def type(self) -> str:
        """The STIX type of its object."""
        ...

    @property
    def thing(self) -> CanonicalKey | None:
        """The thing that it is about; None if that depends on the collection."""
        ...

    @property
    def stamp(self) -> Stamp:
        """Its time and position of receipt."""
        ...

    @property
    def since(self) -> Stamp:
        """Since when its live versions have been visible, for each audience."""
        ...

    @property
    def state(self) -> ClaimState:
        """Whether it counts."""
        ...

    @property
    def digest(self) -> bytes:
        """Of its content: claims with the same one say the same, and nothing else may be learnt from it."""
        ...

    @property
    def marks(self) -> Marks:
        """Its markings, before any policy is applied."""
        ...

    @property
    def object_id(self) -> StixId:
        """The id of its object; for an observable the id derived from its value."""
        ...

    @property
    def references(self) -> tuple[StixId, ...]:
        """The ids that it refers to, independent of who may see it."""
        ...

    @property
    def beside_author(self) -> tuple[StixId, ...]:
        """The same without the author."""
        ...

    @property
    def feedback_on(self) -> tuple[StixId, ...]:
        """The ids on which it is feedback: that of a sighting, or those of an opinion."""
        ...


@dataclass(slots=True)
class Claim:
    """A contribution: the newest claim of one source under one STIX id. Treat as frozen."""

    key: ClaimKey
    source: int
    id: StixId
    type: str
    thing: CanonicalKey | None
    """None for a relationship whose thing depends on what its ends mean in each collection."""
    modified_us: int | None
    """If withdrawn: the greatest ``modified`` that the withdrawal has cancelled."""
    stamp: Stamp
    since: Stamp
    """The stamp, followed by the recipients and stamps of the earlier versions in its unbroken run of live ones; see
    ``hub/core/merge/runs``."""
    state: ClaimState
    digest: bytes
    """Of the body. If withdrawn: of the contents that the withdrawal has cancelled, one after the other."""
    body: bytes
    """The normalised object as orjson with sorted keys; empty if withdrawn."""
    parsed: StixObject | None = field(default=None, repr=False, compare=False)
    _marks: Marks | None = field(default=None, repr=False, compare=False)
    _beside_author: tuple[StixId, ...] | None = field(default=None, repr=False, compare=False)

    @property
    def obj(self) -> StixObject:
        """The decoded object; do not change it."""
        if self.parsed is None:
            self.parsed = orjson.loads(self.body) if self.body else {}
        return self.parsed

    @property
    def marks(self) -> Marks:
        """Its markings, before any policy is applied."""
        if self._marks is None:
            self._marks = marks_of(self.obj)
        return self._marks

    @property
    def cancelled(self) -> tuple[bytes, ...]:
        """If withdrawn: the digest of each content that the withdrawal has cancelled."""
        return tuple(self.digest[at : at + DIGEST_BYTES] for at in range(0, len(self.digest), DIGEST_BYTES))

    def share(self, other: Claim) -> None:
        """Reuse the decoded values of another claim with the same body."""
        if self is not other and self.body:
            self.parsed, self._marks, self._beside_author = other.obj, other.marks, other.beside_author

    @property
    def object_id(self) -> StixId:
        """The id of its object; for an observable the id derived from its value, not the id that was sent."""
        return StixId(self.obj.get("id", self.id))

    @property
    def feedback_on(self) -> tuple[StixId, ...]:
        """The ids on which it is feedback; none for a claim of another type, and for a withdrawn one."""
        return feedback_refs(self.obj) if self.type in FEEDBACK_TYPES and self.body else ()

    @property
    def references(self) -> tuple[StixId, ...]:
        """The distinct STIX ids that the object refers to, without markings."""
        author = self.obj.get("created_by_ref")
        return self.beside_author if author is None else tuple(dict.fromkeys((StixId(author), *self.beside_author)))

    @property
    def beside_author(self) -> tuple[StixId, ...]:
        """The same without ``created_by_ref`` itself; the author is included if referred to elsewhere."""
        if self._beside_author is None:
            self._beside_author = self._find_references()
        return self._beside_author

    def _find_references(self) -> tuple[StixId, ...]:
        usual = ("created_by_ref" in self.obj) + ("object_marking_refs" in self.obj)
        if self.body.count(b'_ref":') + self.body.count(b'_refs":') == usual:  # most indicators: skip the walk
            return ()
        return references_of({name: value for name, value in self.obj.items() if name != "created_by_ref"})


FillPlace: TypeAlias = tuple[int, ClaimKey]
"""The place of a claim in the order in which a collection is filled: its part of ``FILL_ORDER``, and its key."""


def fill_place(claim: ClaimHead) -> FillPlace:
    """The place of a claim in the order in which a collection is filled."""
    return fill_part(claim.type), claim.key


@dataclass(slots=True)
class View:
    """What one collection shows, or last showed, of one thing. Treat as frozen."""

    collection: int
    thing: CanonicalKey
    object_id: StixId
    type: str
    generation: int
    """How often this collection's view of the thing has ended, from ``Collection.first_generation`` on."""
    seq: Seq
    """The row of the change log that holds its newest bytes."""
    alive: bool
    digest: bytes
    created_us: int
    modified_us: int
    uses: tuple[str, ...]
    """Markings, identities and extension definitions that are shown with it; see ``hub/core/merge/uses``."""
    due_day: int | None = None
    """The next date at which it changes by itself, in days since 1970; None: never."""
    dated_us: int = 0
    """``date_added`` of its newest row."""
    late_us: int | None = None
    """When its next version is due, which the pace of the policy has put off; None: its content is the newest."""


@dataclass(frozen=True, slots=True)
class Change:
    """One row of a collection's change log, or of a source's log of rejections."""

    log: int
    seq: Seq
    object_id: StixId
    type: str
    withdrawn: bool
    date_added_us: int
    version_us: int
    """The TAXII version: ``modified`` of the object, else ``created``, else ``date_added``; in microseconds."""
    body: bytes
    """The object as JSON. For a withdrawn hub-made object its last, revoked version; for any other withdrawn one
    empty."""
    first: bool = True
    """Whether it is the first version under this id."""
    before: Seq | None = None
    """The row with the previous version under this id."""
