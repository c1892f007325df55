"""The port to the webhooks in the store, and to the lease of the process that delivers them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from hub.model.webhooks import Webhook, WebhookProgress


class Lease(NamedTuple):
    """Which process delivers."""

    owner: str
    """Empty: none."""
    beat: int
    """Grows each time the owner says that it is alive. Others compare it with what they saw before: no clock of another
    machine is involved."""


class WebhookStore(Protocol):
    """The webhooks and the lease. Promises, each a test in ``tests/contracts/store_webhooks.py``:

    - progress is written only over that which it began from, so nothing of another process is lost;
    - whatever else changes webhooks counts up ``changes``;
    - of several processes that take the lease as they have seen it, one gets it.
    """

    async def all(self, principal: int | None = None) -> Sequence[Webhook]:
        """Returns the webhooks (of one principal), oldest first."""
        ...

    async def add(self, webhook: Webhook, *, most: int) -> bool:
        """Add a webhook; returns False if its principal has ``most`` already."""
        ...

    async def remove(self, webhook_id: str) -> bool:
        """Delete a webhook; returns False if there is none."""
        ...

    async def save(self, webhook_id: str, before: WebhookProgress, progress: WebhookProgress) -> bool:
        """Write its progress; returns False if it was removed or its progress is not ``before`` any more."""
        ...

    async def resume(self, webhook_id: str, before: WebhookProgress) -> bool:
        """Let it be tried again at once. Returns as ``save``."""
        ...

    async def changes(self) -> int:
        """Returns how often webhooks were added, removed, resumed or redated. Meanwhile only ``save`` changes them."""
        ...

    async def lease(self) -> Lease:
        """Returns the current lease; without an owner if there was none yet."""
        ...

    async def hold(self, seen: Lease, owner: str) -> bool:
        """Take, renew or (``owner`` empty) release the lease; returns False if it is not as ``seen`` any more."""
        ...
