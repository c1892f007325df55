"""Damages to a store that a verification must find: what a bad disk, a wrong statement or a bug may leave there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.core.merge.content import content, rendered
from hub.model.claims import digest_of
from hub.model.verification import StorePart
from hub.model.words import StixId
from hub.store import tables as t

Do = Callable[[AsyncConnection], Awaitable[None]]


@dataclass(frozen=True)
class Damage:
    """One damage, and the part of the store in which it is found at least."""

    says: str
    part: StorePart
    do: Do
    appends: bool = False
    """Members have read, or lost, what they should not: the repair appends a row to the log of ``network``."""


async def _view(conn: AsyncConnection, kind: str = "indicator", **by: Any) -> Any:
    v = t.views.c
    here = [v.type == kind, *(v[name] == value for name, value in by.items())]
    return (await conn.execute(select(t.views).where(*here).order_by(v.collection.desc(), v.thing).limit(1))).one()


def _of(view: Any) -> Any:
    return (t.views.c.thing == view.thing) & (t.views.c.collection == view.collection)


def _row(view: Any) -> Any:
    return (t.changes.c.log == view.collection) & (t.changes.c.seq == view.seq)


async def _body_of(conn: AsyncConnection, view: Any) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads((await conn.execute(select(t.changes.c.body).where(_row(view)))).scalar_one())
    return found


async def other_content(conn: AsyncConnection) -> None:
    view = await _view(conn, alive=True)
    obj = await _body_of(conn, view)
    body = orjson.dumps(obj | {"name": "another"})
    await conn.execute(update(t.changes).where(_row(view)).values(body=body))


async def other_digest(conn: AsyncConnection) -> None:
    await conn.execute(update(t.views).where(_of(await _view(conn, alive=True))).values(digest=digest_of(b"another")))


async def wrong_reference(conn: AsyncConnection) -> None:
    view = await _view(conn, "report", alive=True)
    obj = await _body_of(conn, view)
    obj["object_refs"][0] = "indicator--00000000-0000-4000-8000-000000000000"
    await conn.execute(update(t.changes).where(_row(view)).values(body=orjson.dumps(obj)))


async def missing_view(conn: AsyncConnection) -> None:
    await conn.execute(delete(t.views).where(_of(await _view(conn, alive=True))))


async def view_marked_as_ended(conn: AsyncConnection) -> None:
    await conn.execute(update(t.views).where(_of(await _view(conn, alive=True))).values(alive=False))


async def view_too_many(conn: AsyncConnection) -> None:
    view = await _view(conn, alive=True)
    values = {**dict(view._mapping), "thing": b"\x07" * 32, "object_id": "indicator--" + "0" * 8 + view.object_id[18:]}
    await conn.execute(insert(t.views).values(values))


async def view_that_came_back(conn: AsyncConnection) -> None:
    await conn.execute(update(t.views).where(_of(await _view(conn, alive=False))).values(alive=True))


async def other_generation(conn: AsyncConnection) -> None:
    await conn.execute(update(t.views).where(_of(await _view(conn, alive=True))).values(generation=7))


async def other_uses(conn: AsyncConnection) -> None:
    await conn.execute(update(t.views).where(_of(await _view(conn, alive=True))).values(uses=""))


async def other_due_day(conn: AsyncConnection) -> None:
    await conn.execute(update(t.views).where(_of(await _view(conn, alive=True))).values(due_day=20_000))


async def count_of_uses(conn: AsyncConnection) -> None:
    u = t.uses.c
    row = (await conn.execute(select(t.uses).where(u["count"] > 1).order_by(u.collection, u.used).limit(1))).one()
    await conn.execute(
        update(t.uses).where(u.collection == row.collection, u.used == row.used).values(count=u["count"] + 2)
    )


async def unused_identity(conn: AsyncConnection) -> None:
    """Nobody is counted any more as one who uses the hub's identity."""
    u = t.uses.c
    await conn.execute(update(t.uses).where(u.used.like("identity--%")).values(count=0))


async def row_number(conn: AsyncConnection) -> None:
    c = t.changes.c
    await conn.execute(update(t.changes).where(c.log == 2, c.seq == 2).values(seq=5_000))


async def row_lost(conn: AsyncConnection) -> None:
    c = t.changes.c
    await conn.execute(delete(t.changes).where(c.log == 2, c.seq == 2))


async def newest_row_lost(conn: AsyncConnection) -> None:
    await conn.execute(delete(t.changes).where(_row(await _view(conn, alive=True))))


async def row_date(conn: AsyncConnection) -> None:
    c = t.changes.c
    await conn.execute(update(t.changes).where(c.log == 2, c.seq == 3).values(date_added_us=c.date_added_us - 10**12))


async def end_of_log(conn: AsyncConnection) -> None:
    await conn.execute(update(t.logs).where(t.logs.c.no == 2).values(last_seq=t.logs.c.last_seq - 1))


async def newest_mark(conn: AsyncConnection) -> None:
    await conn.execute(update(t.changes).where(_row(await _view(conn, alive=True))).values(shown=t.SHOWN_BEFORE))


async def placement(conn: AsyncConnection) -> None:
    await conn.execute(update(t.placements).values(thing=b"\x08" * 32))


async def placement_lost(conn: AsyncConnection) -> None:
    await conn.execute(delete(t.placements))


async def placement_of_nothing(conn: AsyncConnection) -> None:
    await conn.execute(insert(t.placements).values(key=b"\x00" * 20, collection=2, thing=b"\x09" * 32))


async def index_of_references(conn: AsyncConnection) -> None:
    await conn.execute(delete(t.referring).where(t.referring.c.target.like("feedback-on:%")))


async def thing_of_claim(conn: AsyncConnection) -> None:
    c = t.contributions.c
    await conn.execute(update(t.contributions).where(c.type == "malware").values(thing=b"\x06" * 32))


async def digest_of_claim(conn: AsyncConnection) -> None:
    c = t.contributions.c
    await conn.execute(update(t.contributions).where(c.type == "malware").values(digest=digest_of(b"another")))


async def receipt_sum(conn: AsyncConnection) -> None:
    await conn.execute(update(t.receipt_parts).values(accepted=t.receipt_parts.c.accepted + 10))


async def rejections(conn: AsyncConnection) -> None:
    await conn.execute(update(t.counts).values(rejected=t.counts.c.rejected + 1))


async def live_claims(conn: AsyncConnection) -> None:
    await conn.execute(update(t.live_claims).values(count=t.live_claims.c["count"] + 1))


async def drop_reference(conn: AsyncConnection, stix_id: str, ref: str) -> None:
    """Have an object's claim, its place in the index, its rows and views as if it had never had a reference."""
    c, v, r = t.contributions.c, t.views.c, t.referring.c
    claim = (await conn.execute(select(t.contributions).where(c.id == stix_id))).one()
    said = orjson.loads(claim.body)
    said["object_refs"].remove(ref)
    body = orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
    await conn.execute(update(t.contributions).where(c.id == stix_id).values(body=body, digest=digest_of(body)))
    await conn.execute(delete(t.referring).where(r.key == claim.key, r.target == ref))
    for view in (await conn.execute(select(t.views).where(v.object_id == stix_id))).all():
        obj = await _body_of(conn, view)
        obj["object_refs"].remove(ref)
        made = content("note", obj, uses=(), own=obj)
        body = rendered(made, made.own_id or StixId(""), made.created, made.modified)
        await conn.execute(update(t.changes).where(_row(view)).values(body=body))
        await conn.execute(update(t.views).where(_of(view)).values(digest=made.digest))


DAMAGES = (
    Damage("a row of a view with other content", StorePart.ROW, other_content, appends=True),
    Damage("a view with another digest", StorePart.VIEW, other_digest),
    Damage("a wrong reference", StorePart.ROW, wrong_reference, appends=True),
    Damage("a missing view", StorePart.VIEW, missing_view),
    Damage("a view that is marked as ended", StorePart.VIEW, view_marked_as_ended),
    Damage("a view too many", StorePart.VIEW, view_too_many),
    Damage("a view that is shown again", StorePart.VIEW, view_that_came_back),
    Damage("a view with another generation", StorePart.VIEW, other_generation),
    Damage("a view with other uses", StorePart.VIEW, other_uses),
    Damage("a view noted to change at another date", StorePart.VIEW, other_due_day),
    Damage("a wrong count of uses", StorePart.USES, count_of_uses),
    Damage("no uses of identities", StorePart.USES, unused_identity),
    Damage("a row with another number", StorePart.ROW, row_number),
    Damage("a lost row", StorePart.ROW, row_lost),
    Damage("the lost newest row of an object", StorePart.ROW, newest_row_lost, appends=True),
    Damage("a row with an earlier date", StorePart.ROW, row_date),
    Damage("another end of a log", StorePart.LOG, end_of_log),
    Damage("a newest version not marked so", StorePart.ROW, newest_mark),
    Damage("a relationship placed elsewhere", StorePart.PLACEMENT, placement),
    Damage("a relationship not placed", StorePart.PLACEMENT, placement_lost),
    Damage("a placement of nothing", StorePart.PLACEMENT, placement_of_nothing),
    Damage("a sighting missing in the index", StorePart.INDEX, index_of_references),
    Damage("a claim filed under another thing", StorePart.CLAIM, thing_of_claim),
    Damage("a claim with another digest", StorePart.CLAIM, digest_of_claim),
    Damage("a receipt with more objects than its source has sent", StorePart.RECEIPT, receipt_sum),
    Damage("more rejections counted than listed", StorePart.RECEIPT, rejections),
    Damage("more live claims counted than there are", StorePart.LIVE, live_claims),
)
