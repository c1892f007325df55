"""The delivery of webhooks in a process of the hub: with its settings and its journal of reads."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import ada_url

from hub.doors.answer_progress import AnswerProgress
from hub.doors.context import Doors
from hub.doors.journal import Journal
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
            finished=entering(doors.journal, doors.now_us),
            now_us=doors.now_us,
        )
        await deliverer.run(stop)


def entering(journal: Journal | None, now_us: Callable[[], int]) -> Callable[[WebhookDelivery], None]:
    """Returns a function that enters a finished attempt in the journal, which has one entry for each webhook: its last
    attempt. Without a journal it does nothing.
    """
    return lambda done: None if journal is None else journal.enter(_progress_of(done, now_us()))


def _progress_of(done: WebhookDelivery, now_us: int) -> AnswerProgress:
    webhook, batch, attempt = done.webhook, done.batch, done.attempt
    progress = AnswerProgress(now_us - done.took_ms * 1_000)
    progress.ended_us = now_us
    progress.door, progress.reader, progress.key = WEBHOOK, webhook.principal, webhook.id.replace("-", "")
    progress.template = f"webhooks/{webhook.id}"
    progress.client = str(ada_url.URL(webhook.url).host)[:_HOST_CHARS].encode()
    if attempt.status is not None:
        progress.status = attempt.status if attempt.status in _STATUSES else 0
        progress.size_bytes = len(batch.body)
    if attempt.is_success:
        progress.name, progress.is_sent = webhook.collection_name, True
        progress.say(after=webhook.progress.position, reached=batch.last, objects=batch.count)
    return progress
