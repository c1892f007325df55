"""The delivery of webhooks in a process of the hub: with its settings and its journal of reads."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import ada_url

from hub.doors.context import Doors
from hub.doors.journal import Journal
from hub.doors.reads import NO_FACTS, AnswerFacts, ReadRequest, SameReads, SentAnswer
from hub.doors.webhooks.deliverer import WebhookDeliverer, WebhookDelivery
from hub.doors.webhooks.sender import WebhookSender
from hub.model.journal import WEBHOOK
from hub.registry.access import Access

_HOST_CHARS = 200
_STATUSES = range(100, 600)
"""Of HTTP. A receiver may answer with any three digits."""


async def deliver_webhooks(doors: Doors, access: Access, stop: asyncio.Event) -> None:
    """Take part in the delivery until ``stop``, with the settings of this process' doors."""
    async with contextlib.aclosing(WebhookSender(doors.settings.targets, ca_file=doors.settings.webhook_ca_file)) as to:
        await to.open()
        deliverer = WebhookDeliverer(
            doors.store,
            access,
            doors.log_watch,
            to,
            key=doors.key,
            finished=entering(doors.journal, doors.now_s),
            now_us=doors.now_us,
        )
        await deliverer.run(stop)


def entering(journal: Journal, now_s: Callable[[], float]) -> Callable[[WebhookDelivery], None]:
    """Returns a function that enters a finished attempt in the journal, which has one entry for each webhook: its last
    attempt.
    """

    def enter(done: WebhookDelivery) -> None:
        ended_s = now_s()
        times_s = [(ended_s, ended_s - done.took_ms / 1_000)]
        key = done.webhook.id.replace("-", "")
        journal.enter_advancing(SameReads(_request_of(done), _answer_of(done), times_s), key)

    return enter


def _request_of(done: WebhookDelivery) -> ReadRequest:
    """Returns what was posted as what its principal has asked for."""
    webhook = done.webhook
    name = webhook.collection_name if done.attempt.is_success else ""
    host = str(ada_url.URL(webhook.url).host)[:_HOST_CHARS]
    return ReadRequest(webhook.principal, "", WEBHOOK, f"webhooks/{webhook.id}", "", name, b"", host, "")


def _answer_of(done: WebhookDelivery) -> SentAnswer:
    batch, attempt = done.batch, done.attempt
    status, size_bytes = (0, 0) if attempt.status is None else (attempt.status, len(batch.body))
    facts = AnswerFacts(done.webhook.progress.position, batch.last, batch.count) if attempt.is_success else NO_FACTS
    return status if status in _STATUSES else 0, size_bytes, attempt.is_success, facts
