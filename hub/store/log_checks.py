"""Statements that check change logs and the counts of receipts. The database does the work; only differences are read.

Each function takes a connection with an open transaction. The statements are the same for both dialects.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sqlalchemy import case, except_, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.model.claims import ClaimState
from hub.model.held import HeldState
from hub.model.policy import Policy, rejections_log
from hub.model.verification import Difference, StorePart
from hub.model.words import Seq
from hub.store import tables as t

_STATES = ("accepted", "unchanged", "held", "rejected")


async def differences(conn: AsyncConnection, log: int, limit: int) -> list[Difference]:
    """Returns what is wrong with a log: at most ``limit`` differences of each kind."""
    found = await _steps(conn, log, limit)
    found += await _end(conn, log)
    found += await _newest(conn, log, limit)
    return found


async def _steps(conn: AsyncConnection, log: int, limit: int) -> list[Difference]:
    """Numbers without gap, where no version may have been deleted; dates strictly increasing."""
    found = []
    pruned = (await conn.execute(select(t.logs.c.pruned_seq).where(t.logs.c.no == log))).scalar_one()
    for seq, before, date_us, before_us in await conn.execute(_STEPS, {"log": log, "pruned": pruned, "most": limit}):
        if seq != before + 1 and seq - 1 > pruned:
            says = f"follows number {before:,}" if before else "is the first number"
            found.append(Difference(StorePart.ROW, f"{says}: numbers are missing", log, seq=Seq(seq)))
        if before_us is not None and date_us <= before_us:
            found.append(Difference(StorePart.ROW, "is not dated later than the row before", log, seq=Seq(seq)))
    return found


async def _end(conn: AsyncConnection, log: int) -> list[Difference]:
    c, logs = t.changes.c, t.logs.c
    last = select(c.seq, c.date_added_us).where(c.log == log).order_by(c.seq.desc()).limit(1)
    seq, date_us = tuple((await conn.execute(last)).first() or (0, 0))
    stored = (await conn.execute(select(logs.last_seq, logs.last_us).where(logs.no == log))).one()
    if stored.last_seq != seq or stored.last_us < date_us:
        says = f"ends at {stored.last_seq:,}, and its last row is {seq:,}"
        return [Difference(StorePart.LOG, says, log, seq=Seq(seq))]
    return []


async def _newest(conn: AsyncConnection, log: int, limit: int) -> list[Difference]:
    """The newest row of each object is marked so, and is that of a view: the fold of the log is what the views show."""
    says = "is not, or not alone, marked as the newest version"
    found = [
        Difference(StorePart.ROW, says, log, object_id=row.object_id, seq=Seq(row.last))
        for row in await conn.execute(_MARKED, {"log": log, "now": t.SHOWN_NOW, "most": limit})
    ]
    c, v = t.changes.c, t.views.c
    newest = select(c.object_id, c.seq).where(c.log == log, c.shown == t.SHOWN_NOW, ~c.withdrawn)
    viewed = select(v.object_id, v.seq).where(v.collection == log, v.alive)
    for says, one, other in (
        ("is the newest row of an object that no view shows", newest, viewed),
        ("is the row of a view, and not the newest of its object", viewed, newest),
    ):
        rows = await conn.execute(except_(one, other).limit(limit))
        found += [Difference(StorePart.ROW, says, log, None, object_id, seq=Seq(seq)) for object_id, seq in rows]
    return found


_STEPS = text(
    "select seq, before_seq, date_added_us, before_us from ("
    " select seq, date_added_us, lag(seq, 1, 0) over (order by seq) as before_seq,"
    " lag(date_added_us) over (order by seq) as before_us from changes where log = :log) as steps"
    " where (seq <> before_seq + 1 and seq - 1 > :pruned) or date_added_us <= before_us limit :most"
)

_MARKED = text(
    "select object_id, last from ("
    " select object_id, max(seq) as last, max(case when withdrawn then seq else 0 end) as gone,"
    " max(case when shown = :now and not withdrawn then seq else 0 end) as marked,"
    " sum(case when shown = :now and not withdrawn then 1 else 0 end) as number"
    " from changes where log = :log group by object_id) as objects"
    " where number <> case when gone = last then 0 else 1 end or (gone <> last and marked <> last) limit :most"
)


# ---------------------------------------------------------------- receipts


async def receipt_differences(conn: AsyncConnection, policy: Policy) -> list[Difference]:
    """Returns the sources whose counts are smaller than the sums of their receipts, or do not fit their log of
    rejections. Objects that were released count in their receipts once more, and in no other count.
    """
    counts = {row.source: row for row in await conn.execute(select(t.counts))}
    p, h = t.receipt_parts.c, t.held.c
    sums = select(p.source, *(func.sum(p[state]).label(state) for state in _STATES)).group_by(p.source)
    parts = {row.source: row for row in await conn.execute(sums)}
    taken = select(h.source, func.sum(case((h.state == HeldState.TAKEN, 1), else_=0)).label("number"))
    released = {row.source: int(row.number) for row in await conn.execute(taken.group_by(h.source))}
    logs = {row.name: row.last_seq for row in await conn.execute(select(t.logs.c.name, t.logs.c.last_seq))}
    found = []
    for no, source in sorted(policy.sources.items()):
        counted, told = (
            {state: int(getattr(of.get(no), state, 0) or 0) for state in _STATES} for of in (counts, parts)
        )
        rows = logs.get(rejections_log(source.kind, source.name), 0)
        found += [
            Difference(StorePart.RECEIPT, says, object_id=state, source=no, by=by)
            for state, says, by in _receipts(counted, told, released.get(no, 0), rows)
        ]
    return found


async def live_differences(conn: AsyncConnection) -> list[Difference]:
    """Returns the sources of which another number of live claims is stored than there are."""
    c = t.contributions.c
    live = select(c.source, func.count().label("number")).where(c.state == ClaimState.LIVE).group_by(c.source)
    there = {row.source: row.number for row in await conn.execute(live)}
    stored = select(t.live_claims.c.source, t.live_claims.c.count.label("number"))
    counted = {row.source: row.number for row in await conn.execute(stored)}
    return [
        Difference(
            StorePart.LIVE, f"{counted.get(no, 0):,} claims are counted as live, and {there.get(no, 0):,} are",
            source=no, by=there.get(no, 0) - counted.get(no, 0),
        )
        for no in sorted(there.keys() | counted.keys())
        if there.get(no, 0) != counted.get(no, 0)
    ]  # fmt: skip


def _receipts(
    counted: Mapping[str, int], told: Mapping[str, int], released: int, rows: int
) -> Iterator[tuple[str, str, int]]:
    """What is wrong with the counts of one source: the state, the sentence, and by how much its count is too small."""
    for state in _STATES:
        most = counted[state] + released
        if told[state] > most:
            says = f"{counted[state]:,} objects are counted as {state}, and its receipts have {told[state]:,}"
            yield state, says, told[state] - most
    if not counted["rejected"] <= rows <= counted["rejected"] + released:
        says = f"{counted['rejected']:,} objects are counted as rejected, and its log of rejections has {rows:,}"
        yield "rejected", says, rows - released - counted["rejected"]
