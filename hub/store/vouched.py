"""Optimistic checks for objects that nearly every view uses, TLP markings and identities. A lock on such an object
would serialise all steps.

The number of views that use such an object, and its own view, decide whether that view is added, kept or withdrawn. A
step remembers what it has read. Before it writes, it locks the rows of the counts and checks that the result would
still be the same.
"""

from __future__ import annotations

from functools import lru_cache

from sqlalchemy import any_, bindparam, select, tuple_
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.core.merge.known import known_objects
from hub.core.merge.references import object_key
from hub.model.claims import View
from hub.model.policy import Policy
from hub.model.reads import THING, USES, Answers
from hub.model.words import CanonicalKey
from hub.model.writes import Writes
from hub.store import tables as t


@lru_cache(maxsize=4)
def vouched_things(policy: Policy) -> frozenset[CanonicalKey]:
    """Returns the things whose content depends on the policy only; whether they have a view depends on other views."""
    return frozenset(object_key(name) for name in known_objects(policy))


class Told:
    """What one step has read of the things that it did not lock."""

    def __init__(self) -> None:
        self._views: dict[tuple[int, CanonicalKey], tuple[int, bool] | None] = {}
        self._counts: dict[tuple[int, str], int] = {}

    def note(self, answers: Answers, things: frozenset[CanonicalKey], policy: Policy) -> None:
        """Remember the first answers about these things."""
        records = answers.of(THING)
        for thing in things & records.keys():
            for no in policy.collections:
                self._views.setdefault((no, thing), _state(records[thing].views.get(no)))
        for at, count in answers.of(USES).items():
            self._counts.setdefault(at, count)

    async def still_holds(self, conn: AsyncConnection, writes: Writes) -> bool:
        """Lock the rows of the counts that this step changes. Returns whether counts and views give the same result."""
        changed = sorted(at for at, delta in writes.uses.items() if delta)
        if not changed:
            return True
        c = t.uses.c
        rows = select(t.uses).where(tuple_(c.collection, c.used).in_(changed)).order_by(c.collection, c.used)
        now = {(no, used): count for no, used, count in await conn.execute(rows.with_for_update())}
        for at in changed:
            delta, told = writes.uses[at], self._counts.get(at)
            if told is not None and (told + delta > 0) != (now.get(at, 0) + delta > 0):
                return False
        return await self._views_now(conn) == self._views

    async def _views_now(self, conn: AsyncConnection) -> dict[tuple[int, CanonicalKey], tuple[int, bool] | None]:
        v = t.views.c
        things = bindparam(None, sorted({thing for _, thing in self._views}), type_=ARRAY(v.thing.type))
        rows = await conn.execute(select(v.collection, v.thing, v.seq, v.alive).where(v.thing == any_(things)))
        now = {(row.collection, CanonicalKey(row.thing)): (row.seq, row.alive) for row in rows}
        return {at: now.get(at) for at in self._views}


def _state(view: View | None) -> tuple[int, bool] | None:
    return None if view is None else (view.seq, view.alive)
