"""Who is calling, and what may they read: every door needs this for every request, so it is answered from memory.

The data in memory is at most a second old: who is suspended or has a new token loses access by then.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import assert_never

from hub.model.credentials import Credentials, TokenCredentials
from hub.model.policy import Collection
from hub.model.principals import Principal, RegistrySnapshot
from hub.registry import grants
from hub.registry.port import RegistryStore
from hub.registry.tokens import as_token, same, token_digest

OLDEST_S = 1.0
"""How old an answer may be."""


class Access:
    """The doors' half of the registry. Every method may raise TryAgain, when the store is away for longer than that."""

    def __init__(self, store: RegistryStore, *, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._monotonic_s = monotonic_s
        self._newest: RegistrySnapshot | None = None
        self._looked_s = float("-inf")
        self._one_looks = asyncio.Lock()

    async def authenticate(self, credentials: Credentials) -> Principal | None:
        """Whose they are; None for nobody's and for a suspended principal's.

        A door that keeps a connection open asks again every second.
        """
        match credentials:
            case TokenCredentials():
                found = await self._holder(credentials)
            case _:
                assert_never(credentials)
        return None if found is None or found.suspended else found

    async def readable(self, principal: Principal | None) -> list[Collection]:
        """The collections that a principal (None: anybody) may read now, in the order of their making."""
        snapshot = await self.snapshot()
        now = _as_of(snapshot, principal)
        return [found for found in snapshot.collections.values() if grants.may_read(now, found, snapshot.groups)]

    async def explainable(self, principal: Principal | None) -> list[Collection]:
        """The collections of which a principal may ask why they show a thing: those it reads; an operator all."""
        snapshot = await self.snapshot()
        now = _as_of(snapshot, principal)
        return [found for found in snapshot.collections.values() if grants.may_explain(now, found, snapshot.groups)]

    async def may_read(self, principal: Principal | None, collection: Collection) -> bool:
        """Whether a principal (None: anybody) may read a collection now; False as well when it is no more."""
        snapshot = await self.snapshot()
        there = snapshot.collections.get(collection.name)
        return (
            there is not None
            and there.no == collection.no
            and grants.may_read(_as_of(snapshot, principal), there, snapshot.groups)
        )

    async def _holder(self, sent: TokenCredentials) -> Principal | None:
        """Whose token it is, under the name that was sent with it."""
        token = as_token(sent.token)
        if token is None:
            return None
        found = (await self.snapshot()).by_digest.get(token_digest(token))
        if found is None or (sent.name is not None and not same(sent.name.encode(), found.name.encode())):
            return None
        return found

    async def snapshot(self) -> RegistrySnapshot:
        """Everybody and everything, at most ``OLDEST_S`` old."""
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
    """The principal as it is now: whoever holds an older value of it gets no older rights."""
    if principal is None:
        return None
    now = snapshot.principals.get(principal.name)
    return now if now is not None and now.no == principal.no and not now.suspended else None
