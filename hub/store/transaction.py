"""The transaction of one worker step on SQLAlchemy Core, for both dialects.

Bulk writes use the driver's ``executemany``: Core compiles the statement once, and the rows are plain tuples.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from typing import Any

import orjson
from sqlalchemy import Table, bindparam, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.model.errors import TryAgain
from hub.model.lifecycle import KeptVersions
from hub.model.policy import Policy
from hub.model.reads import REPLACED, THING, Answers, ClaimsPage, Reads
from hub.model.tasks import DueTask
from hub.model.times import from_us, midnight_after
from hub.model.words import Positions, Seq, Withdrawal
from hub.model.writes import Head, Held, Writes
from hub.store import breakers, policy_changes, tasks, versions, waiting
from hub.store import tables as t
from hub.store.chunks import chunks
from hub.store.dialect import Dialect
from hub.store.loading import Loading


class Stale(TryAgain):
    """Another worker has processed this batch and moved the positions."""

    def __init__(self) -> None:
        super().__init__("worker.stale", "Another worker has carried this batch.", "Rewind and take again.")


class SqlTransaction:
    """See ``hub/store/port.Transaction``."""

    def __init__(self, store: Dialect, conn: AsyncConnection) -> None:
        self._store = store
        self.conn = conn
        self._locks = store.locks(conn)
        self._prepared: Writes | None = None
        self._absent: set[Hashable] = set()
        """Keys of claims, and of views by collection and thing, that do not exist. Locked: nobody adds them."""

    async def policy(self) -> Policy:
        """See the port."""
        await self._locks.share()
        return await self._store.policy_in(self.conn)

    async def load(self, reads: Reads, policy: Policy) -> Answers:
        """See the port."""
        await self._locks.before(reads, policy)
        answers = await Loading(self._store, self.conn, self._locks).answer(reads, policy)
        self._locks.note(answers, policy)
        self._note_absent(answers, policy)
        return answers

    def _note_absent(self, answers: Answers, policy: Policy) -> None:
        self._absent.update(key for key, claim in answers.of(REPLACED).items() if claim is None)
        for thing, record in answers.of(THING).items():
            self._absent.update((no, thing) for no in policy.collections if no not in record.views)

    async def heads(self, logs: Collection[int]) -> dict[int, Head]:
        """See the port."""
        if not logs:
            return {}
        c = t.logs.c
        # A fixed order prevents deadlocks; waiting steps then read what this one has written. SQLite has one writer.
        locking = select(c.no, c.last_seq, c.last_us).where(c.no.in_(sorted(logs))).order_by(c.no).with_for_update()
        rows = await self.conn.execute(locking)
        return {row.no: Head(Seq(row.last_seq), row.last_us) for row in rows}

    async def prepare(self, writes: Writes) -> None:
        """See the port."""
        await self._write_claims(writes)
        self._prepared = writes

    async def write(self, writes: Writes) -> None:
        """See the port."""
        if self._prepared is not writes:
            await self._write_claims(writes)
        await self._locks.confirm(writes)
        await self._write_views(writes)
        await self._write_changes(writes)
        await self._write_receipts(writes)
        await tasks.cancel(self.conn, writes.cancelled)
        await tasks.add(self.conn, writes.tasks, writes.time_us)
        await self._store.announce(self.conn)

    async def _many(self, sql: str, rows: Sequence[tuple[Any, ...]]) -> None:
        if rows:
            await self._store.many(self.conn, sql, rows)

    async def _put(
        self, table: Table, keys: Sequence[str], rows: Sequence[tuple[Any, ...]], names: Sequence[Hashable]
    ) -> None:
        """Write rows. Those that are known not to exist are plain inserts, which are cheaper."""
        new = [row for row, name in zip(rows, names, strict=True) if name in self._absent]
        old = [row for row, name in zip(rows, names, strict=True) if name not in self._absent]
        self._absent.difference_update(names)
        await self._many(self._store.insert(table), new)
        await self._many(self._store.upsert(table, keys), old)

    async def _write_claims(self, writes: Writes) -> None:
        rows = [
            (c.key, c.source, c.id, c.type, c.thing, c.modified_us, c.stamp, c.since, int(c.state), c.digest, c.body)
            for c in sorted(writes.claims, key=lambda one: (one.stamp, one.key))  # numbered in the order of arrival
        ]
        await self._put(t.contributions, ["key"], rows, [row[0] for row in rows])
        for table, keys in ((t.referring, list(writes.references)), (t.placements, list(writes.placements))):
            for some in chunks(sorted(keys)):
                await self.conn.execute(table.delete().where(table.c.key.in_(some)))
        pairs = sorted((target, key) for key, targets in writes.references.items() for target in set(targets))
        await self._many(self._store.insert(t.referring), pairs)
        placed = sorted((key, no, thing) for key, where in writes.placements.items() for no, thing in where.items())
        await self._many(self._store.insert(t.placements), placed)
        values = sorted((value, key, alone) for key, some in writes.values.items() for value, alone in some.items())
        await self._many(self._store.upsert(t.named_values, ["value", "thing"]), values)

    async def _write_views(self, writes: Writes) -> None:
        rows = sorted(
            (v.thing, v.collection, v.object_id, v.type, v.generation, v.seq, v.alive, v.digest, v.created_us,
             v.modified_us, " ".join(v.uses), v.due_day, v.dated_us, v.late_us)
            for v in writes.views
        )  # fmt: skip
        late = [{"at_no": no, "at": thing, "us": us} for (no, thing), us in sorted(writes.late.items())]
        if late:
            await self.conn.execute(_LATE, late)
            await tasks.publish_late(self.conn, writes.late)
        await self._put(t.views, ["thing", "collection"], rows, [(row[1], row[0]) for row in rows])
        due = [{"at_no": no, "at": thing, "day": day} for (no, thing), day in sorted(writes.due_days.items())]
        if due:
            await self.conn.execute(_DUE, due)
        past = sorted((v.object_id, v.collection, v.thing, v.type, v.generation, v.seq) for v in writes.past_ids)
        await self._many(self._store.upsert(t.past_ids, ["object_id", "collection"]), past)
        used = sorted((no, name, delta) for (no, name), delta in writes.uses.items() if delta)
        await self._many(self._store.upsert(t.uses, ["collection", "used"], add=["count"]), used)

    async def _write_changes(self, writes: Writes) -> None:
        rows = [
            (c.log, c.seq, c.object_id, c.type, c.withdrawn, c.date_added_us, c.version_us, c.first,
             t.SHOWN_NEVER if c.withdrawn and not c.body else t.SHOWN_NOW, c.before, c.body,
             writes.received.get((c.log, c.seq)))
            for c in writes.changes
        ]  # fmt: skip
        followed = [
            {"at_log": c.log, "at_seq": c.before}
            for c in writes.changes
            if c.before is not None and (c.log, c.seq) not in writes.hidden
        ]
        if followed:
            await self.conn.execute(_FOLLOWED, followed)
        await self._many(self._store.insert(t.changes), rows)
        for log, seq in writes.hidden:
            await self._hide(log, seq)
        heads = [{"at_no": no, "seq": head.seq, "us": head.date_us} for no, head in sorted(writes.heads.items())]
        if heads:
            await self.conn.execute(_HEAD, heads)

    async def _hide(self, log: int, seq: Seq) -> None:
        """Mark all versions of this row's object as not shown: the object has left the collection."""
        c = t.changes.c
        at: int | None = seq
        while at is not None:
            row = (await self.conn.execute(select(c.before, c.shown).where(c.log == log, c.seq == at))).first()
            if row is None or (row.shown == t.SHOWN_NEVER and at != seq):
                return
            await self.conn.execute(update(t.changes).where(c.log == log, c.seq == at).values(shown=t.SHOWN_NEVER))
            at = row.before

    async def _write_receipts(self, writes: Writes) -> None:
        parts = [
            (p.receipt, p.source, p.counts.accepted, p.counts.unchanged, p.counts.held, p.counts.rejected,
             min((int(x["index"]) for x in p.problems), default=0), orjson.dumps(p.problems),
             None if p.objects is None else orjson.dumps(p.objects))
            for p in writes.receipts
        ]  # fmt: skip
        await self._many(self._store.insert(t.receipt_parts), parts)
        totals = [(no, x.accepted, x.unchanged, x.held, x.rejected) for no, x in sorted(writes.counts.items())]
        columns = ["accepted", "unchanged", "held", "rejected"]
        await self._many(self._store.upsert(t.counts, ["source"], add=columns), totals)
        live = sorted((source, change) for source, change in writes.live.items() if change)
        await self._many(self._store.upsert(t.live_claims, ["source"], add=["count"]), live)
        await breakers.store(self.conn, writes.breakers)
        await waiting.supersede(self.conn, writes.superseding)
        rows = [
            (h.source, h.stix_id, h.code, h.list_name, h.says, h.value, h.stamp, h.receipt, h.index, h.at_us,
             h.modified_us, h.digest, h.withdrawal, "waiting", h.thing)
            for h in writes.held
        ]  # fmt: skip
        await self._many(self._store.insert(t.held), rows)
        if writes.unwanted:
            await self.conn.execute(_UNWANTED, [dict(zip("tpo", at, strict=True)) for at in writes.unwanted])
        if writes.released:
            await self.conn.execute(update(t.held).where(t.held.c.no.in_(writes.released)).values(state="taken"))

    async def advance(self, start: Positions, end: Positions, now_us: int) -> None:
        """See the port."""
        for at in sorted(end):
            if end[at] == start.get(at, 0):
                continue
            c = t.positions.c
            here = (c.topic == at.topic) & (c.partition == at.partition)
            moved = await self.conn.execute(
                update(t.positions).where(here, c.next == start.get(at, 0)).values(next=end[at], moved_us=now_us)
            )
            if moved.rowcount == 1:
                continue
            first = {"topic": at.topic, "partition": at.partition, "next": end[at], "us": now_us}
            if (await self.conn.execute(_FIRST_POSITION, first)).rowcount != 1:
                raise Stale

    async def take(self, task: DueTask) -> bool:
        """See the port."""
        return await tasks.take(self.conn, task)

    async def move(self, task: DueTask, cursor: bytes | None, due_us: int | None = None) -> None:
        """See the port."""
        if cursor is None:
            await tasks.finish(self.conn, task)
            return
        await tasks.move(self.conn, task, cursor)
        if due_us is not None:
            await tasks.defer(self.conn, task, due_us)

    async def alone(self) -> None:
        """See the port."""
        await self._locks.alone()

    async def start(self, task: DueTask, now_us: int) -> DueTask:
        """See the port."""
        return await tasks.start(self.conn, task, now_us)

    async def page(self, task: DueTask, after: bytes, limit: int) -> ClaimsPage:
        """See the port."""
        return await tasks.page(self.conn, task, after, limit)

    async def note(self, task: DueTask, done: int, now_us: int) -> None:
        """See the port."""
        await tasks.note(self.conn, task, done, now_us)

    async def drop_versions(self, collection: int, kept: KeptVersions, limit: int) -> bool:
        """See the port."""
        return await versions.drop(self.conn, collection, kept, limit)

    async def set_date(self, task: DueTask, now_us: int) -> None:
        """See the port."""
        await policy_changes.set_date(self.conn, from_us(now_us).date().isoformat(), now_us)
        await tasks.defer(self.conn, task, midnight_after(now_us))

    async def released(self, limit: int) -> list[Held]:
        """See the port."""
        h = t.held.c
        query = select(t.held).where(h.state == "released").order_by(h.no).limit(limit)
        rows = await self.conn.execute(query.with_for_update(skip_locked=True))  # another worker has locked the rest
        return [
            Held(
                r.no, r.source, r.stix_id, r.code, r.list, r.says, r.value, r.stamp, r.receipt, r.idx, r.at_us,
                withdrawal=None if r.withdrawal is None else Withdrawal(r.withdrawal),
            )
            for r in rows
        ]  # fmt: skip


_HEAD = (
    update(t.logs).where(t.logs.c.no == bindparam("at_no")).values(last_seq=bindparam("seq"), last_us=bindparam("us"))
)

_FIRST_POSITION = text(
    'insert into positions (topic, "partition", "next", moved_us) values (:topic, :partition, :next, :us)'
    " on conflict do nothing"
)
"""Only one of several workers that start a partition at the same time inserts its row."""

_UNWANTED = text('insert into unwanted (topic, "partition", "offset") values (:t, :p, :o) on conflict do nothing')

_DUE = (
    update(t.views)
    .where(t.views.c.thing == bindparam("at"), t.views.c.collection == bindparam("at_no"))
    .values(due_day=bindparam("day"))
)

_LATE = (
    update(t.views)
    .where(t.views.c.thing == bindparam("at"), t.views.c.collection == bindparam("at_no"))
    .values(late_us=bindparam("us"))
)

_FOLLOWED = (
    update(t.changes)
    .where(
        t.changes.c.log == bindparam("at_log"), t.changes.c.seq == bindparam("at_seq"), t.changes.c.shown == t.SHOWN_NOW
    )
    .values(shown=t.SHOWN_BEFORE)
)
