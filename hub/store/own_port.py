"""The store's port for what a source itself has published. See ``hub/store/port.py``."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

from hub.model.claims import ClaimKey, ClaimState
from hub.model.words import CanonicalKey, StixId


class OwnClaim(NamedTuple):
    """A contribution without its content, for the source that made it."""

    key: ClaimKey
    id: StixId
    type: str
    modified_us: int | None
    """If withdrawn: the greatest ``modified`` that the withdrawal has cancelled."""
    state: ClaimState


class OwnPage(NamedTuple):
    """Some of a source's contributions, in the order of their first arrival."""

    claims: Sequence[OwnClaim]
    next_after: int | None
    """The number to continue after; None: there are no more."""


class ShownUnder(NamedTuple):
    """That a collection shows what a claim is about, and under which id."""

    collection: int
    object_id: StixId


class OwnClaimReader(Protocol):
    """Reads about the contributions of one source."""

    async def claims_of(
        self, source: int, things: Collection[CanonicalKey], after: bytes, limit: int
    ) -> Sequence[OwnClaim]:
        """Returns a source's next contributions about these things or merged relationships, withdrawn ones too, after a
        key and ordered by key.
        """
        ...

    async def claims_from(self, source: int, states: Collection[ClaimState], after: int, limit: int) -> OwnPage:
        """Returns a source's next contributions in one of these states, after a number. A page may have fewer than
        ``limit``, or none, before the last one.
        """
        ...

    async def showing(
        self, keys: Collection[ClaimKey], collections: Collection[int]
    ) -> Mapping[ClaimKey, Sequence[ShownUnder]]:
        """Returns which of these collections show now what each contribution is about; others are left out."""
        ...

    async def not_shown(self, source: int, ids: Collection[StixId], collections: Collection[int]) -> Sequence[StixId]:
        """Returns the ids, sorted, of a source's contributions that none of these collections shows now. Withdrawn ones
        do not count.
        """
        ...
