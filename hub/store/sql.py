"""The store over SQLAlchemy Core: what both dialects share. What a dialect changes is a method of its adapter.

Bulk writes go through the driver's own ``executemany``: Core compiles the statement once, the rows are plain tuples.
"""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Hashable, Iterable, Sequence
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Row, Table, bindparam, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from hub.model.claims import Change, Claim, ClaimKey, ClaimState, View, claim_key
from hub.model.clock import Alive, Seen
from hub.model.errors import HubError, TryAgain
from hub.model.policy import Policy
from hub.model.step import REFERRERS, Head, Held, Loaded, Wanted, Writes
from hub.model.times import from_us
from hub.model.words import CanonicalKey, Positions, Seq, Stamp, StixId, TopicPartition
from hub.store import clock, crowds, directory, reading, waiting
from hub.store import tables as t
from hub.store.chunks import chunks
from hub.store.clock import PutBack
from hub.store.locks import Locks, NoLocks
from hub.store.port import Filter, LogEnd, Sweep


class Stale(TryAgain):
    """The positions have moved on: another worker has carried this batch."""

    def __init__(self) -> None:
        super().__init__("worker.stale", "Another worker has carried this batch.", "Rewind and take again.")


class SqlStore(ABC):
    """See ``hub/store/port.Store``; an adapter adds its dialect."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self._policy: Policy | None = None

    # ------------------------------------------------------------ dialect

    @abstractmethod
    def begin(self) -> contextlib.AbstractAsyncContextManager[AsyncConnection]:
        """A transaction that may write; commits at the end of the block. Raises TryAgain when the server is away."""

    @abstractmethod
    def look(self) -> contextlib.AbstractAsyncContextManager[AsyncConnection]:
        """A transaction that only reads, all of it at one moment."""

    @abstractmethod
    def watch(self) -> AsyncGenerator[None, None]:
        """See the port."""

    @abstractmethod
    def upsert(self, table: Table, keys: Sequence[str], add: Sequence[str] = ()) -> str:
        """The text of an insert with positional parameters for all columns of ``table`` in their order; a row with
        the same ``keys`` is replaced, except that ``add`` columns grow by the new value."""

    @abstractmethod
    async def many(self, conn: AsyncConnection, sql: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """Run one statement for many rows."""

    @abstractmethod
    def insert(self, table: Table, columns: Sequence[str] | None = None) -> str:
        """The text of a plain insert with positional parameters, for ``many``."""

    def locks(self, conn: AsyncConnection) -> Locks:  # noqa: ARG002 - an adapter with many writers needs it
        """What keeps the steps of several workers apart; nothing where writers are serialised anyway."""
        return NoLocks()

    @abstractmethod
    async def announce(self, conn: AsyncConnection) -> None:
        """Tell watchers in other processes, with the commit."""

    # ------------------------------------------------------------ worker

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[SqlTransaction]:
        """See the port."""
        async with self.begin() as conn:
            yield SqlTransaction(self, conn)

    async def positions(self, partitions: Collection[TopicPartition]) -> Positions:
        """See the port."""
        wanted = set(partitions)
        return {at: position for at, position in (await self.all_positions()).items() if at in wanted}

    async def has_chores(self) -> bool:
        """See the port."""
        swept = select(t.sweeps.c.no).where(~t.sweeps.c.done).exists()
        released = select(t.held.c.no).where(t.held.c.state == "released").exists()
        async with self.look() as conn:
            return bool((await conn.execute(select(swept | released))).scalar_one())

    async def all_positions(self) -> Positions:
        """How far every partition has been carried."""
        async with self.look() as conn:
            return {at: reached.next for at, reached in (await reading.reached(conn)).items()}

    async def tick(self, now_us: int) -> bool:
        """Set the date, once a day: first the one after the hub was made. Whether this call did."""
        day = from_us(now_us).date().isoformat()
        async with self.look() as conn:
            made_us = (await conn.execute(select(t.hub.c.created_us))).scalar_one()
            last = (await conn.execute(select(func.max(t.ticks.c.day)))).scalar_one()
        if day <= (last or from_us(made_us).date().isoformat()):
            return False
        async with self.begin() as conn:
            return await directory.tick(conn, day, now_us)

    # ------------------------------------------------------------ clock

    async def seen(self) -> Seen:
        """The times that the store holds, by which a clock is judged."""
        async with self.look() as conn:
            return await clock.read_seen(conn)

    async def mark_alive(self, boot: str, alive: Alive) -> None:
        """Note that a worker works now."""
        async with self.begin() as conn:
            await clock.mark_alive(conn, boot, alive)

    async def put_back(self, now_us: int, *, later_than_us: int) -> PutBack:
        """Put back what is dated later, whole or not at all."""
        async with self.begin() as conn:
            return await clock.put_back(conn, now_us, later_than_us=later_than_us)

    # ------------------------------------------------------------ policy

    async def policy(self) -> Policy:
        """See the port."""
        async with self.look() as conn:
            return await self.policy_in(conn)

    async def policy_in(self, conn: AsyncConnection) -> Policy:
        """The policy as this transaction sees it."""
        number = await directory.policy_number(conn)
        if self._policy is None or self._policy.number != number:
            self._policy = await self.read_policy(conn)
        return self._policy

    async def read_policy(self, conn: AsyncConnection) -> Policy:
        """The whole policy as of one moment, not before that of this transaction's last statement."""
        return await directory.read_policy(conn)

    async def rows_in(
        self, conn: AsyncConnection, table: Table, column: ColumnElement[Any], values: Sequence[Any]
    ) -> Sequence[Row[Any]]:
        """The rows with these values in an indexed column, however many they are."""
        found: list[Row[Any]] = []
        for some in chunks(values):
            found.extend((await conn.execute(select(table).where(column.in_(some)))).all())
        return found

    # ------------------------------------------------------------ doors

    async def read(self, log: int, after: Seq, *, limit: int, limit_bytes: int, by: Filter) -> list[Change]:
        """See the port."""
        async with self.look() as conn:
            return await reading.changes(conn, log, after, limit=limit, limit_bytes=limit_bytes, by=by)

    async def head(self, log: int) -> Head:
        """See the port."""
        async with self.look() as conn:
            return await reading.head(conn, log)

    async def heads(self) -> dict[int, Head]:
        """See the port."""
        async with self.look() as conn:
            rows = await conn.execute(select(t.logs.c.no, t.logs.c.last_seq, t.logs.c.last_us))
            return {row.no: Head(Seq(row.last_seq), row.last_us) for row in rows}

    async def log_ends(self) -> dict[int, LogEnd]:
        """See the port."""
        async with self.look() as conn:
            rows = await conn.execute(select(t.logs.c.no, t.logs.c.name, t.logs.c.last_seq))
            return {row.no: LogEnd(row.name, Seq(row.last_seq)) for row in rows}

    async def find_views(self, object_id: StixId, collections: Iterable[int]) -> list[View]:
        """See the port."""
        wanted = list(collections)
        async with self.look() as conn:
            now = await conn.execute(select(t.views).where(t.views.c.object_id == object_id))
            found = [_view(row) for row in now if row.collection in wanted]
            past = await conn.execute(select(t.past_ids).where(t.past_ids.c.object_id == object_id))
            found.extend(_past(row) for row in past if row.collection in wanted)
        return found

    async def views_of(self, thing: CanonicalKey, collections: Iterable[int]) -> list[View]:
        """See the port."""
        wanted = set(collections)
        async with self.look() as conn:
            rows = await conn.execute(select(t.views).where(t.views.c.thing == thing))
            return [_view(row) for row in rows if row.collection in wanted]

    async def find_claims(self, things: Collection[CanonicalKey], ids: Collection[StixId]) -> list[Claim]:
        """See the port."""
        async with self.look() as conn:
            policy = await self.policy_in(conn)
            keys = [claim_key(centre, stix_id) for stix_id in ids for centre in policy.centres]
            c = t.contributions.c
            found = {
                row.key: _claim(row)
                for column, values in ((c.thing, list(things)), (c.key, keys))
                for row in await self.rows_in(conn, t.contributions, column, values)
            }
            return list(found.values())

    async def things_naming(self, values: Collection[bytes], limit: int) -> list[CanonicalKey]:
        """See the port."""
        v = t.named_values.c
        async with self.look() as conn:
            things = select(v.thing).where(v.value.in_(list(values))).order_by(v.alone.desc(), v.thing).limit(limit)
            return list(dict.fromkeys((await conn.execute(things)).scalars()))

    async def ready(self) -> bool:
        """See the port."""
        try:
            async with self.look() as conn:
                await conn.execute(select(t.hub.c.one))
        except HubError:
            return False
        return True

    async def close(self) -> None:
        """See the port."""
        await self.engine.dispose()


class SqlTransaction:
    """See ``hub/store/port.Transaction``."""

    def __init__(self, store: SqlStore, conn: AsyncConnection) -> None:
        self._store = store
        self.conn = conn
        self._locks = store.locks(conn)
        self._prepared: Writes | None = None
        self._absent: set[Hashable] = set()
        """Claims, and views by collection and thing, that are not there: locked as they are, nobody else adds them."""

    async def _rows_in(self, table: Table, column: ColumnElement[Any], values: Sequence[Any]) -> Sequence[Row[Any]]:
        return await self._store.rows_in(self.conn, table, column, values)

    async def policy(self) -> Policy:
        """See the port."""
        await self._locks.share()
        return await self._store.policy_in(self.conn)

    async def load(self, wanted: Wanted, policy: Policy) -> Loaded:
        """See the port."""
        loaded = Loaded()
        await self._locks.wanted(wanted, policy)
        await self._load_things(wanted, loaded, policy)
        await self._load_claims(wanted, loaded, policy)
        await self._load_placements(wanted, loaded)
        await self._load_rows(wanted, loaded)
        self._locks.note(loaded, policy)
        return loaded

    async def _load_things(self, wanted: Wanted, loaded: Loaded, policy: Policy) -> None:
        if not wanted.things:
            return
        things = sorted(wanted.things)
        loaded.of_thing = {thing: [] for thing in things}
        for row in await self._rows_in(t.contributions, t.contributions.c.thing, things):
            loaded.claims[row.key] = _claim(row)
            loaded.of_thing[row.thing].append(row.key)
        for row in await self._rows_in(t.views, t.views.c.thing, things):
            loaded.views[row.collection, row.thing] = _view(row)
        self._absent.update((no, thing) for no in policy.collections for thing in things)
        self._absent.difference_update(loaded.views)

    async def _load_claims(self, wanted: Wanted, loaded: Loaded, policy: Policy) -> None:
        keys = set(wanted.claims)
        if wanted.ids:
            by_id = {stix_id: [claim_key(centre, stix_id) for centre in policy.centres] for stix_id in wanted.ids}
            keys.update(key for some in by_id.values() for key in some)
        else:
            by_id = {}
        keys |= await crowds.load_referrers(self.conn, wanted, loaded)
        for placed in wanted.placed:
            loaded.placed[placed] = defaultdict(list)
        p = t.placements
        for row in await self._rows_in(p, p.c.thing, sorted(wanted.placed)):
            loaded.placed[row.thing][row.collection].append(row.key)
            keys.add(row.key)
        await self._locks.found(key for some in loaded.referrers.values() for key in some)
        await self._locks.found(key for where in loaded.placed.values() for some in where.values() for key in some)
        key = t.contributions.c.key
        for row in await self._rows_in(t.contributions, key, sorted(keys - loaded.claims.keys())):
            loaded.claims[row.key] = _claim(row)
        self._absent.update(wanted.claims - loaded.claims.keys())
        loaded.of_id = {stix_id: [key for key in some if key in loaded.claims] for stix_id, some in by_id.items()}

    async def _load_placements(self, wanted: Wanted, loaded: Loaded) -> None:
        loaded.placements = {key: {} for key in wanted.placements}
        p = t.placements
        for row in await self._rows_in(p, p.c.key, sorted(wanted.placements)):
            loaded.placements[row.key][row.collection] = CanonicalKey(row.thing)

    async def _load_rows(self, wanted: Wanted, loaded: Loaded) -> None:
        await crowds.load_pages(self.conn, wanted, loaded, _claim)
        if await self._locks.found(claim.key for page in loaded.pages.values() for claim in page):
            await crowds.load_pages(self.conn, wanted, loaded, _claim)
        await crowds.load_issued(self.conn, wanted, loaded)
        await crowds.load_past(self.conn, wanted, loaded)
        await waiting.load_held(self.conn, wanted, loaded)
        c = t.changes.c
        by_log: dict[int, list[Seq]] = defaultdict(list)
        for log, seq in wanted.bodies:
            by_log[log].append(seq)
        for log, seqs in by_log.items():
            for some in chunks(sorted(seqs)):
                rows = await self.conn.execute(select(c.seq, c.body).where(c.log == log, c.seq.in_(some)))
                loaded.bodies.update({(log, Seq(row.seq)): row.body for row in rows})
        u = t.carried
        loaded.carried = dict.fromkeys(wanted.carried, 0)
        for row in await self._rows_in(u, u.c.used, sorted({name for _, name in wanted.carried})):
            log, used, number = tuple(row)
            loaded.carried[log, used] = number

    async def heads(self, logs: Collection[int]) -> dict[int, Head]:
        """See the port."""
        c = t.logs.c
        # In this order others wait in turn; what they find then is what we have left. SQLite has one writer anyway.
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
        await crowds.add_sweeps(self.conn, writes.sweeps, writes.cancelled)
        await self._store.announce(self.conn)

    async def _many(self, sql: str, rows: Sequence[tuple[Any, ...]]) -> None:
        if rows:
            await self._store.many(self.conn, sql, rows)

    async def _put(
        self, table: Table, keys: Sequence[str], rows: Sequence[tuple[Any, ...]], names: Sequence[Hashable]
    ) -> None:
        """Write rows, those that are known not to be there by plain inserts, which are cheaper."""
        new = [row for row, name in zip(rows, names, strict=True) if name in self._absent]
        old = [row for row, name in zip(rows, names, strict=True) if name not in self._absent]
        self._absent.difference_update(names)
        await self._many(self._store.insert(table), new)
        await self._many(self._store.upsert(table, keys), old)

    async def _write_claims(self, writes: Writes) -> None:
        rows = sorted(
            (c.key, c.centre, c.id, c.type, c.thing, c.modified_us, c.stamp, c.since, int(c.state), c.digest, c.body)
            for c in writes.claims
        )
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
             v.modified_us, " ".join(v.uses))
            for v in writes.views
        )  # fmt: skip
        await self._put(t.views, ["thing", "collection"], rows, [(row[1], row[0]) for row in rows])
        past = sorted((v.object_id, v.collection, v.thing, v.type, v.generation, v.seq) for v in writes.past_ids)
        await self._many(self._store.upsert(t.past_ids, ["object_id", "collection"]), past)
        used = sorted((no, name, delta) for (no, name), delta in writes.carried.items() if delta)
        await self._many(self._store.upsert(t.carried, ["collection", "used"], add=["count"]), used)

    async def _write_changes(self, writes: Writes) -> None:
        rows = [
            (c.log, c.seq, c.object_id, c.type, c.withdrawn, c.date_added_us, c.version_us, c.first,
             t.SHOWN_NEVER if c.withdrawn and not c.body else t.SHOWN_NOW, c.before, c.body)
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
        """The object of this row has left its collection: none of its versions is shown any more."""
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
            (p.receipt, p.centre, p.counts.accepted, p.counts.unchanged, p.counts.held, p.counts.rejected,
             min((int(x["index"]) for x in p.problems), default=0), orjson.dumps(p.problems))
            for p in writes.receipts
        ]  # fmt: skip
        await self._many(self._store.insert(t.receipt_parts), parts)
        totals = [(no, x.accepted, x.unchanged, x.held, x.rejected) for no, x in sorted(writes.counts.items())]
        columns = ["accepted", "unchanged", "held", "rejected"]
        await self._many(self._store.upsert(t.counts, ["centre"], add=columns), totals)
        await waiting.overtake(self.conn, writes.overtaking)
        names = [column.name for column in t.held.c if column.name != "no"]
        rows = [
            (h.centre, h.stix_id, h.code, h.list_name, h.says, h.value, h.stamp, h.receipt, h.index, h.at_us,
             h.modified_us, h.digest, "waiting")
            for h in writes.held
        ]  # fmt: skip
        await self._many(self._store.insert(t.held, names), rows)
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

    async def rejections_log(self, centre: int) -> int:
        """See the port."""
        name = select(t.principals.c.name).where(t.principals.c.no == centre).scalar_subquery()
        found = await self.conn.execute(select(t.logs.c.no).where(t.logs.c.name == "rejected." + name))
        return int(found.scalar_one())

    async def sweep(self, limit: int) -> tuple[Sweep, list[ClaimKey]] | None:
        """See the port."""
        s = t.sweeps.c
        oldest = select(t.sweeps).where(~s.done, ~s.scope.startswith(REFERRERS)).order_by(s.no).limit(1)
        if (await self.conn.execute(oldest)).first() is None:
            return None
        # A step that began under the policy before must end first: what it adds would be passed over.
        await self._locks.alone()
        row = (await self.conn.execute(oldest)).first()
        if row is None:
            return None
        key = t.contributions.c.key
        query = select(key).where(key > row.cursor).order_by(key).limit(limit)
        if row.scope.startswith("centre:"):
            no = int(row.scope.removeprefix("centre:"))
            query = query.where(key >= no.to_bytes(4, "big"), key < (no + 1).to_bytes(4, "big"))
        keys = [ClaimKey(found.key) for found in await self.conn.execute(query)]
        done = len(keys) < limit
        new = {"done": done, "cursor": keys[-1] if keys else row.cursor}
        moved = await self.conn.execute(
            update(t.sweeps).where(s.no == row.no, s.cursor == row.cursor, ~s.done).values(new)
        )
        if moved.rowcount != 1:
            raise Stale
        return Sweep(row.no, row.scope, row.cursor, row.time_us), keys

    async def left(self) -> list[Sweep]:
        """See the port."""
        return await crowds.steps_left(self.conn)

    async def move_left(self, task: Sweep, reached: bytes | None) -> None:
        """See the port."""
        if not await crowds.move_left(self.conn, task, reached):
            raise Stale

    async def released(self, limit: int) -> list[Held]:
        """See the port."""
        h = t.held.c
        query = select(t.held).where(h.state == "released").order_by(h.no).limit(limit)
        rows = await self.conn.execute(query.with_for_update(skip_locked=True))  # another worker has the others
        return [
            Held(r.no, r.centre, r.stix_id, r.code, r.list, r.says, r.value, r.stamp, r.receipt, r.idx, r.at_us)
            for r in rows
        ]


# ---------------------------------------------------------------- rows to values


def _claim(row: Row[Any]) -> Claim:
    key, centre, stix_id, kind, thing, modified_us, stamp, since, state, digest, body = tuple(row)
    return Claim(
        key, centre, stix_id, kind, thing, modified_us, Stamp(stamp), Stamp(since), ClaimState(state), digest, body
    )


def _view(row: Row[Any]) -> View:
    thing, collection, object_id, kind, generation, seq, alive, digest, created_us, modified_us, uses = tuple(row)
    return View(
        collection, thing, object_id, kind, generation, seq, bool(alive), digest, created_us, modified_us,
        tuple(uses.split()),
    )  # fmt: skip


def _past(row: Row[Any]) -> View:
    return View(
        row.collection, CanonicalKey(row.thing), StixId(row.object_id), row.type, row.generation, Seq(row.seq), False,
        b"", 0, 0, (),
    )  # fmt: skip


# ---------------------------------------------------------------- queries

_HEAD = (
    update(t.logs).where(t.logs.c.no == bindparam("at_no")).values(last_seq=bindparam("seq"), last_us=bindparam("us"))
)

_FIRST_POSITION = text(
    'insert into positions (topic, "partition", "next", moved_us) values (:topic, :partition, :next, :us)'
    " on conflict do nothing"
)
"""Of workers that begin with one partition at once only one has its row."""

_FOLLOWED = (
    update(t.changes)
    .where(
        t.changes.c.log == bindparam("at_log"), t.changes.c.seq == bindparam("at_seq"), t.changes.c.shown == t.SHOWN_NOW
    )
    .values(shown=t.SHOWN_BEFORE)
)
