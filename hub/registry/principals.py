"""Operations that are the same for centres, members and operators: suspend, resume, rotate."""

from __future__ import annotations

from dataclasses import replace

from hub.model.policy_changes import PrincipalChanged, SourceSuspended
from hub.model.principals import SOURCE_KINDS, Principal, PrincipalKind
from hub.registry.context import Added, RegistryContext
from hub.registry.finding import find_principal
from hub.registry.tokens import new_token, token_digest


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

    async def rotate(self, name: str, kind: PrincipalKind) -> Added[Principal]:
        """Create a new token; the old one is invalid within a second. Raises NotFound, TryAgain."""
        token = new_token()
        async with self._context.change() as change:
            principal = find_principal(change.before, name, kind)
            await change.directory.set_token(principal.no, token_digest(token))
            await change.record(PrincipalChanged(name, kind, "rotate", {}))
            change.new_token = (name, token) if kind is not PrincipalKind.OPERATOR else None
        return Added(principal, token, change.complaint)
