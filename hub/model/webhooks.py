"""Webhooks as values: where a reader wants the changes of a collection to be posted, and how far that has come.

What follows an attempt is decided here: the next batch, another attempt later, or a pause with its reason.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from hub.model.words import Seq

GIVE_UP_US = 3 * 86_400 * 1_000_000
"""How long a batch is tried, from its first failure on: three days, over a weekend."""
FIRST_WAIT_US = 5_000_000
LONGEST_WAIT_US = 3 * 3_600 * 1_000_000
_GROWTH = 3
_MOST_STEPS = 20
"""More attempts than this wait ``LONGEST_WAIT_US`` in any case, so the power need not be computed."""
GONE = 410


class PauseReason(StrEnum):
    """Why nothing is sent."""

    UNREACHABLE = "unreachable"
    """Every attempt of three days has failed."""
    GONE = "gone"
    """The receiver has answered 410."""
    NO_ACCESS = "no-access"
    """Its principal may not read the collection any more, or does not exist."""
    SUSPENDED = "suspended"
    """Its principal is suspended."""
    COLLECTION_REMOVED = "collection-removed"


@dataclass(frozen=True, slots=True)
class WebhookFilter:
    """Which changes are sent. Empty sets and 0 match everything."""

    types: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()
    min_confidence: int = 0

    @property
    def leaves_out_versions(self) -> bool:
        """Whether it may let one version of an object pass, and another not."""
        return bool(self.kinds) or self.min_confidence > 0


@dataclass(frozen=True, slots=True)
class WebhookAttempt:
    """The outcome of posting one batch once."""

    status: int | None
    """The HTTP status; None without an answer."""
    says: str = ""
    """Why it failed, in one sentence; empty if it succeeded."""
    retry_after_s: int = 0
    """How long the receiver wants to be left alone."""

    @property
    def is_success(self) -> bool:
        """Whether the batch was taken: any 2xx."""
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class WebhookProgress:
    """How far a webhook has come."""

    position: Seq
    """The last change that was delivered, or that the filter leaves out."""
    batch_to: Seq | None = None
    """The last change of the batch that was begun; a repetition ends with the same one, so it has the same id."""
    attempts: int = 0
    """How many attempts of this batch have failed."""
    failed_us: int | None = None
    """When the first of them failed."""
    due_us: int = 0
    """Not before this time is it tried again."""
    last_failure: str = ""
    """Why the last attempt failed; empty after a success."""
    delivered_us: int | None = None
    """When a batch was last taken."""
    paused: PauseReason | None = None

    def begun(self, last: Seq) -> WebhookProgress:
        """With a batch that ends with this change."""
        return replace(self, batch_to=last)

    def moved(self, last: Seq) -> WebhookProgress:
        """After changes that the filter leaves out."""
        return replace(self, position=last, batch_to=None)

    def after(self, attempt: WebhookAttempt, last: Seq, now_us: int, jitter: float) -> WebhookProgress:
        """After an attempt of the batch that ends with ``last``. ``jitter``: 0 to 1, at random."""
        if attempt.is_success:
            return WebhookProgress(position=last, delivered_us=now_us)
        failed_us = now_us if self.failed_us is None else self.failed_us
        failed = replace(
            self, attempts=self.attempts + 1, failed_us=failed_us, last_failure=attempt.says, due_us=now_us
        )
        if attempt.status == GONE:
            return failed.pause(PauseReason.GONE)
        wait_us = max(wait_after(failed.attempts, jitter), min(attempt.retry_after_s * 1_000_000, LONGEST_WAIT_US))
        if now_us >= failed_us + GIVE_UP_US:
            return failed.pause(PauseReason.UNREACHABLE)
        return replace(failed, due_us=min(now_us + wait_us, failed_us + GIVE_UP_US))

    def pause(self, reason: PauseReason) -> WebhookProgress:
        """With nothing sent until ``resumed``."""
        return replace(self, paused=reason)

    def resumed(self) -> WebhookProgress:
        """Tried again at once, where it stopped."""
        return replace(self, attempts=0, failed_us=None, due_us=0, paused=None)


def wait_after(attempts: int, jitter: float) -> int:
    """The time until the next attempt after so many failures, in microseconds: three times as long each time, up to
    three hours; ``jitter`` (0 to 1) takes up to a quarter off, so that receivers that failed together are not tried
    together.

    >>> [wait_after(attempts, 0.0) // 1_000_000 for attempts in (1, 2, 3, 9)]
    [5, 15, 45, 10800]
    """
    wait_us = min(FIRST_WAIT_US * _GROWTH ** min(attempts - 1, _MOST_STEPS), LONGEST_WAIT_US)
    return int(wait_us * (1 - jitter / 4))


@dataclass(frozen=True, slots=True)
class Webhook:
    """One webhook of a principal."""

    id: str
    """A UUID; its secret is derived from it."""
    principal: int
    collection: int
    collection_name: str
    url: str
    filter: WebhookFilter
    created_us: int
    progress: WebhookProgress

    def is_ready(self, end: Seq, now_us: int) -> bool:
        """Whether there is something to send now. ``end``: of the collection's log."""
        progress = self.progress
        return progress.paused is None and progress.due_us <= now_us and end > progress.position
