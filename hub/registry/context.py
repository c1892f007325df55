"""What the services of the registry share: one transaction per change, and a broker that follows after the commit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from hub.model.errors import Broken, HubError
from hub.model.policy_changes import PolicyChange
from hub.model.principals import RegistrySnapshot
from hub.registry.entitlements import brought_up, entitlements
from hub.registry.port import NO_GRANTS, Broker, DirectoryWriter, RegistryStore
from hub.registry.tokens import Token

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Added(Generic[T]):
    """Something new, with the token that is shown this once."""

    made: T
    token: Token
    complaint: HubError | None = None
    """The registry has it and the token holds, but the broker could not be told."""


@dataclass(slots=True)
class RegistryChange:
    """A change of the registry in the making: what stood before it, and where it is written."""

    directory: DirectoryWriter
    before: RegistrySnapshot
    now_us: int
    new_token: tuple[str, Token] | None = None
    """Whose password on the broker is to be set after the commit."""
    complaint: HubError | None = None
    """Known after the block."""

    async def record(self, change: PolicyChange) -> None:
        """Number it, and leave what it affects to be looked at again."""
        await self.directory.record(change, self.now_us)


class RegistryContext:
    """Where services read the registry and make their changes."""

    def __init__(self, store: RegistryStore, broker: Broker | None, now_us: Callable[[], int]) -> None:
        self.store = store
        self._broker = broker
        self._now_us = now_us

    async def snapshot(self) -> RegistrySnapshot:
        """The registry as it is now. Raises TryAgain."""
        async with self.store.reading() as directory:
            return await directory.snapshot()

    @asynccontextmanager
    async def change(self) -> AsyncIterator[RegistryChange]:
        """One change, whole or not at all; then the broker is brought up to it. Other operators wait meanwhile.

        What the broker says against it is raised at the end, although the commit holds: the registry is the truth. A
        change that made a token must show it first, so its ``complaint`` keeps the error instead.
        """
        async with self.store.change() as directory:
            change = RegistryChange(directory, await directory.snapshot(), self._now_us())
            yield change
            after = await directory.snapshot() if self._broker is not None else None
        if self._broker is not None and after is not None:
            change.complaint = await _told(self._broker, change, after)
        if change.complaint is not None and change.new_token is None:
            raise change.complaint


async def _told(broker: Broker, change: RegistryChange, after: RegistrySnapshot) -> HubError | None:
    """Bring the broker up to a change; what it says against it."""
    try:
        await brought_up(broker, entitlements(change.before), entitlements(after), change.new_token)
    except HubError as error:
        if error.code == NO_GRANTS:
            return None
        return Broken(
            "broker.behind",
            f"The registry has it, but the broker does not: {error.says}",
            "When the broker is back, run ctihub doctor --fix; if it has lost a password, use rotate.",
        )
    return None
