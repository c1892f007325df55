"""Takes tokens off the broker when they end: nobody changes the registry at that moment."""

from __future__ import annotations

from hub.registry.context import RegistryContext
from hub.registry.entitlements import entitlements
from hub.registry.port import Broker


class BrokerEnds:
    """Looks for tokens that have ended. One process does it; several do no harm."""

    def __init__(self, context: RegistryContext, broker: Broker) -> None:
        self._context = context
        self._broker = broker
        self._done: frozenset[tuple[str, int]] = frozenset()
        """The tokens that have ended and have no grants any more: full name and number."""

    async def look(self) -> int:
        """Take the grants of tokens that have ended since the last look; returns their number.

        Raises TryAgain, Broken; the next look tries again.
        """
        snapshot, now_us = await self._context.snapshot(), self._context.now_us()
        ended = {token.full_name: token.no for token in snapshot.tokens.values() if token.has_ended(now_us)}
        due = ended.items() - self._done
        wanted = entitlements(snapshot, now_us).principals if due else ()
        names = {name for name, _ in due}
        if users := [each for each in wanted if each.name in names]:
            await self._broker.grant(users)
        self._done = frozenset(ended.items())
        return len(users)
