"""What is shown of a webhook."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from hub.model.times import stix_time
from hub.model.webhooks import Webhook
from hub.store.port import LogEnd
from schemas.webhooks import WebhookInfo


def webhook_info(webhook: Webhook, names: Mapping[int, str], ends: Mapping[int, LogEnd]) -> WebhookInfo:
    """A webhook as its owner and operators see it, without the secret. ``names``: of principals, by number."""
    progress, end = webhook.progress, ends.get(webhook.collection)
    state: Literal["active", "failing", "paused"] = "failing" if progress.attempts else "active"
    if progress.paused is not None:
        state = "paused"
    return WebhookInfo(
        id=webhook.id,
        principal=names.get(webhook.principal),
        collection=webhook.collection_name,
        url=webhook.url,
        types=sorted(webhook.filter.types),
        kinds=sorted(webhook.filter.kinds),
        min_confidence=webhook.filter.min_confidence,
        state=state,
        reason=None if progress.paused is None else progress.paused.value,
        position=progress.position,
        behind=max(0, end.seq - progress.position) if end is not None else 0,
        attempts=progress.attempts,
        last_failure=progress.last_failure or None,
        next_attempt=stix_time(progress.due_us) if state == "failing" else None,
        last_delivered=None if progress.delivered_us is None else stix_time(progress.delivered_us),
        created=stix_time(webhook.created_us),
    )
