"""The part of the store's port about single things: their views in collections, and the claims about them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

from hub.model.claims import Claim, ClaimKey, View
from hub.model.held import HeldAbout
from hub.model.words import CanonicalKey, StixId


class ShownView(NamedTuple):
    """A view, and the bytes of the row that it points to."""

    view: View
    body: bytes


class Placed(NamedTuple):
    """A contribution that is part of a merged relationship in one collection."""

    thing: CanonicalKey
    collection: int
    claim: Claim


class SearchKeys(NamedTuple):
    """What is looked for at once, in these collections."""

    things: Collection[CanonicalKey]
    values: Collection[bytes]
    """Keys of ``hub.patterns.lookup``, for things that one of the collections shows, or once showed."""
    around: Collection[bytes]
    """Such keys too, for things that one of the collections shows now."""
    collections: Collection[int]
    limit: int
    """The most things of each key."""
    limit_bytes: int
    """The most bytes of large bodies together."""
    networks: Collection[CanonicalKey] = ()
    """More things, each of one network."""
    widths: Collection[bytes] = ()
    """The keys of the widths of these networks, under which all that anybody has named are found."""


class LookedUpView(NamedTuple):
    """What a collection shows, or last showed, of a thing."""

    thing: CanonicalKey
    collection: int
    object_id: StixId
    type: str
    alive: bool
    dated_us: int
    """``date_added`` of its newest row."""
    body: bytes
    """Of that row; empty if it has none."""


class LookedUpThings(NamedTuple):
    """What is known of what was looked for."""

    named: Sequence[tuple[bytes, CanonicalKey]]
    """The keys that were found, each with its first things, ordered by key."""
    views: Sequence[LookedUpView]
    """Of the things that were looked for, and of those that were found."""
    is_too_large: bool = False
    """There are more large bodies than the limit allows, and ``views`` is empty: look for less at once."""


class NamingReader(NamedTuple):
    """Which things count: those of which one of these collections has a view, live or not, or this source a claim."""

    collections: Collection[int]
    source: int | None


class ThingReader(Protocol):
    """Reads about single things: their views in collections, and the claims about them."""

    async def shown(self, things: Collection[CanonicalKey], collections: Collection[int]) -> Sequence[ShownView]:
        """Returns what these collections show, or last showed, of these things."""
        ...

    async def views_under(self, object_id: StixId, collections: Collection[int]) -> Sequence[View]:
        """Returns the views that show, or once showed, an object under this id."""
        ...

    async def claims_about(self, things: Collection[CanonicalKey]) -> Sequence[Claim]:
        """Returns the contributions about these things. For merged relationships use ``placed``."""
        ...

    async def claims_under(self, ids: Collection[StixId]) -> Sequence[Claim]:
        """Returns the contributions of all sources under these ids."""
        ...

    async def feedback_on(self, names: Collection[StixId]) -> Sequence[Claim]:
        """Returns the sightings of these ids and the opinions on them, of all sources."""
        ...

    async def placed(self, things: Collection[CanonicalKey]) -> Sequence[Placed]:
        """Returns the contributions to these merged relationships, one value per collection."""
        ...

    async def relationships_of(self, keys: Collection[ClaimKey]) -> Mapping[ClaimKey, Collection[CanonicalKey]]:
        """Returns the merged relationships that each contribution is part of, in any collection. A contribution that is
        part of none is left out.
        """
        ...

    async def naming(
        self, values: Collection[bytes], limit: int, reader: NamingReader | None = None
    ) -> Sequence[CanonicalKey]:
        """Returns things whose pattern contains one of these values (``hub.patterns.lookup``), only those that this
        reader may know; without a reader all. Things whose pattern asserts the value come first.
        """
        ...

    async def asserting(
        self, values: Collection[bytes], collections: Collection[int], limit: int
    ) -> Sequence[CanonicalKey]:
        """Returns the first things, ordered by key, that one of these collections shows now and whose pattern asserts
        one of these values, or a URL on one of these hosts. What no collection shows does not count.
        """
        ...

    async def look_up(self, wanted: SearchKeys) -> LookedUpThings:
        """Returns things by many keys at once, with what these collections show of them; all as of one moment. What
        no collection shows, or showed, does not count.
        """
        ...

    async def is_known(self, keys: Sequence[bytes]) -> Sequence[bool]:
        """Returns whether there is any pattern or observable with each of these keys, whoever may see it."""
        ...

    async def linked(self, names: Collection[StixId], collection: int, limit: int) -> Sequence[ShownView]:
        """Returns the first relationships, ordered by key, that a collection shows now and that were claimed with one
        of these ids as an end.
        """
        ...

    async def held_about(self, things: Collection[CanonicalKey], ids: Collection[StixId]) -> Sequence[HeldAbout]:
        """Returns the objects about these things, or under these ids, that are held or were refused."""
        ...
