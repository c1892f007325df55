"""Delivers the changes of collections to webhooks: in order, one message of a webhook at a time, until it is taken.

One process of the hub does it at a time (``hub/doors/webhooks/leadership.py``). A batch is written to the store when it
is begun and when it has ended, so a process that continues after a crash sends the same batch under the same id.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import structlog

from hub.clock import wall_clock_us
from hub.doors import metrics
from hub.doors.log_watch import LogWatch
from hub.doors.webhooks.batches import MESSAGE_BYTES, MESSAGE_ROWS, WebhookBatch, batch_of
from hub.doors.webhooks.leadership import Leadership
from hub.doors.webhooks.places import Places
from hub.doors.webhooks.sender import Message, secret_of
from hub.model.errors import HubError, TryAgain
from hub.model.principals import RegistrySnapshot
from hub.model.webhooks import PauseReason, Webhook, WebhookAttempt, WebhookProgress
from hub.model.words import Seq
from hub.registry import grants
from hub.registry.access import Access
from hub.store.port import Store

POLL_S = 1.0
"""How often to look for new webhooks and for those that are due again."""
STOP_WITHIN_S = 2.0
"""How long a stopping process waits for messages on their way; what is cut short comes again."""
AFTER_FAULT_US = 60_000_000
"""How long a webhook is left alone when the hub itself has failed at it."""
_log = structlog.get_logger()


class Poster(Protocol):
    """Posts one message; ``hub/doors/webhooks/sender.WebhookSender`` is one."""

    async def post(self, url: str, message: Message) -> WebhookAttempt:
        """Post a message once; returns what came of it."""
        ...


@dataclass(frozen=True, slots=True)
class WebhookDelivery:
    """One finished attempt, for whoever keeps account of deliveries."""

    webhook: Webhook
    """As it was before."""
    batch: WebhookBatch
    attempt: WebhookAttempt
    took_ms: int


class WebhookDeliverer:
    """The part of one process in the delivery."""

    def __init__(
        self,
        store: Store,
        access: Access,
        watch: LogWatch,
        poster: Poster,
        *,
        key: bytes,
        leadership: Leadership | None = None,
        places: Places | None = None,
        now_us: Callable[[], int] = wall_clock_us,
        poll_s: float = POLL_S,
        finished: Callable[[WebhookDelivery], None] = lambda _: None,
    ) -> None:
        """``key``: the hub's secret. ``finished`` is called for each attempt, before its outcome is stored."""
        self._store = store
        self._access = access
        self._watch = watch
        self._poster = poster
        self._key = key
        self._leadership = leadership or Leadership(store.webhooks)
        self._places = places or Places()
        self._now_us = now_us
        self._poll_s = poll_s
        self._finished = finished
        self._known: dict[str, Webhook] = {}
        self._changes: int | None = None
        """The store's count of changes when they were read; None: they have to be read again."""
        self._running: dict[str, asyncio.Task[None]] = {}
        self._woken = asyncio.Event()
        watch.tell(lambda *_: self._woken.set())

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until ``stop`` is set, then end what is on its way; it will be sent again."""
        async with asyncio.TaskGroup() as tasks:
            waking = tasks.create_task(self._wake_at(stop))
            while not stop.is_set():
                self._woken.clear()
                try:
                    await self._round(tasks)
                except HubError as error:
                    _log.info("webhooks.store_away", code=error.code)
                if not self._leadership.is_current:
                    self._end_all()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._poll_s):
                        await self._woken.wait()
            if self._running:
                await asyncio.wait(self._running.values(), timeout=STOP_WITHIN_S)
            self._end_all()
            waking.cancel()
        with contextlib.suppress(HubError):
            await self._leadership.release()

    async def _wake_at(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._woken.set()

    def _end_all(self) -> None:
        for task in self._running.values():
            task.cancel()

    # ------------------------------------------------------------ what is started

    async def _round(self, tasks: asyncio.TaskGroup) -> None:
        if not await self._leadership.is_open():
            return
        was_current = self._leadership.is_current
        await self._read_changed()
        if not self._running and not any(one.progress.paused is None for one in self._known.values()):
            await self._leadership.release()  # without it, what is running would be cancelled
            return
        if not await self._leadership.take():
            return
        if not was_current:  # another process may have delivered since they were read
            self._changes = None
            await self._read_changed()
        for webhook in self._ready():
            task = tasks.create_task(self._deliver(webhook))
            self._running[webhook.id] = task
            task.add_done_callback(partial(self._ended, webhook.id))

    async def _read_changed(self) -> None:
        """Read the webhooks if they are not as this process has read or written them last."""
        changes = await self._store.webhooks.changes()
        if changes == self._changes:
            return
        self._changes = changes
        busy = set(self._running)
        try:
            found = {one.id: one for one in await self._store.webhooks.all()}
        except BaseException:
            self._changes = None
            raise
        # what was on its way when the store was read has moved since: the memory is newer, or it was removed
        newest = {id_: self._known.get(id_) if id_ in busy else one for id_, one in found.items()}
        if busy - self._known.keys():  # others have changed one of them: it is read again when it has ended
            self._changes = None
        self._known = {id_: one for id_, one in newest.items() if one is not None}
        self._places.forget_others(self._known.keys())

    def _ended(self, webhook_id: str, _: asyncio.Task[None]) -> None:
        self._running.pop(webhook_id, None)
        self._places.leave(webhook_id)
        self._woken.set()

    def _ready(self) -> Iterator[Webhook]:
        """The webhooks to start now, those of alert lanes first; then those that have waited longest for a place."""
        now_us, alerts = self._now_us(), self._watch.alerts
        ready = [
            one
            for one in self._known.values()
            if one.id not in self._running and one.is_ready(self._watch.seq(one.collection), now_us)
        ]
        for webhook in self._places.in_order(ready, alerts):
            if self._places.enter(webhook, is_alert=webhook.collection in alerts):
                yield webhook

    # ------------------------------------------------------------ one batch

    async def _deliver(self, webhook: Webhook) -> None:
        """Send the next batch of a webhook once. What nobody foresaw must not end the process, or other webhooks."""
        try:
            await self._send_next(webhook)
        except TryAgain as error:
            _log.info("webhooks.store_away", code=error.code)
        except Exception as error:  # noqa: BLE001 - told, and tried again later
            await asyncio.to_thread(_log.error, "webhook.fault", way_out="Report the error below.", exc_info=error)
            with contextlib.suppress(HubError):
                newest = self._known.get(webhook.id, webhook)  # the batch may have been begun before the fault
                due = replace(newest.progress, due_us=self._now_us() + AFTER_FAULT_US)
                await self._save(newest, due)

    async def _send_next(self, webhook: Webhook) -> None:
        reason = _why_not(webhook, await self._access.snapshot())
        if reason is not None:
            await self._pause(webhook, webhook.progress.pause(reason))
            return
        batch = await self._batch(webhook)
        if not batch.count:
            await self._save(webhook, webhook.progress.moved(batch.last))
            return
        if webhook.progress.batch_to != batch.last:
            begun = await self._save(webhook, webhook.progress.begun(batch.last))
            if begun is None:
                return
            webhook = begun
        message = Message(batch.id_for(webhook), batch.body, secret_of(self._key, webhook.id))
        began_s = time.perf_counter()
        attempt = await self._poster.post(webhook.url, message)
        took_ms = round((time.perf_counter() - began_s) * 1000)
        jitter = random.random()  # noqa: S311 - nothing secret
        after = webhook.progress.after(attempt, batch.last, self._now_us(), jitter)
        self._tell(WebhookDelivery(webhook, batch, attempt, took_ms))
        saved = await (self._save(webhook, after) if after.paused is None else self._pause(webhook, after))
        if saved is None and attempt.is_success:
            await self._save_again(webhook, after)

    async def _batch(self, webhook: Webhook) -> WebhookBatch:
        logs, log, after = self._store.logs, webhook.collection, webhook.progress.position
        page = await logs.page(log, after, limit=MESSAGE_ROWS, limit_bytes=MESSAGE_BYTES)
        causes = await logs.causes(log, after, page.rows[-1].seq) if page.rows else {}
        end = (await logs.ends()).get(log) if webhook.filter.leaves_out_versions else None
        return await asyncio.to_thread(batch_of, webhook, page, causes, Seq(0) if end is None else end.pruned)

    async def _save(self, webhook: Webhook, progress: WebhookProgress) -> Webhook | None:
        """Store progress; None if the webhook was removed, or its progress is not that of ``webhook`` any more. It is
        then read again.
        """
        if not await self._store.webhooks.save(webhook.id, webhook.progress, progress):
            self._known.pop(webhook.id, None)
            self._changes = None
            return None
        self._known[webhook.id] = saved = replace(webhook, progress=progress)
        return saved

    async def _save_again(self, webhook: Webhook, progress: WebhookProgress) -> None:
        """Store that a batch was taken, also if the webhook was resumed while it was on its way. A failure from before
        is not stored over a resumption: the webhook is tried at once, as asked.
        """
        for there in await self._store.webhooks.all():
            if there.id == webhook.id and there.progress.position == webhook.progress.position:
                await self._save(there, progress)

    async def _pause(self, webhook: Webhook, progress: WebhookProgress) -> Webhook | None:
        saved = await self._save(webhook, progress)
        if saved is not None:
            _log.info("webhook.paused", code=str(progress.paused), collection=webhook.collection_name)
        return saved

    def _tell(self, delivery: WebhookDelivery) -> None:
        """The one place where a finished attempt is known."""
        webhook, batch, attempt = delivery.webhook, delivery.batch, delivery.attempt
        metrics.WEBHOOK_ATTEMPTS.labels("taken" if attempt.is_success else "failed").inc()
        if attempt.is_success:
            is_alert = webhook.collection in self._watch.alerts
            since = [at_us for added_us, at_us in batch.received_us if added_us >= webhook.created_us]
            metrics.note_delivered("webhook", since, is_alert=is_alert)
        _log.info(
            "webhook.sent" if attempt.is_success else "webhook.failed",
            collection=webhook.collection_name, seq=batch.last, count=batch.count, bytes=len(batch.body),
            code=attempt.status, took_ms=delivery.took_ms,
        )  # fmt: skip
        self._finished(delivery)


def _why_not(webhook: Webhook, now: RegistrySnapshot) -> PauseReason | None:
    """Why nothing may be sent now: the rights of the moment count, not those of when it was added."""
    principal = next((one for one in now.principals.values() if one.no == webhook.principal), None)
    collection = next((one for one in now.collections.values() if one.no == webhook.collection), None)
    if principal is not None and principal.suspended:
        return PauseReason.SUSPENDED
    if collection is None:
        return PauseReason.COLLECTION_REMOVED
    if principal is None or not grants.may_read(principal, collection, now.groups):
        return PauseReason.NO_ACCESS
    return None
