"""The registry as everybody above uses it: doors ask who is calling, the command line makes operators' changes."""

from __future__ import annotations

import time
from collections.abc import Callable

from hub.registry.access import Access
from hub.registry.centres import Centres
from hub.registry.collections import Collections
from hub.registry.desk import wall_clock_us
from hub.registry.entitlements import entitlements
from hub.registry.groups import Groups
from hub.registry.held import HeldObjects
from hub.registry.members import Members, Operators, Principals
from hub.registry.port import Broker, Entitlements, RegistryStore


class Registry(Access, Centres, Members, Principals, Operators, Groups, Collections, HeldObjects):
    """Who exists and who may, over the tables of a store.

    Doors use what ``Access`` has; changes hold from their commit on, in every process within a second.
    """

    def __init__(
        self,
        store: RegistryStore,
        *,
        broker: Broker | None = None,
        now_us: Callable[[], int] = wall_clock_us,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        Access.__init__(self, store, monotonic_s=monotonic_s)
        Centres.__init__(self, store, broker=broker, now_us=now_us)

    async def entitlements(self) -> Entitlements:
        """What a broker should have, now."""
        return entitlements(await self._read())
