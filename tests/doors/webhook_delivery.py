"""Delivery to webhooks for tests: a hub that may post to receivers on 127.0.0.1, and a process that delivers."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from hub.doors.targets import TargetRules
from hub.doors.webhooks.deliverer import WebhookDeliverer
from hub.doors.webhooks.leadership import Leadership, LeaseTimes
from hub.doors.webhooks.sender import WebhookSender
from tests.doors.hubs import Hub, a_hub
from tests.doors.receivers import Answer, Arrived, Receiver
from tests.waiting import LONG_S

RULES = TargetRules((ipaddress.ip_network("127.0.0.1"),), http=True)
HOUR_US = 3_600_000_000
LONG_LEASE = LeaseTimes(valid_s=LONG_S, stale_s=2 * LONG_S)
"""A process keeps its lease also on a machine that stands still for a while."""


@contextlib.asynccontextmanager
async def a_webhook_hub(folder: Path) -> AsyncIterator[Hub]:
    """A hub with the centre ``ro`` and the member ``soc``."""
    async with a_hub(folder, targets=RULES) as made:
        await made.centre("ro", country="RO")
        await made.member("soc")
        yield made


@contextlib.asynccontextmanager
async def delivering(hub: Hub, **more: Any) -> AsyncIterator[WebhookDeliverer]:
    """A process that delivers, for the time of the block; then it stops as a process does."""
    sender = WebhookSender(RULES, deadline_s=LONG_S)
    deliverer = WebhookDeliverer(
        hub.store,
        hub.registry.access,
        hub.doors.log_watch,
        sender,
        key=hub.doors.key,
        leadership=Leadership(hub.store.webhooks, LONG_LEASE),
        now_us=hub.clock,
        poll_s=0.02,
        **more,
    )
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(deliverer.run(stop))
        try:
            yield deliverer
        finally:
            stop.set()
    await sender.aclose()


async def add(hub: Hub, receiver: Receiver, who: str = "soc", collection: str = "community", **more: Any) -> Any:
    """Add a webhook of ``who`` that posts to the receiver; returns the answer."""
    answer = await hub.post("/v1/webhooks", who, json={"collection": collection, "url": receiver.url, **more})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def the_webhook(hub: Hub, who: str = "soc") -> dict[str, Any]:
    """The only webhook that ``who`` sees."""
    (found,) = (await hub.get("/v1/webhooks", who)).json()["webhooks"]
    return dict(found)


def failing(times: int, status: int = 500) -> Callable[[Arrived], Any]:
    """Answers of a receiver: this status so many times, then 200."""
    left = [times]

    async def answer(_: Arrived) -> Answer:
        left[0] -= 1
        return status if left[0] >= 0 else 200

    return answer


async def is_up_to_date(hub: Hub) -> bool:
    """Whether the webhook has passed all changes."""
    return bool((await the_webhook(hub))["behind"] == 0)


async def has_failed(hub: Hub, attempts: int) -> bool:
    """Whether so many attempts of a batch have failed, and are stored."""
    return bool((await the_webhook(hub))["attempts"] == attempts)
