"""Statements on references between claims, and on ids that collections have issued.

Each function takes a connection with an open transaction. The statements are the same for both dialects.
"""

from __future__ import annotations

from collections.abc import Set

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.model.claims import Change, Claim, ClaimKey
from hub.model.words import CanonicalKey, StixId
from hub.store import tables as t
from hub.store.chunks import chunks
from hub.store.rows import change_of, claim_of

_COUNTED = "feedback-on:"
"""The prefix of names whose referrers are always all loaded (hub/core/merge/facts.feedback_on)."""


async def load_referrers(
    conn: AsyncConnection, names: Set[StixId], referrer_limit: int
) -> dict[StixId, list[ClaimKey] | None]:
    """Returns the keys of the claims that refer to each name; None where there are more than ``referrer_limit``."""
    r = t.referring.c
    found: dict[StixId, list[ClaimKey] | None] = {}
    few: dict[StixId, list[ClaimKey]] = {}
    for some in chunks(sorted(names)):
        found.update((name, []) for name in some)
        counted = select(r.target, func.count()).where(r.target.in_(some)).group_by(r.target)
        for target, number in await conn.execute(counted):
            if number <= referrer_limit or target.startswith(_COUNTED):
                few[target] = []
            else:
                found[target] = None
    for some in chunks(sorted(few)):
        for target, key in await conn.execute(select(r.target, r.key).where(r.target.in_(some))):
            few[target].append(key)
    return found | few


async def count_referring(conn: AsyncConnection, names: Set[StixId]) -> dict[StixId, int]:
    """Returns how many claims refer to each name."""
    r = t.referring.c
    counted = select(r.target, func.count()).where(r.target.in_(sorted(names))).group_by(r.target)
    found = {row[0]: row[1] for row in await conn.execute(counted)}
    return {name: found.get(name, 0) for name in names}


async def load_pages(
    conn: AsyncConnection, pages: Set[tuple[StixId, bytes]], referrer_limit: int
) -> dict[tuple[StixId, bytes], list[Claim]]:
    """Returns, for each name and key, the next ``referrer_limit`` claims that refer to the name, in key order."""
    r, c = t.referring.c, t.contributions.c
    found = {}
    for target, after in sorted(pages):
        keys = select(r.key).where(r.target == target, r.key > after).order_by(r.key).limit(referrer_limit)
        some = [row.key for row in await conn.execute(keys)]
        rows = await conn.execute(select(t.contributions).where(c.key.in_(some)).order_by(c.key))
        found[target, after] = [claim_of(row) for row in rows]
    return found


async def load_issued(conn: AsyncConnection, ids: Set[StixId]) -> dict[StixId, CanonicalKey | None]:
    """Returns the things for which a collection issued these ids, now or in the past; None for other ids."""
    found: dict[StixId, CanonicalKey | None] = dict.fromkeys(ids)
    for some in chunks(sorted(ids)):
        for table in (t.past_ids, t.views):
            rows = await conn.execute(select(table.c.object_id, table.c.thing).where(table.c.object_id.in_(some)))
            found.update({StixId(row.object_id): CanonicalKey(row.thing) for row in rows})
    return found


async def load_past(conn: AsyncConnection, wanted: Set[tuple[int, StixId]]) -> dict[tuple[int, StixId], Change | None]:
    """Returns the last rows under ids that were replaced by another id of the same view; None for other ids."""
    p, c = t.past_ids.c, t.changes.c
    found: dict[tuple[int, StixId], Change | None] = dict.fromkeys(wanted)
    for some in chunks(sorted({object_id for _, object_id in wanted})):
        where = (p.object_id.in_(some), c.log == p.collection, c.seq == p.seq)
        for row in (await conn.execute(select(t.changes).where(*where))).all():
            if row.body or row.before is None:
                last = row
            else:  # it had been withdrawn before the id was replaced
                last = (await conn.execute(select(t.changes).where(c.log == row.log, c.seq == row.before))).one()
            at = (row.log, StixId(row.object_id))
            if at in found:
                found[at] = change_of(last)
    return found
