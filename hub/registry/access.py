"""Authentication and read access. Every door needs them for every request, so they use data in memory.

The data are at most a second old: after that time a suspended principal and a replaced token have no access.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from typing import assert_never

from hub.model.credentials import Credentials, TokenCredentials
from hub.model.policy import Collection
from hub.model.principals import KnownSecret, Principal, RegistrySnapshot
from hub.model.tokens import RefusedCredentials, TokenRefusal
from hub.model.words import PUBLIC
from hub.registry import grants
from hub.registry.finding import find_principal
from hub.registry.port import RegistryStore
from hub.registry.token_uses import TokenUses
from hub.registry.tokens import as_token, same, token_digest

ANYBODY = frozenset({PUBLIC, "anonymous"})
"""The names for whoever has no credentials."""
OLDEST_S = 1.0
"""The greatest age of the data in memory, in seconds."""


class Access:
    """The part of the registry that doors use. Every method raises TryAgain when the store is not available."""

    def __init__(
        self,
        store: RegistryStore,
        *,
        now_us: Callable[[], int],
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """``now_us``: microseconds since 1970, for the ends of tokens. ``monotonic_s`` measures the age of data."""
        self._store = store
        self._now_us = now_us
        self._monotonic_s = monotonic_s
        self.uses = TokenUses(store)
        """When tokens were used; the process must flush it regularly."""
        self._newest: RegistrySnapshot | None = None
        self._looked_s = float("-inf")
        self._one_looks = asyncio.Lock()

    async def authenticate(self, credentials: Credentials) -> Principal | None:
        """Returns the principal of the credentials; None if they are refused. See ``examine``."""
        found = await self.examine(credentials)
        return found if isinstance(found, Principal) else None

    async def examine(self, credentials: Credentials) -> Principal | RefusedCredentials:
        """Returns the principal of the credentials with the scope of its token; or, for the operator, why they are
        refused. A door must call this again regularly for a connection that stays open.
        """
        match credentials:
            case TokenCredentials():
                return await self._of_token(credentials)
            case _:
                assert_never(credentials)

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

    async def names(self) -> dict[int, str]:
        """Returns the names of all principals, by number."""
        return {one.no: one.name for one in (await self.snapshot()).principals.values()}

    async def may_read(self, principal: Principal | None, collection: Collection) -> bool:
        """Returns whether a principal (None: without credentials) may read a collection; False if it was removed."""
        snapshot = await self.snapshot()
        there = snapshot.collections.get(collection.name)
        return (
            there is not None
            and there.no == collection.no
            and grants.may_read(_as_of(snapshot, principal), there, snapshot.groups)
        )

    async def _of_token(self, sent: TokenCredentials) -> Principal | RefusedCredentials:
        """Returns the owner of a token, and notes its use."""
        token = as_token(sent.token)
        known = None if token is None else (await self.snapshot()).by_digest.get(token_digest(token))
        if known is None:
            return RefusedCredentials(TokenRefusal.UNKNOWN)
        now_us = self._now_us()
        why = _why_refused(known, sent, now_us)
        if why is None:
            self.uses.used(known.digest.no, now_us)
            return known.principal
        self.uses.refused(known.digest.no, now_us, why)
        return RefusedCredentials(why, known.token)

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
    """Returns the current value of a principal, since an older value may have more rights, with the scope of the token
    that it uses; None if it has none.
    """
    if principal is None:
        return None
    now = snapshot.principals.get(principal.name)
    if now is None or now.no != principal.no or now.suspended:
        return None
    return now if now.scope == principal.scope else replace(now, scope=principal.scope)


def _why_refused(known: KnownSecret, sent: TokenCredentials, now_us: int) -> TokenRefusal | None:
    """Returns the first reason to refuse a secret that the hub knows; None if there is none."""
    token, ends_us = known.token, known.digest.ends_us
    names = (token.principal, token.full_name)
    if sent.name is not None and not any(same(sent.name.encode(), name.encode()) for name in names):
        return TokenRefusal.OTHER_NAME
    if known.principal.suspended:
        return TokenRefusal.SUSPENDED
    if ends_us is not None and now_us >= ends_us:
        return TokenRefusal.REPLACED
    if token.has_ended(now_us):
        return TokenRefusal.ENDED
    return None if token.allows_from(sent.address) else TokenRefusal.NETWORK
