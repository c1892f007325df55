"""What the services of the registry share: one transaction per change, and the update of the broker after it."""

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
    """Something new with its token, which is shown only once."""

    made: T
    token: Token
    complaint: HubError | None = None
    """The registry has the change and the token is valid, but the update of the broker failed."""


@dataclass(slots=True)
class RegistryChange:
    """A change of the registry in progress: the state before it, and the writer."""

    directory: DirectoryWriter
    before: RegistrySnapshot
    now_us: int
    new_token: tuple[str, Token] | None = None
    """The token that must be shown, whatever becomes of the broker: its full name and the secret, the password of that
    user if the broker has it."""
    complaint: HubError | None = None
    """The error of the broker; set after the block."""

    async def record(self, change: PolicyChange) -> None:
        """Append the numbered change, and add tasks that recompute what it affects."""
        await self.directory.record(change, self.now_us)


class RegistryContext:
    """Gives services read and write access to the registry."""

    def __init__(self, store: RegistryStore, broker: Broker | None, now_us: Callable[[], int]) -> None:
        self.store = store
        self.broker = broker
        self.now_us = now_us

    async def snapshot(self) -> RegistrySnapshot:
        """Returns the current registry. Raises TryAgain."""
        async with self.store.reading() as directory:
            return await directory.snapshot()

    @asynccontextmanager
    async def change(self) -> AsyncIterator[RegistryChange]:
        """One change in a transaction; after the commit the broker is updated. Other operators wait meanwhile.

        An error of the broker is raised at the end but does not undo the commit: the registry is authoritative. A
        change that created a token must show it first, so the error is in its ``complaint`` instead.
        """
        async with self.store.change() as directory:
            change = RegistryChange(directory, await directory.snapshot(), self.now_us())
            yield change
            after = await directory.snapshot() if self.broker is not None else None
        if self.broker is not None and after is not None:
            change.complaint = await _told(self.broker, change, after)
        if change.complaint is not None and change.new_token is None:
            raise change.complaint


async def _told(broker: Broker, change: RegistryChange, after: RegistrySnapshot) -> HubError | None:
    """Apply a change to the broker; returns the error, if any."""
    try:
        before, wanted = entitlements(change.before, change.now_us), entitlements(after, change.now_us)
        await brought_up(broker, before, wanted, change.new_token)
    except HubError as error:
        if error.code == NO_GRANTS:
            return None
        return Broken(
            "broker.behind",
            f"The registry has it, but the broker does not: {error.says}",
            "When the broker is back, run ctihub doctor --fix; if it has lost a password, use rotate.",
        )
    return None
