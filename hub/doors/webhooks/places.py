"""How many messages are on their way at once, and whose: a slow receiver takes no place from the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Set
from dataclasses import dataclass

from hub.model.webhooks import Webhook


@dataclass(frozen=True, slots=True)
class PlaceLimits:
    """How many messages may be on their way at once. Each takes a few times ``MESSAGE_BYTES`` of memory."""

    all: int = 32
    not_alerts: int = 24
    """Of collections that are no alert lanes: the rest is free for those that are."""
    failing: int = 8
    """To receivers whose last attempt has failed; each may take the whole deadline."""
    each: int = 4
    """Of one principal, in collections that are no alert lanes."""


class Places:
    """The places that are taken now, by webhook."""

    def __init__(self, limits: PlaceLimits | None = None) -> None:
        self._limits = limits or PlaceLimits()
        self._taken: dict[str, tuple[Webhook, bool]] = {}
        self._turn = 0
        self._turns: dict[str, int] = {}
        """When each webhook had its last place, as a count."""

    def in_order(self, ready: Iterable[Webhook], alerts: Set[int]) -> list[Webhook]:
        """These webhooks, those of alert lanes first, then those whose last place is longest ago."""
        return sorted(ready, key=lambda one: (one.collection not in alerts, self._turns.get(one.id, 0)))

    def enter(self, webhook: Webhook, *, is_alert: bool) -> bool:
        """Take a place; returns False if there is none."""
        if not self._has_room(webhook, is_alert=is_alert):
            return False
        self._turn += 1
        self._taken[webhook.id] = (webhook, is_alert)
        self._turns[webhook.id] = self._turn
        return True

    def leave(self, webhook_id: str) -> None:
        """Give a place back."""
        self._taken.pop(webhook_id, None)

    def forget_others(self, known: Set[str]) -> None:
        """Forget the turns of webhooks that are no more."""
        for gone in self._turns.keys() - known:
            del self._turns[gone]

    def _has_room(self, webhook: Webhook, *, is_alert: bool) -> bool:
        limits, taken = self._limits, self._taken.values()
        failing = sum(other.progress.attempts > 0 for other, _ in taken)
        if len(taken) >= limits.all or (webhook.progress.attempts and failing >= limits.failing):
            return False
        others = Counter(other.principal for other, other_is_alert in taken if not other_is_alert)
        return is_alert or (others.total() < limits.not_alerts and others[webhook.principal] < limits.each)
