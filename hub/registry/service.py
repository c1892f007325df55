"""The registry as other packages use it: doors authenticate callers, the command line makes operators' changes."""

from __future__ import annotations

import time
from collections.abc import Callable

from hub.registry.access import Access
from hub.registry.breakers import Breakers
from hub.registry.broker_ends import BrokerEnds
from hub.registry.centres import Centres
from hub.registry.collections import Collections
from hub.registry.context import RegistryContext
from hub.registry.entitlements import entitlements
from hub.registry.groups import Groups
from hub.registry.held import HeldObjects
from hub.registry.members import Members
from hub.registry.named_tokens import NamedTokens
from hub.registry.operators import Operators
from hub.registry.pins import Pins
from hub.registry.port import Broker, Entitlements, RegistryStore
from hub.registry.principals import Principals
from hub.registry.settings import PolicySettings


class Registry:
    """Principals, groups, collections and rights, one service for each: ``registry.centres.add(…)``.

    Doors use only ``access``. Changes are effective in every process within a second after their commit.
    """

    def __init__(
        self,
        store: RegistryStore,
        *,
        now_us: Callable[[], int],
        broker: Broker | None = None,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """``now_us`` is the clock for changes and for ends of tokens, in microseconds since 1970; ``monotonic_s``
        measures the age of data.
        """
        self._context = RegistryContext(store, broker, now_us)
        self.access = Access(store, now_us=now_us, monotonic_s=monotonic_s)
        self.principals = Principals(self._context)
        self.centres = Centres(self._context)
        self.members = Members(self._context)
        self.operators = Operators(self._context)
        self.groups = Groups(self._context)
        self.collections = Collections(self._context)
        self.held = HeldObjects(self._context)
        self.settings = PolicySettings(self._context)
        self.breakers = Breakers(self._context)
        self.pins = Pins(self._context)
        self.tokens = NamedTokens(self._context)

    async def entitlements(self) -> Entitlements:
        """Returns the required state of the broker. Raises TryAgain."""
        return entitlements(await self._context.snapshot(), self._context.now_us())

    def ends_on_broker(self) -> BrokerEnds | None:
        """Returns what takes tokens off the broker that have ended; None without a broker."""
        return None if self._context.broker is None else BrokerEnds(self._context, self._context.broker)
