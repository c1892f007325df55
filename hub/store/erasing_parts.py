"""Statements that search one table after another for a value, a bounded number of rows at once, and erase it.

Each function takes a connection with an open transaction. The statements are the same for both dialects.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Row, Table, delete, func, or_, select, union, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.core.forgotten import value_says
from hub.model.forgettings import Erasable
from hub.model.held import HeldState
from hub.model.words import CanonicalKey
from hub.store import edits, tasks
from hub.store import forgotten_tables as ft
from hub.store import tables as t
from hub.store.chunks import chunks
from hub.store.erasing_port import Search

_MOST_BYTES = 8 << 20
"""How many bytes of bodies are read at once."""
_PLACE = struct.Struct(">IQ")
_END = (1 << 63) - 1
ERASED = "What this said has been erased by the operator of the hub."


async def count(conn: AsyncConnection, no: int, **more: int) -> None:
    """Add to the counts of a request."""
    values = {name: ft.forgettings.c[name] + by for name, by in more.items() if by}
    if values:
        await conn.execute(update(ft.forgettings).where(ft.forgettings.c.no == no).values(values))


async def last_that_fits(
    conn: AsyncConnection,
    key: ColumnElement[Any],
    body: ColumnElement[Any],
    where: Sequence[ColumnElement[bool]],
    limit: int,
    *,
    last_first: bool = False,
) -> int | None:
    """Returns the last key of the next rows, as many as the limits allow and one at least; None if there are none.
    ``last_first``: in the reverse order of the keys.
    """
    last, total = None, 0
    rows = select(key, func.length(body)).where(*where).order_by(key.desc() if last_first else key).limit(limit)
    for no, size in await conn.execute(rows):
        total += size
        if last is not None and total > _MOST_BYTES:
            break
        last = no
    return last


async def ids_of(conn: AsyncConnection, things: Collection[CanonicalKey]) -> set[str]:
    """Returns the ids under which collections show these things, or have shown them."""
    v, p = t.views.c, t.past_ids.c
    found: set[str] = set()
    for some in chunks(sorted(things)):
        both = union(select(v.object_id).where(v.thing.in_(some)), select(p.object_id).where(p.thing.in_(some)))
        found.update((await conn.execute(both)).scalars())
    return found


# ---------------------------------------------------------------- change logs and rejections


async def erase_versions(conn: AsyncConnection, search: Search, cursor: bytes, limit: int) -> bytes | None:
    """Search the next rows of a log. Numbers and dates stay.

    The last rows come first: so the one that follows an erased row is found at once, however many versions there are.
    """
    log, before = _PLACE.unpack(cursor) if cursor else (0, _END)
    found = (await conn.execute(select(func.min(t.logs.c.no)).where(t.logs.c.no >= log))).scalar_one()
    if found is None:
        return None
    log, before = found, before if found == log else _END
    # locked, as writers lock it, so that a step that writes to this log has ended or begins after this one
    await conn.execute(select(t.logs.c.no).where(t.logs.c.no == log).with_for_update())
    c, v = t.changes.c, t.views.c
    here = (c.log == log, c.seq < before, c.version_us != t.ERASED_US)
    first = await last_that_fits(conn, c.seq, c.body, here, limit, last_first=True)
    if first is None:
        return _PLACE.pack(log + 1, _END)
    shown = select(v.seq).where(v.collection == log, v.alive, v.seq >= first, v.seq < before)
    wanted = select(t.changes).where(*here, c.seq >= first, c.seq.not_in(shown))
    rows = await conn.execute(wanted.order_by(c.seq.desc()))
    ids = await ids_of(conn, search.what.things) | set(search.what.ids)
    versions = rejections = 0
    for row in rows.all():
        if row.type == "rejection":
            rejections += await _erase_rejection(conn, search, row)
        elif row.object_id in ids or body_says(row.body, search.what):
            versions += await _erase_version(conn, search, row)
    await count(conn, search.no, versions=versions, rejections=rejections)
    if versions or rejections:
        await edits.note(conn, log)
    return _PLACE.pack(log, first)


def body_says(body: bytes, what: Erasable) -> bool:
    """Whether the content of a row says what is to be erased."""
    return bool(body) and what.is_said_in(bytes(body).decode("utf-8", "replace"))


async def _erase_version(conn: AsyncConnection, search: Search, row: Row[Any]) -> bool:
    """Make a row a withdrawal without content."""
    c = t.changes.c
    if row.withdrawn and (not row.body or search.now_us < search.closing_us):
        return False
    await _pass_over(conn, row)
    values = {"withdrawn": True, "body": b"", "shown": t.SHOWN_NEVER, "version_us": t.ERASED_US}
    await conn.execute(update(t.changes).where(c.log == row.log, c.seq == row.seq).values(values))
    return True


async def _pass_over(conn: AsyncConnection, row: Row[Any]) -> None:
    """Let the version that follows this one follow the version before it."""
    c, v, p = t.changes.c, t.views.c, t.past_ids.c
    heads = union(
        select(v.seq).where(v.object_id == row.object_id, v.collection == row.log),
        select(p.seq).where(p.object_id == row.object_id, p.collection == row.log),
    )
    for head in (await conn.execute(heads)).scalars().all():
        at: int | None = head
        while at is not None and at > row.seq:
            before = (await conn.execute(select(c.before).where(c.log == row.log, c.seq == at))).scalar()
            if before == row.seq:
                values = {"before": row.before, "first": row.first}
                await conn.execute(update(t.changes).where(c.log == row.log, c.seq == at).values(values))
            at = before


async def _erase_rejection(conn: AsyncConnection, search: Search, row: Row[Any]) -> bool:
    said = orjson.loads(row.body)
    if not (
        body_says(row.body, search.what)
        or search.what.is_quoted_in(said["message"])
        or search.what.is_begun_in(said["excerpt"])
        or said["id"] in search.what.ids
        or (said["topic"], said["partition"], said["offset"]) in search.records
        or (said["receipt"], said["index"]) in search.pushed
    ):
        return False
    said |= {"id": None, "pointer": "", "message": ERASED, "excerpt": ""}
    c = t.changes.c
    values = {"object_id": "", "body": orjson.dumps(said), "version_us": t.ERASED_US}
    await conn.execute(update(t.changes).where(c.log == row.log, c.seq == row.seq).values(values))
    return True


# ---------------------------------------------------------------- receipts, held objects


async def erase_receipts(conn: AsyncConnection, search: Search, cursor: bytes, limit: int) -> bytes | None:
    """Search the next receipts. Their counts, codes and indexes stay."""
    p = t.receipt_parts.c
    says_something = or_(p.problems != b"[]", p.objects.is_not(None))
    named = select(p.receipt).where(p.receipt > cursor.decode(), says_something).distinct()
    receipts = (await conn.execute(named.order_by(p.receipt).limit(limit))).scalars().all()
    if not receipts:
        return None
    erased = 0
    rows = await conn.execute(select(t.receipt_parts).where(p.receipt.in_(receipts), says_something))
    for row in rows.all():
        problems, objects = orjson.loads(row.problems), orjson.loads(row.objects or b"[]")
        found = [one for one in problems if one["message"] != ERASED and _is_problem_of(search, row.receipt, one)]
        named_in = [one for one in objects if one[1] is not None and _is_named(search, row.receipt, one[0], one[1])]
        if not found and not named_in:
            continue
        for one in found:
            one |= {"id": None, "message": ERASED}
        for one in named_in:
            one[1:] = None, None
        same_objects = p.objects.is_(None) if row.objects is None else p.objects == row.objects
        same = (p.receipt == row.receipt, p.source == row.source, p.problems == row.problems, same_objects)
        values = {"problems": orjson.dumps(problems), "objects": row.objects and orjson.dumps(objects)}
        await conn.execute(update(t.receipt_parts).where(*same).values(values))
        erased += len(found) + len(named_in)
    await count(conn, search.no, receipts=erased)
    return str(receipts[-1]).encode()


def _is_problem_of(search: Search, receipt: str, problem: Mapping[str, Any]) -> bool:
    return search.what.is_quoted_in(problem["message"]) or _is_named(search, receipt, problem["index"], problem["id"])


def _is_named(search: Search, receipt: str, index: int, object_id: str | None) -> bool:
    named = object_id is not None and (object_id in search.what.ids or search.what.is_said_in(object_id))
    return named or (receipt, index) in search.pushed


async def erase_held(conn: AsyncConnection, search: Search, cursor: bytes, limit: int) -> bytes | None:
    """Search the next held objects. Those that were released stay as rows without content: receipts count them."""
    h, after = t.held.c, int.from_bytes(cursor)
    upto = await last_that_fits(conn, h.no, h.value, (h.no > after,), limit)
    if upto is None:
        return None
    rows = await conn.execute(select(t.held).where(h.no > after, h.no <= upto).order_by(h.no))
    found = [row for row in rows.all() if _is_held_of(row, search)]
    for row in found:
        if row.state == HeldState.TAKEN:
            blank = {"value": b"", "stix_id": "", "says": ERASED, "digest": b"", "thing": None}
            await conn.execute(update(t.held).where(h.no == row.no).values(blank))
        else:
            await conn.execute(delete(t.held).where(h.no == row.no))
    await count(conn, search.no, held=len(found))
    return upto.to_bytes(8)


def _is_held_of(row: Row[Any], search: Search) -> bool:
    what = search.what
    if row.says == ERASED:
        return False
    if (
        row.stix_id in what.ids
        or row.thing in what.things
        or (row.receipt, row.idx) in search.pushed
        or what.is_said_in(row.says)
    ):
        return True
    return value_says(bytes(row.value), what, search.limits)


# ---------------------------------------------------------------- the rest


async def erase_others(conn: AsyncConnection, search: Search) -> None:
    """Search the small tables."""
    what, things = search.what, sorted(search.what.things)
    for some in chunks(things):
        if search.now_us >= search.closing_us:
            await _begin_above(conn, some)
            await conn.execute(delete(t.past_ids).where(t.past_ids.c.thing.in_(some)))
            await conn.execute(delete(t.views).where(t.views.c.thing.in_(some), ~t.views.c.alive))
        await conn.execute(delete(t.named_values).where(t.named_values.c.thing.in_(some)))
    for keys in chunks(what.lookups):
        await conn.execute(delete(t.named_values).where(t.named_values.c.value.in_(keys)))
    others = 0
    for some_ids in chunks(what.ids):
        others += (await conn.execute(delete(t.pins).where(t.pins.c.id.in_(some_ids)))).rowcount
    others += await _delete_tasks(conn, what)
    others += await _erase_decisions(conn, t.policy_changes, what)
    others += await _erase_requests(conn, search)
    await count(conn, search.no, others=others)


async def _begin_above(conn: AsyncConnection, things: Sequence[CanonicalKey]) -> None:
    """Let new things of each collection begin above the generations of these, which are deleted: no id comes back."""
    v, p, c = t.views.c, t.past_ids.c, t.collections.c
    had = union(
        select(v.collection, v.generation).where(v.thing.in_(things), ~v.alive),
        select(p.collection, p.generation).where(p.thing.in_(things)),
    ).subquery()
    last = select(had.c.collection, func.max(had.c.generation)).group_by(had.c.collection)
    for no, generation in (await conn.execute(last)).all():
        above = update(t.collections).where(c.no == no, c.first_generation <= generation)
        await conn.execute(above.values(first_generation=generation + 1))


async def _delete_tasks(conn: AsyncConnection, what: Erasable) -> int:
    """Delete the tasks about an erased id: nothing is shown or claimed under it any more. Others are still needed."""
    keys = {thing.hex() for thing in what.things}
    found = [
        no
        for no, name in await tasks.named(conn)
        if name in what.ids or what.is_said_in(name) or any(key in name for key in keys)
    ]
    for some in chunks(found):
        await conn.execute(delete(t.tasks).where(t.tasks.c.no.in_(some)))
    return len(found)


async def _erase_decisions(conn: AsyncConnection, table: Table, what: Erasable) -> int:
    """Replace every text in a decision that says it."""
    found = 0
    for row in (await conn.execute(select(table.c.no, table.c.body))).all():
        if any(name in row.body for name in what.ids) or what.is_said_in(row.body):
            body = json.dumps(_without(json.loads(row.body), what))
            await conn.execute(update(table).where(table.c.no == row.no).values(body=body))
            found += 1
    return found


async def _erase_requests(conn: AsyncConnection, search: Search) -> int:
    """Replace what other requests say of it, and let those end now that still keep closing versions of it."""
    f, what, found = ft.forgettings.c, search.what, 0
    for row in (await conn.execute(select(ft.forgettings))).all():
        said = {"who": row.who, "reason": row.reason, "case_ref": row.case_ref}
        values: dict[str, Any] = {name: ERASED for name, text in said.items() if text and _without(text, what) != text}
        found += bool(values)
        keeps = row.no != search.no and row.what is not None and search.now_us >= search.closing_us
        if keeps and row.closing_us > search.now_us and what.is_said_in(row.what):
            values["closing_us"] = search.now_us
        if values:
            await conn.execute(update(ft.forgettings).where(f.no == row.no).values(values))
    return found


def _without(value: Any, what: Erasable) -> Any:
    if isinstance(value, dict):
        return {name: _without(each, what) for name, each in value.items()}
    if isinstance(value, list):
        return [_without(each, what) for each in value]
    is_it = isinstance(value, str) and (value in what.ids or what.is_said_in(value))
    return ERASED if is_it else value
