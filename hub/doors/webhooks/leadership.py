"""Which process delivers the webhooks: one at a time, and another within seconds when that has died.

The owner counts up in the store. Whoever sees the same count for ``stale_s``, on its own monotonic clock, takes over:
no clock of another machine is compared. An owner that cannot reach the store stops before others may take over.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

from hub.store.webhook_port import Lease, WebhookStore


@dataclass(frozen=True, slots=True)
class LeaseTimes:
    """How often the owner counts up, and when the others take it for dead, in seconds."""

    beat_s: float = 3.0
    valid_s: float = 8.0
    """After this time without a count, the owner stops: less than ``stale_s``, so that two never deliver at once."""
    stale_s: float = 12.0


class Leadership:
    """The part of one process in the election. Every method that asks the store raises TryAgain."""

    def __init__(
        self, store: WebhookStore, times: LeaseTimes | None = None, monotonic_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._times = times or LeaseTimes()
        self._monotonic_s = monotonic_s
        self._me = uuid4().hex
        self._seen: Lease | None = None
        self._seen_s = 0.0
        self._counted_s: float | None = None

    @property
    def is_current(self) -> bool:
        """Whether this process may deliver now."""
        return self._counted_s is not None and self._monotonic_s() < self._counted_s + self._times.valid_s

    async def is_open(self) -> bool:
        """Returns whether this process delivers, or may take over."""
        if self._counted_s is not None and self._monotonic_s() < self._counted_s + self._times.beat_s:
            return True
        there, now_s = await self._store.lease(), self._monotonic_s()
        if there != self._seen:
            self._seen, self._seen_s = there, now_s
        is_open = there.owner in ("", self._me) or now_s >= self._seen_s + self._times.stale_s
        if not is_open:
            self._counted_s = None
        return is_open

    async def take(self) -> bool:
        """Take or renew the lease, if that is due; returns whether this process delivers."""
        asked_s = self._monotonic_s()
        if self._counted_s is not None and asked_s < self._counted_s + self._times.beat_s:
            return True
        assert self._seen is not None  # noqa: S101 - ``is_open`` comes first
        if not await self._store.hold(self._seen, self._me):
            self._counted_s = self._seen = None
            return False
        self._seen = Lease(self._me, self._seen.beat + 1)
        self._seen_s = self._counted_s = asked_s
        return True

    async def release(self) -> None:
        """Let another process take over at once."""
        if self._counted_s is not None and self._seen is not None:
            self._counted_s = None
            await self._store.hold(self._seen, "")
