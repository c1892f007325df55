"""Statements on held objects: those that wait for the operator, and those that were released or refused."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence, Set
from typing import Any

from sqlalchemy import ColumnElement, Integer, Row, and_, bindparam, case, literal, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.model.held import HeldAs, HeldChoice, HeldObject, HeldState, held_as
from hub.model.problems import Code
from hub.model.reads import HeldRecord, WaitingVersion
from hub.model.words import StixId, Withdrawal
from hub.model.writes import Superseding
from hub.store import tables as t
from hub.store.chunks import chunks
from hub.store.dialect import Dialect

_AT_ONCE = 500
"""Pairs in one query: PostgreSQL's planner cannot handle more than some thousands."""
_NEVER_US = (1 << 63) - 1
"""Later than every time."""
_WAITS = (HeldState.WAITING, HeldState.RELEASED)
_BY_BREAKER = t.held.c.code == Code.BREAKER_MASS_WITHDRAWAL
_HELD_AS = case(
    (t.held.c.withdrawal == Withdrawal.SOFT, literal(HeldAs.NOT_LISTED.value, Integer)),
    (_BY_BREAKER, literal(HeldAs.BY_BREAKER.value, Integer)),
    else_=literal(HeldAs.FOR_CONTENT.value, Integer),
)
"""As ``hub/model/held.held_as`` has it."""
_SUPERSEDED = (
    update(t.held)
    .where(
        t.held.c.source == bindparam("of_source"), t.held.c.stix_id == bindparam("under_id"),
        # ORs, since an expanding IN does not work with executemany
        t.held.c.stamp < bindparam("by_stamp"), or_(*(t.held.c.state == state for state in _WAITS)),
        or_(t.held.c.modified_us.is_(None), t.held.c.modified_us <= bindparam("by_modified_us")),
        bindparam("least", type_=Integer) <= _HELD_AS,
    )
    .values(state=HeldState.SUPERSEDED.value)
)  # fmt: skip


async def load_held(conn: AsyncConnection, names: Set[tuple[int, StixId]]) -> dict[tuple[int, StixId], HeldRecord]:
    """Returns the waiting and the refused objects for each source and id."""
    h = t.held.c
    query = select(h.source, h.stix_id, h.digest, h.state, h.stamp, h.modified_us, h.code, h.withdrawal)
    refused_for_content = and_(h.state == HeldState.REFUSED, ~_BY_BREAKER)
    query = query.where(or_(h.state.in_(_WAITS), refused_for_content)).order_by(h.no)
    waiting: dict[tuple[int, StixId], list[WaitingVersion]] = defaultdict(list)
    refused: dict[tuple[int, StixId], set[bytes]] = defaultdict(set)
    for some in chunks(sorted(names), _AT_ONCE):
        asked = tuple_(h.source, h.stix_id).in_(some)
        for row in await conn.execute(query.where(asked)):
            at = (row.source, StixId(row.stix_id))
            if row.state == HeldState.REFUSED:
                refused[at].add(bytes(row.digest))
            else:
                waiting[at].append(_waiting(row))
    return {at: HeldRecord(tuple(waiting.get(at, ())), frozenset(refused.get(at, ()))) for at in names}


def _waiting(row: Row[*tuple[Any, ...]]) -> WaitingVersion:
    how = _withdrawal(row)
    return WaitingVersion(bytes(row.stamp), row.modified_us, bytes(row.digest), held_as(row.code, how), how)


def _withdrawal(row: Row[*tuple[Any, ...]]) -> Withdrawal | None:
    return None if row.withdrawal is None else Withdrawal(row.withdrawal)


async def supersede(conn: AsyncConnection, said: Mapping[tuple[int, StixId], Sequence[Superseding]]) -> None:
    """Mark waiting objects as superseded unless they are newer than what the source has sent since under the id."""
    if not said or (await conn.execute(select(t.held.c.no).where(t.held.c.state.in_(_WAITS)).limit(1))).first() is None:
        return
    rows = [
        {
            "of_source": source,
            "under_id": stix_id,
            "by_stamp": one.stamp,
            "by_modified_us": _NEVER_US if one.modified_us is None else one.modified_us,
            "least": one.least.value,
        }
        for (source, stix_id), some in sorted(said.items())
        for one in some
    ]
    await conn.execute(_SUPERSEDED, rows)


async def read_held(
    conn: AsyncConnection, choice: HeldChoice, *, state: HeldState | None, limit: int, with_value: bool = False
) -> Sequence[HeldObject]:
    """Returns at most ``limit`` held objects, the oldest first."""
    h, p = t.held.c, t.principals.c
    columns = [h.no, p.name, h.stix_id, h.code, h.list, h.says, h.at_us, h.state, h.receipt, h.withdrawal]
    query = select(*columns, h.value if with_value else literal(b"").label("value"))
    query = query.join(t.principals, p.no == h.source).where(_chosen(choice)).order_by(h.no).limit(limit)
    if state is not None:
        query = query.where(h.state == state)
    return [_held(row) for row in await conn.execute(query)]


_RELEASED = select(t.held.c.no).where(
    or_(t.held.c.state == HeldState.RELEASED, t.held.c.state == HeldState.TAKEN), ~_BY_BREAKER
)


async def read_released(database: Dialect, known: Collection[int]) -> dict[int, bytes]:
    """Returns the objects released for their content, as they were received, by number, except the ``known``."""
    new = sorted({no for (no,) in await database.read_rows(_RELEASED, {})}.difference(known))
    found: dict[int, bytes] = {}
    h = t.held.c
    if new:
        async with database.reading() as conn:
            for numbers in chunks(new, _AT_ONCE):
                rows = await conn.execute(select(h.no, h.value).where(h.no.in_(numbers)))
                found.update((row.no, bytes(row.value)) for row in rows)
    return found


async def settle_held(conn: AsyncConnection, choice: HeldChoice, state: HeldState) -> int:
    """Set the state of the waiting objects among ``choice``; returns how many."""
    waiting = t.held.c.state == HeldState.WAITING
    return (await conn.execute(update(t.held).where(waiting, _chosen(choice)).values(state=state))).rowcount


def _chosen(choice: HeldChoice) -> ColumnElement[bool]:
    h = t.held.c
    said = [h.no > 0]
    if choice.numbers:
        said.append(h.no.in_(list(choice.numbers)))
    if choice.list_name is not None:
        said.append(h.list == choice.list_name)
    if choice.source is not None:
        said.append(h.source == choice.source)
    if choice.by_breaker is not None:
        said.append(_BY_BREAKER if choice.by_breaker else ~_BY_BREAKER)
    return and_(*said)


def _held(row: Row[*tuple[Any, ...]]) -> HeldObject:
    return HeldObject(
        row.no, row.name, row.stix_id, row.code, row.list, row.says, row.at_us, HeldState(row.state), row.receipt,
        bytes(row.value), _withdrawal(row),
    )  # fmt: skip
