"""Statements on webhooks, and on the lease of the process that delivers them; the same for both dialects."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.model.webhooks import PauseReason, Webhook, WebhookFilter, WebhookProgress
from hub.model.words import Seq
from hub.store import tables as t
from hub.store import webhook_tables as wt
from hub.store.dialect import Dialect
from hub.store.webhook_port import Lease

_W = wt.webhooks.c
_L = wt.leases.c
_LEASE = "webhooks"
_CHANGES = select(_L.changes).where(_L.name == _LEASE)
_CHANGED = text("""
    insert into leases (name, owner, beat, changes) values (:name, '', 0, 1)
    on conflict (name) do update set changes = leases.changes + 1
""").bindparams(name=_LEASE)


class SqlWebhooks:
    """See ``hub/store/webhook_port.WebhookStore``."""

    def __init__(self, database: Dialect) -> None:
        self._database = database

    async def all(self, principal: int | None = None) -> list[Webhook]:
        """See the port."""
        wanted = select(wt.webhooks).order_by(_W.created_us, _W.id)
        if principal is not None:
            wanted = wanted.where(_W.principal == principal)
        async with self._database.reading() as conn:
            return [_webhook(row) for row in await conn.execute(wanted)]

    async def add(self, webhook: Webhook, *, most: int) -> bool:
        """See the port. The row of the principal is locked, so that two requests do not both find room."""
        p = t.principals.c
        async with self._database.begin() as conn:
            await conn.execute(select(p.no).where(p.no == webhook.principal).with_for_update())
            there = select(func.count()).select_from(wt.webhooks).where(_W.principal == webhook.principal)
            if (await conn.execute(there)).scalar_one() >= most:
                return False
            await conn.execute(insert(wt.webhooks).values(_row(webhook)))
            await count_webhook_change(conn)
            await self._database.announce(conn)
        return True

    async def remove(self, webhook_id: str) -> bool:
        """See the port."""
        async with self._database.begin() as conn:
            found = await conn.execute(delete(wt.webhooks).where(_W.id == webhook_id))
            await count_webhook_change(conn)
            return bool(found.rowcount)

    async def save(self, webhook_id: str, before: WebhookProgress, progress: WebhookProgress) -> bool:
        """See the port."""
        async with self._database.begin() as conn:
            return await _save(conn, webhook_id, before, progress)

    async def resume(self, webhook_id: str, before: WebhookProgress) -> bool:
        """See the port."""
        async with self._database.begin() as conn:
            is_saved = await _save(conn, webhook_id, before, before.resumed())
            await count_webhook_change(conn)
            return is_saved

    async def changes(self) -> int:
        """See the port."""
        found = await self._database.read_row(_CHANGES, {})
        return int(found[0]) if found else 0

    async def lease(self) -> Lease:
        """See the port."""
        async with self._database.reading() as conn:
            row = (await conn.execute(select(_L.owner, _L.beat).where(_L.name == _LEASE))).first()
        return Lease("", 0) if row is None else Lease(row.owner, row.beat)

    async def hold(self, seen: Lease, owner: str) -> bool:
        """See the port."""
        as_seen = update(wt.leases).where(_L.name == _LEASE, _L.owner == seen.owner, _L.beat == seen.beat)
        async with self._database.begin() as conn:
            taken = await conn.execute(as_seen.values(owner=owner, beat=seen.beat + 1))
            if taken.rowcount or seen.beat:
                return bool(taken.rowcount)
            try:
                async with conn.begin_nested():
                    await conn.execute(insert(wt.leases).values(name=_LEASE, owner=owner, beat=1))
            except IntegrityError:
                return False
            return True


async def remove_webhooks(conn: AsyncConnection, principal: int) -> None:
    """Delete all webhooks of a principal."""
    await conn.execute(delete(wt.webhooks).where(_W.principal == principal))
    await count_webhook_change(conn)


async def count_webhook_change(conn: AsyncConnection) -> None:
    """Count a change that the process that delivers has to read. It comes after the change: every transaction locks
    webhooks first, then the count.
    """
    await conn.execute(_CHANGED)


async def _save(conn: AsyncConnection, webhook_id: str, before: WebhookProgress, progress: WebhookProgress) -> bool:
    as_before = (_W[name].is_not_distinct_from(value) for name, value in asdict(before).items())
    found = await conn.execute(update(wt.webhooks).where(_W.id == webhook_id, *as_before).values(asdict(progress)))
    return bool(found.rowcount)


def _row(webhook: Webhook) -> dict[str, Any]:
    return {
        "id": webhook.id,
        "principal": webhook.principal,
        "collection": webhook.collection,
        "collection_name": webhook.collection_name,
        "url": webhook.url,
        "types": json.dumps(sorted(webhook.filter.types)),
        "kinds": json.dumps(sorted(webhook.filter.kinds)),
        "min_confidence": webhook.filter.min_confidence,
        "created_us": webhook.created_us,
        **asdict(webhook.progress),
    }


def _webhook(row: Row[Any]) -> Webhook:
    progress = WebhookProgress(
        position=Seq(row.position),
        batch_to=None if row.batch_to is None else Seq(row.batch_to),
        attempts=row.attempts,
        failed_us=row.failed_us,
        due_us=row.due_us,
        last_failure=row.last_failure,
        delivered_us=row.delivered_us,
        paused=None if row.paused is None else PauseReason(row.paused),
    )
    return Webhook(
        id=row.id,
        principal=row.principal,
        collection=row.collection,
        collection_name=row.collection_name,
        url=row.url,
        filter=WebhookFilter(frozenset(json.loads(row.types)), frozenset(json.loads(row.kinds)), row.min_confidence),
        created_us=row.created_us,
        progress=progress,
    )
