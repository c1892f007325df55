"""Contributions, views and changes as values: what the store keeps and what the core turns into one another."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NewType, Protocol

import orjson

from hub.model.markings import Marks, marks_of
from hub.model.references import references_of
from hub.model.words import CanonicalKey, Seq, Stamp, StixId, StixObject

ClaimKey = NewType("ClaimKey", bytes)
"""Names one contribution: the source's number (4 bytes), then a digest of the STIX id (16 bytes)."""


def claim_key(source: int, stix_id: str) -> ClaimKey:
    """The key of ``(source, id)``. Keys of one source stand together, so that a sweep over a source is a range."""
    return ClaimKey(source.to_bytes(4, "big") + hashlib.blake2b(stix_id.encode(), digest_size=16).digest())


def digest_of(body: bytes) -> bytes:
    """Sixteen bytes that tell two contents apart."""
    return hashlib.blake2b(body, digest_size=16).digest()


class ClaimState(IntEnum):
    """What a source's newest word on one id is."""

    LIVE = 0
    REVOKED = 1
    WITHDRAWN = 2


class ClaimHead(Protocol):
    """What may be known of a claim without asking who may see its content: what it is filed under, and its markings.

    The engine of the merge works on these. The content is reached through ``hub/core/merge/project`` alone.
    """

    @property
    def key(self) -> ClaimKey:
        """Names the claim."""
        ...

    @property
    def source(self) -> int:
        """The number of the source that makes it."""
        ...

    @property
    def id(self) -> StixId:
        """The STIX id that it is made under."""
        ...

    @property
    def type(self) -> str:
        """The STIX type of its object."""
        ...

    @property
    def thing(self) -> CanonicalKey | None:
        """What it is about; None where that depends on the collection."""
        ...

    @property
    def stamp(self) -> Stamp:
        """When it came."""
        ...

    @property
    def since(self) -> Stamp:
        """When the run of its live versions began, for each audience."""
        ...

    @property
    def state(self) -> ClaimState:
        """Whether it counts."""
        ...

    @property
    def marks(self) -> Marks:
        """What its markings say, before any policy."""
        ...

    @property
    def object_id(self) -> StixId:
        """The id that its object has: of an observable the one that its value gives."""
        ...

    @property
    def references(self) -> tuple[StixId, ...]:
        """The ids that it refers to, whoever may see that."""
        ...

    @property
    def beside_author(self) -> tuple[StixId, ...]:
        """The same without the author."""
        ...

    @property
    def sighted(self) -> StixId | None:
        """The id that a sighting is of."""
        ...


@dataclass(slots=True)
class Claim:
    """A contribution: the newest claim of one source about one STIX id. Treat as frozen."""

    key: ClaimKey
    source: int
    id: StixId
    type: str
    thing: CanonicalKey | None
    """None for a relationship whose thing depends on what its ends mean in each collection."""
    modified_us: int | None
    stamp: Stamp
    since: Stamp
    """The stamp, and behind it who could see the versions before in its unbroken run of live ones, and since when: see
    ``hub/core/merge/runs``.
    """
    state: ClaimState
    digest: bytes
    body: bytes
    """The normalised object, orjson with sorted keys; empty when withdrawn."""
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
        """What its markings say, before any policy."""
        if self._marks is None:
            self._marks = marks_of(self.obj)
        return self._marks

    def share(self, other: Claim) -> None:
        """Take over what was read from the same body elsewhere."""
        if self is not other and self.body:
            self.parsed, self._marks, self._beside_author = other.obj, other.marks, other.beside_author

    @property
    def object_id(self) -> StixId:
        """The id that its object has: of an observable the one that its value gives, whatever it was sent under."""
        return StixId(self.obj.get("id", self.id))

    @property
    def sighted(self) -> StixId | None:
        """What a sighting is of; None for every other claim, and for a withdrawn one."""
        return StixId(self.obj["sighting_of_ref"]) if self.type == "sighting" and self.body else None

    @property
    def references(self) -> tuple[StixId, ...]:
        """The distinct STIX ids that the object refers to, markings aside."""
        author = self.obj.get("created_by_ref")
        return self.beside_author if author is None else tuple(dict.fromkeys((StixId(author), *self.beside_author)))

    @property
    def beside_author(self) -> tuple[StixId, ...]:
        """The same, but for what ``created_by_ref`` itself says: the author may be named elsewhere too."""
        if self._beside_author is None:
            self._beside_author = self._find_references()
        return self._beside_author

    def _find_references(self) -> tuple[StixId, ...]:
        usual = ("created_by_ref" in self.obj) + ("object_marking_refs" in self.obj)
        if self.body.count(b'_ref":') + self.body.count(b'_refs":') == usual:  # most indicators: spare the walk
            return ()
        return references_of({name: value for name, value in self.obj.items() if name != "created_by_ref"})


@dataclass(slots=True)
class View:
    """What one collection shows, or last showed, of one thing, as the store keeps it. Treat as frozen."""

    collection: int
    thing: CanonicalKey
    object_id: StixId
    type: str
    generation: int
    """How often this collection's view of the thing has ended."""
    seq: Seq
    """The row of the change log that holds its newest bytes."""
    alive: bool
    digest: bytes
    created_us: int
    modified_us: int
    uses: tuple[str, ...]
    """What it carries along: markings, identities and extension definitions, see ``hub/core/merge/uses``."""


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
    """``modified`` of the object, or its ``created``, or ``date_added`` where it has neither: the TAXII version."""
    body: bytes
    """The object; of a withdrawn hub-made one the last, revoked version; of another withdrawn one empty."""
    first: bool = True
    """The first version under this id."""
    before: Seq | None = None
    """The row with the version before, under the same id."""
