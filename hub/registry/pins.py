"""Pinned ids: an operator has decided which author comes first under them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hub.model.errors import NotFound
from hub.model.policy_changes import IdPinned
from hub.model.principals import SOURCE_KINDS, RegistrySnapshot
from hub.model.words import StixId
from hub.registry import names
from hub.registry.context import RegistryContext
from hub.registry.finding import find_principal


@dataclass(frozen=True, slots=True)
class Pin:
    """An id, and the author whose claims under it come first."""

    id: StixId
    author: StixId
    source: str | None
    """The name of the centre or member whose identity the author is; None: a third party."""


class Pins:
    """Operations on pinned ids."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    async def all(self) -> Sequence[Pin]:
        """Returns all pinned ids, sorted. Raises TryAgain."""
        snapshot = await self._context.snapshot()
        return [_pin(snapshot, name, author) for name, author in snapshot.pins.items()]

    async def add(self, said: str, author: str) -> Pin:
        """Let the claims of an author come first under an id. ``author``: an identity, or the name of a source.

        Replaces an earlier pin of this id. Raises WrongUsage, NotFound, TryAgain.
        """
        name = names.stix_id(said)
        async with self._context.change() as change:
            identity = _identity(change.before, author)
            if change.before.pins.get(name) != identity:
                await change.directory.pin(name, identity)
                await change.record(IdPinned(name, identity))
        return _pin(change.before, name, identity)

    async def remove(self, said: str) -> None:
        """Let the usual rule decide about an id again. Raises WrongUsage, NotFound, TryAgain."""
        name = names.stix_id(said)
        async with self._context.change() as change:
            if name not in change.before.pins:
                raise NotFound("pin.unknown", f"{name} is not pinned.", "See ctihub pin.")
            await change.directory.pin(name, None)
            await change.record(IdPinned(name, None))


def _identity(snapshot: RegistrySnapshot, author: str) -> StixId:
    if author.startswith("identity--"):
        return names.identity(author)
    identity = find_principal(snapshot, author, *SOURCE_KINDS).identity
    assert identity is not None  # noqa: S101 - every source has one
    return identity


def _pin(snapshot: RegistrySnapshot, name: StixId, author: StixId) -> Pin:
    sources = {one.identity: one.name for one in snapshot.principals.values() if one.identity is not None}
    return Pin(name, author, sources.get(author))
