"""Operations that are the same for centres, members and operators: suspend, resume, rotate."""

from __future__ import annotations

from dataclasses import replace

from hub.model.policy_changes import PrincipalChanged, SourceSuspended
from hub.model.principals import SOURCE_KINDS, Principal, PrincipalKind
from hub.model.tokens import StoredToken
from hub.registry.context import Added, RegistryChange, RegistryContext
from hub.registry.finding import find_principal
from hub.registry.tokens import Token, kept_of, new_token


class Principals:
    """Operations on principals of any kind."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    async def suspend(self, name: str, kind: PrincipalKind) -> None:
        """Deny a principal access to every door, and withdraw its claims from every view, until ``resume``.

        Raises NotFound, TryAgain.
        """
        await self._set_suspended(name, kind, suspended=True)

    async def resume(self, name: str, kind: PrincipalKind) -> None:
        """Give a suspended principal access again, with its existing token. Raises NotFound, TryAgain."""
        await self._set_suspended(name, kind, suspended=False)

    async def _set_suspended(self, name: str, kind: PrincipalKind, *, suspended: bool) -> None:
        async with self._context.change() as change:
            principal = find_principal(change.before, name, kind)
            if principal.suspended != suspended:
                await change.directory.update_principal(replace(principal, suspended=suspended))
                if kind in SOURCE_KINDS:
                    await change.record(SourceSuspended(name, principal.no, suspended))
                else:
                    await change.record(PrincipalChanged(name, kind, "suspend" if suspended else "resume", {}))

    async def rotate(self, name: str, kind: PrincipalKind, *, overlap_us: int = 0) -> Added[Principal]:
        """Create a new secret for a principal's own token. The old one is valid for ``overlap_us`` microseconds, or
        without these invalid within a second. Raises NotFound, TryAgain.
        """
        secret = new_token()
        async with self._context.change() as change:
            principal = find_principal(change.before, name, kind)
            await rotate_token(change, principal, change.before.tokens[name], secret, overlap_us)
        return Added(principal, secret, change.complaint)


async def rotate_token(
    change: RegistryChange, principal: Principal, token: StoredToken, secret: Token, overlap_us: int
) -> StoredToken:
    """Give a token a new secret in a change of the registry; returns the token as it is then."""
    ends_us = change.now_us + overlap_us
    digest = kept_of(secret, change.now_us)
    await change.directory.tokens.replace(token.no, digest, ends_us=ends_us)
    said = {"overlap_s": overlap_us // 1_000_000} | ({"token": token.name} if token.name else {})
    await change.record(PrincipalChanged(principal.name, principal.kind, "rotate", said))
    change.new_token = (token.full_name, secret)
    older = (replace(each, ends_us=min(each.ends_us or ends_us, ends_us)) for each in token.digests)
    return replace(token, digests=(digest, *older))
