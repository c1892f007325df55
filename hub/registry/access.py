"""Authentication and read access. Every door needs them for every request, so they use data in memory.

The data are at most a second old: after that time a suspended principal and a replaced token have no access.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import assert_never

from hub.model.credentials import Credentials, TokenCredentials
from hub.model.policy import Collection
from hub.model.principals import Principal, RegistrySnapshot
from hub.model.words import PUBLIC
from hub.registry import grants
from hub.registry.finding import find_principal
from hub.registry.port import RegistryStore
from hub.registry.tokens import as_token, same, token_digest

ANYBODY = frozenset({PUBLIC, "anonymous"})
"""The names for whoever has no credentials."""
OLDEST_S = 1.0
"""The greatest age of the data in memory, in seconds."""


class Access:
    """The part of the registry that doors use. Every method raises TryAgain when the store is not available."""

    def __init__(self, store: RegistryStore, *, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._monotonic_s = monotonic_s
        self._newest: RegistrySnapshot | None = None
        self._looked_s = float("-inf")
        self._one_looks = asyncio.Lock()

    async def authenticate(self, credentials: Credentials) -> Principal | None:
        """Returns the principal of the credentials; None for unknown credentials and for a suspended principal.

        A door must call this again regularly for a connection that stays open.
        """
        match credentials:
            case TokenCredentials():
                found = await self._holder(credentials)
            case _:
                assert_never(credentials)
        return None if found is None or found.suspended else found

    async def readable(self, principal: Principal | None) -> list[Collection]:
        """Returns the collections that a principal (None: without credentials) may read now, oldest first."""
        snapshot = await self.snapshot()
        now = _as_of(snapshot, principal)
        return [found for found in snapshot.collections.values() if grants.may_read(now, found, snapshot.groups)]

    async def explainable(self, principal: Principal | None) -> list[Collection]:
        """Returns the collections whose content a principal may have explained: those it reads; for an operator all."""
        snapshot = await self.snapshot()
        now = _as_of(snapshot, principal)
        return [found for found in snapshot.collections.values() if grants.may_explain(now, found, snapshot.groups)]

    async def named(self, name: str) -> Principal | None:
        """Returns a principal by its name; None for ``public`` and ``anonymous``, which stand for whoever has no
        credentials. Raises NotFound.
        """
        if name in ANYBODY:
            return None
        return find_principal(await self.snapshot(), name)

    async def may_read(self, principal: Principal | None, collection: Collection) -> bool:
        """Returns whether a principal (None: without credentials) may read a collection; False if it was removed."""
        snapshot = await self.snapshot()
        there = snapshot.collections.get(collection.name)
        return (
            there is not None
            and there.no == collection.no
            and grants.may_read(_as_of(snapshot, principal), there, snapshot.groups)
        )

    async def _holder(self, sent: TokenCredentials) -> Principal | None:
        """Returns the owner of a token; None if a name was sent with it that is not the owner's."""
        token = as_token(sent.token)
        if token is None:
            return None
        found = (await self.snapshot()).by_digest.get(token_digest(token))
        if found is None or (sent.name is not None and not same(sent.name.encode(), found.name.encode())):
            return None
        return found

    async def snapshot(self) -> RegistrySnapshot:
        """Returns the whole registry, at most ``OLDEST_S`` seconds old."""
        found = self._fresh()
        if found is not None:
            return found
        async with self._one_looks:
            return self._fresh() or await self._look()

    def _fresh(self) -> RegistrySnapshot | None:
        return self._newest if self._monotonic_s() - self._looked_s < OLDEST_S else None

    async def _look(self) -> RegistrySnapshot:
        asked_s = self._monotonic_s()
        async with self._store.reading() as directory:
            self._newest = await directory.snapshot(self._newest)
        self._looked_s = asked_s
        return self._newest


def _as_of(snapshot: RegistrySnapshot, principal: Principal | None) -> Principal | None:
    """Returns the current value of a principal, since an older value may have more rights; None if it has none."""
    if principal is None:
        return None
    now = snapshot.principals.get(principal.name)
    return now if now is not None and now.no == principal.no and not now.suspended else None
