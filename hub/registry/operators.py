"""Operators: who administers the hub over the network."""

from __future__ import annotations

from hub.model.policy_changes import PrincipalChanged
from hub.model.principals import Principal, PrincipalKind
from hub.registry import names
from hub.registry.context import Added, RegistryContext
from hub.registry.finding import ensure_free, find_principal
from hub.registry.tokens import kept_of, new_token


class Operators:
    """Operations on operators."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    async def add(self, name: str) -> Added[Principal]:
        """Register an operator. Raises WrongUsage, Refused, TryAgain."""
        names.name(name, what="name of an operator")
        token = new_token()
        async with self._context.change() as change:
            ensure_free(change.before, name)
            blank = Principal(0, name, PrincipalKind.OPERATOR, created_us=change.now_us)
            principal = await change.directory.add_principal(blank, kept_of(token, change.now_us))
            await change.record(PrincipalChanged(name, PrincipalKind.OPERATOR, "add", {}))
        return Added(principal, token, change.complaint)

    async def remove(self, name: str) -> None:
        """Remove an operator. Raises NotFound, TryAgain."""
        async with self._context.change() as change:
            await change.directory.remove_operator(find_principal(change.before, name, PrincipalKind.OPERATOR).no)
            await change.record(PrincipalChanged(name, PrincipalKind.OPERATOR, "remove", {}))

    async def all(self) -> list[Principal]:
        """Returns all operators, by name."""
        snapshot = await self._context.snapshot()
        return [found for found in snapshot.principals.values() if found.kind is PrincipalKind.OPERATOR]
