"""Statements on the circuit breaker: what it has counted for each source, and which sources wait for a decision.

Each function takes a connection with an open transaction. The statements are the same for both dialects.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Set

from sqlalchemy import bindparam, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.model.breaker import BreakerRecord, BreakerState, Minute, Trip
from hub.model.held import HeldChoice, HeldState
from hub.model.problems import Code
from hub.store import tables as t
from hub.store.waiting import settle_held

_ADD = text("insert into breakers (source, minutes) values (:source, '[]') on conflict do nothing")
_SET = (
    update(t.breakers)
    .where(t.breakers.c.source == bindparam("of_source"))
    .values(minutes=bindparam("new_minutes"), tripped_us=bindparam("new_tripped_us"))
)


async def load(conn: AsyncConnection, sources: Set[int]) -> dict[int, BreakerRecord]:
    """Returns what the breaker knows of these sources, and locks it until the end of the transaction."""
    numbers = sorted(sources)
    await conn.execute(_ADD, [{"source": no} for no in numbers])  # a row that is not there cannot be locked
    b, live = t.breakers.c, t.live_claims.c
    locked = await conn.execute(select(t.breakers).where(b.source.in_(numbers)).order_by(b.source).with_for_update())
    states = {row.source: BreakerState(_minutes(row.minutes), row.tripped_us) for row in locked}
    counted = await conn.execute(select(live.source, live.count.label("number")).where(live.source.in_(numbers)))
    counts = {row.source: row.number for row in counted}
    return {no: BreakerRecord(states[no], counts.get(no, 0)) for no in numbers}


async def store(conn: AsyncConnection, states: Mapping[int, BreakerState]) -> None:
    """Write what ``load`` has read, as it is now."""
    rows = [
        {"of_source": no, "new_minutes": json.dumps(state.minutes), "new_tripped_us": state.tripped_us}
        for no, state in sorted(states.items())
    ]
    if rows:
        await conn.execute(_SET, rows)


async def settle(conn: AsyncConnection, source: int, state: HeldState) -> Trip | None:
    """Release or refuse all that a breaker holds; after a release the count begins anew. Returns the trip, if any."""
    found = (await load(conn, {source}))[source].state
    if found.tripped_us is None:
        return None
    count = await settle_held(conn, HeldChoice(source=source, by_breaker=True), state)
    minutes = () if state is HeldState.RELEASED else found.minutes
    await store(conn, {source: BreakerState(minutes)})
    return Trip(source, found.tripped_us, count)


async def trips(conn: AsyncConnection) -> list[Trip]:
    """Returns the breakers that have tripped and wait for a decision, the first first."""
    b, h = t.breakers.c, t.held.c
    waits = (h.source == b.source, h.state == HeldState.WAITING, h.code == Code.BREAKER_MASS_WITHDRAWAL)
    waiting = select(func.count()).select_from(t.held).where(*waits).scalar_subquery()
    query = select(b.source, b.tripped_us, waiting.label("waiting")).where(b.tripped_us.is_not(None))
    rows = await conn.execute(query.order_by(b.tripped_us, b.source))
    return [Trip(row.source, row.tripped_us, row.waiting) for row in rows]


def _minutes(said: str) -> tuple[Minute, ...]:
    return tuple(Minute(*each) for each in json.loads(said))
