"""The transaction of a repair: a step that first makes what is stored fit the logs. See ``RepairTransaction``.

It runs alone, so that what it reads outside the step's own reads stays as it is until the commit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import delete, func, select, update

from hub.core.merge.solution import Place
from hub.core.verify import restore
from hub.model.claims import Change, Claim, ClaimKey, View
from hub.model.policy import Policy
from hub.model.words import CanonicalKey, Seq, StixId
from hub.model.writes import Writes
from hub.store import edits
from hub.store import tables as t
from hub.store.chunks import chunks
from hub.store.rows import change_of, claim_of, view_of
from hub.store.transaction import SqlTransaction


class SqlRepairs(SqlTransaction):
    """See ``hub/store/verification_port.RepairTransaction``."""

    async def claims(self, keys: Collection[ClaimKey]) -> list[Claim]:
        """See the port."""
        rows = await self._store.rows_in(self.conn, t.contributions, t.contributions.c.key, sorted(keys))
        return [claim_of(row) for row in rows]

    async def used(self) -> set[str]:
        """See the port."""
        return set((await self.conn.execute(select(t.uses.c.used).distinct())).scalars())

    async def types_of(self, things: Collection[CanonicalKey]) -> dict[CanonicalKey, str]:
        """See the port."""
        c = t.contributions.c
        found = {}
        for row in await self._store.rows_in(self.conn, t.contributions, c.thing, sorted(things)):
            found[CanonicalKey(row.thing)] = row.type
        return found

    async def put(self, writes: Writes) -> None:
        """See the port."""
        await self._write_claims(writes)
        await self._write_views(writes)
        await self._write_receipts(writes)

    async def forget_placements(self, keys: Collection[ClaimKey]) -> None:
        """See the port."""
        for some in chunks(sorted(keys)):
            await self.conn.execute(delete(t.placements).where(t.placements.c.key.in_(some)))

    # ------------------------------------------------------------ views

    async def restore_views(
        self,
        policy: Policy,
        places: Mapping[Place, str],
        doubtful: Collection[Place],
        types: Mapping[CanonicalKey, str],
    ) -> None:
        """See the port."""
        stored = {
            (view.collection, view.thing): view
            for row in await self._store.rows_in(
                self.conn, t.views, t.views.c.thing, sorted({thing for _, thing in places})
            )
            if ((view := view_of(row)).collection, view.thing) in places
        }
        rows = await self._rows_of(stored.values())
        newest = await self._newest({(at[0], stored[at].object_id) for at in doubtful if at in stored})
        lost: list[Place] = [at for at in places if at not in stored]
        for at, view in stored.items():
            row = rows.get((view.collection, view.seq))
            if row is None or not restore.fits(view, row) or newest.get((at[0], view.object_id), view.seq) != view.seq:
                lost.append(at)
            elif (new := restore.as_shown(policy, view, row)) != view:
                await self._put_view(at, view, new)
        for at in sorted(lost):
            old = stored.get(at)
            known = [StixId(one) for one in (places[at], "" if old is None else old.object_id) if one]
            kind = types.get(at[1], "relationship") if old is None else old.type
            found = await self._from_log(policy, at, kind, known)
            if found is not None or old is not None:
                await self._put_view(at, old, found)

    async def _from_log(self, policy: Policy, at: Place, kind: str, known: Sequence[StixId]) -> View | None:
        """What a collection last showed of a thing, by its log."""
        ids = restore.candidates(policy, at, kind, known)
        newest = await self._newest({(at[0], object_id) for object_id in ids})
        last = max(newest.items(), key=lambda one: one[1], default=None)
        if last is None:
            return None
        (_, object_id), seq = last
        c = t.changes.c
        row = change_of((await self.conn.execute(select(t.changes).where(c.log == at[0], c.seq == seq))).one())
        return restore.from_row(at, row, ids[StixId(object_id)])

    async def _put_view(self, at: Place, old: View | None, new: View | None) -> None:
        """Replace a view, and count what both use."""
        v = t.views.c
        await self.conn.execute(delete(t.views).where(v.collection == at[0], v.thing == at[1]))
        uses: Counter[tuple[int, str]] = Counter()
        if old is not None and old.alive:
            uses.subtract((at[0], used) for used in set(old.uses))
        if new is not None and new.alive:
            uses.update((at[0], used) for used in set(new.uses))
        await self._write_views(Writes(views=[] if new is None else [new], uses=dict(uses)))

    async def _rows_of(self, views: Iterable[View]) -> dict[tuple[int, Seq], Change]:
        c = t.changes.c
        found = {}
        for view in views:
            row = (
                await self.conn.execute(select(t.changes).where(c.log == view.collection, c.seq == view.seq))
            ).first()
            if row is not None:
                found[view.collection, view.seq] = change_of(row)
        return found

    async def _newest(self, ids: Collection[tuple[int, str]]) -> dict[tuple[int, str], int]:
        """The number of the newest row of each object. Reads whole logs, which have no index for it."""
        c = t.changes.c
        found: dict[tuple[int, str], int] = {}
        for log in sorted({log for log, _ in ids}):
            for some in chunks(sorted({object_id for no, object_id in ids if no == log})):
                newest = select(c.object_id, func.max(c.seq)).where(c.log == log, c.object_id.in_(some))
                for object_id, seq in await self.conn.execute(newest.group_by(c.object_id)):
                    found[log, object_id] = seq
        return found

    async def things_of(self, objects: Collection[tuple[int, str]]) -> dict[tuple[int, str], CanonicalKey]:
        """See the port."""
        v = t.views.c
        found = {}
        for log, object_id in objects:
            row = (
                await self.conn.execute(select(v.thing).where(v.object_id == object_id, v.collection == log))
            ).first()
            if row is not None:
                found[log, object_id] = CanonicalKey(row.thing)
        return found

    # ------------------------------------------------------------ logs

    async def mark_newest(self, log: int, object_id: str) -> None:
        """See the port."""
        c = t.changes.c
        here = (c.log == log) & (c.object_id == object_id)
        rows = (
            await self.conn.execute(
                select(c.seq, c.withdrawn, c.shown, func.length(c.body).label("size")).where(here).order_by(c.seq)
            )
        ).all()
        left = bool(rows) and rows[-1].withdrawn and not rows[-1].size
        await edits.note(self.conn, log)
        for row in rows:
            must = row.shown
            if row.seq == rows[-1].seq:
                must = t.SHOWN_NEVER if left else t.SHOWN_NOW
            elif row.shown == t.SHOWN_NOW:
                must = t.SHOWN_NEVER if left else t.SHOWN_BEFORE
            if must != row.shown:
                await self.conn.execute(update(t.changes).where(c.log == log, c.seq == row.seq).values(shown=must))

    async def repair_log(self, policy: Policy, log: int, seqs: Collection[int]) -> None:
        """See the port."""
        await edits.note(self.conn, log)
        await self._repair_end(policy, log)
        for seq in sorted(seqs):
            await self._repair_gap(policy, log, seq)
        for seq in sorted(seqs):
            await self._repair_date(log, seq)
        last_us = await self._one(select(func.max(t.changes.c.date_added_us)).where(t.changes.c.log == log))
        logs = t.logs.c
        await self.conn.execute(
            update(t.logs).where(logs.no == log, logs.last_us < (last_us or 0)).values(last_us=last_us)
        )

    async def _repair_end(self, policy: Policy, log: int) -> None:
        """Let the log end where its rows do; rows that stand alone beyond its end have a wrong number."""
        c, logs = t.changes.c, t.logs.c
        end = await self._one(select(logs.last_seq).where(logs.no == log))
        beyond = list(
            (await self.conn.execute(select(c.seq).where(c.log == log, c.seq > end).order_by(c.seq))).scalars()
        )
        while beyond and beyond[0] == end + 1:
            end = beyond.pop(0)
        for seq in beyond:
            place = await self._gap_for(log, seq) or end + 1
            end = max(end, place)
            await self.conn.execute(update(t.changes).where(c.log == log, c.seq == seq).values(seq=place))
        await self.conn.execute(update(t.logs).where(logs.no == log).values(last_seq=end))
        last = await self._one(select(func.max(c.seq)).where(c.log == log)) or 0
        await self._fill(policy, log, last, end + 1)

    async def _gap_for(self, log: int, seq: int) -> int | None:
        """The missing number at which a row's date fits."""
        c = t.changes.c
        date_us = await self._one(select(c.date_added_us).where(c.log == log, c.seq == seq))
        before = await self._one(select(func.max(c.seq)).where(c.log == log, c.seq < seq, c.date_added_us < date_us))
        place = (before or 0) + 1
        taken = await self._one(select(c.seq).where(c.log == log, c.seq == place))
        return None if taken is not None else place

    async def _repair_gap(self, policy: Policy, log: int, seq: int) -> None:
        c = t.changes.c
        before = await self._one(select(func.max(c.seq)).where(c.log == log, c.seq < seq)) or 0
        if await self._one(select(c.seq).where(c.log == log, c.seq == seq)) is not None:
            await self._fill(policy, log, before, seq)

    async def _fill(self, policy: Policy, log: int, before: int, after: int) -> None:
        """Put a row in the place of each that is missing between two numbers; their objects cannot be known."""
        c = t.changes.c
        before = max(before, await self._one(select(t.logs.c.pruned_seq).where(t.logs.c.no == log)))
        if after <= before + 1:
            return
        least_us = 20 * (after - before)
        first_us = await self._one(select(func.max(c.date_added_us)).where(c.log == log, c.seq <= before))
        last_us = await self._one(select(c.date_added_us).where(c.log == log, c.seq == after))
        first_us = max((last_us or least_us) - least_us, 0) if first_us is None else first_us
        last_us = first_us + least_us if last_us is None else last_us
        step_us = max((last_us - first_us) // (after - before), 1)
        rows = [restore.filler(policy, log, no, first_us + step_us * (no - before)) for no in range(before + 1, after)]
        await self._write_changes(Writes(changes=rows))

    async def _repair_date(self, log: int, seq: int) -> None:
        """Date a row between its neighbours, or the row before it if that is the one with the wrong date."""
        c = t.changes.c
        near = select(c.seq, c.date_added_us).where(c.log == log, c.seq >= seq - 2, c.seq <= seq + 1).order_by(c.seq)
        dates = {row.seq: row.date_added_us for row in await self.conn.execute(near)}
        if seq not in dates or dates[seq] > dates.get(seq - 1, -1):
            return
        wrong = (
            seq - 1 if dates[seq] > dates.get(seq - 2, -1) and dates.get(seq + 1, dates[seq] + 1) > dates[seq] else seq
        )
        low, high = dates.get(wrong - 1, 0), dates.get(wrong + 1)
        date_us = low + 20 if high is None or high - low > 20 else (low + high) // 2
        await self.conn.execute(update(t.changes).where(c.log == log, c.seq == wrong).values(date_added_us=date_us))

    async def _one(self, query: Any) -> Any:
        return (await self.conn.execute(query)).scalar()
