"""Performs the reads that a step requests, inside its transaction.

Claims are loaded once for all reads that need them: a round trip costs more than the rows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence, Set
from typing import Any

from sqlalchemy import ColumnElement, Row, Table, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.model.claims import Claim, ClaimKey, claim_key
from hub.model.policy import LOG_OF_NOBODY, NOBODY, Policy, Source, rejections_log
from hub.model.reads import (
    BODY,
    BREAKER,
    CLAIM,
    DUE,
    HELD,
    ISSUED,
    LATE,
    PAGE,
    PAST,
    PLACED,
    PLACEMENT,
    REFERRERS,
    REFERRING,
    REJECTIONS_LOG,
    REPLACED,
    THING,
    TURNS,
    UNDER_ID,
    USES,
    Answers,
    DueViews,
    LateThings,
    LateViews,
    Read,
    Reads,
    ThingRecord,
)
from hub.model.words import CanonicalKey, Seq, type_of_id
from hub.store import breakers, referring, tasks, waiting
from hub.store import tables as t
from hub.store.chunks import chunks
from hub.store.dialect import Dialect
from hub.store.locks import Locks
from hub.store.rows import claim_of, view_of


class Loading:
    """Performs the reads of one round."""

    def __init__(self, dialect: Dialect, conn: AsyncConnection, locks: Locks) -> None:
        self._dialect = dialect
        self._conn = conn
        self._locks = locks
        self._claims: dict[ClaimKey, Claim] = {}
        self._loaders: dict[Read[Any, Any], Callable[[Set[Any]], Awaitable[dict[Any, Any]]]] = {
            PLACEMENT: self._placements,
            ISSUED: lambda ids: referring.load_issued(conn, ids),
            PAST: lambda ids: referring.load_past(conn, ids),
            HELD: lambda ids: waiting.load_held(conn, ids),
            BODY: self._bodies,
            USES: self._uses,
            DUE: self._due,
            LATE: self._late,
            BREAKER: lambda sources: breakers.load(conn, sources),
            REFERRING: lambda ids: referring.count_referring(conn, ids),
            TURNS: lambda _: tasks.load_turns(conn),
        }

    async def answer(self, reads: Reads, policy: Policy) -> Answers:
        """Returns the answers to all of ``reads``."""
        answers = Answers()
        if things := reads.about(THING):
            answers.put(THING, await self._things(things))
        await self._answer_by_key(reads, policy, answers)
        if sources := reads.about(REJECTIONS_LOG):
            answers.put(REJECTIONS_LOG, await self._rejection_logs(sources, policy))
        for read, load in self._loaders.items():
            if keys := reads.about(read):
                answers.put(read, await load(keys))
        if pages := reads.about(PAGE):
            answers.put(PAGE, await self._pages(pages, reads.referrer_limit))
        return answers

    async def _rows(self, table: Table, column: ColumnElement[Any], values: Iterable[Any]) -> Sequence[Row[Any]]:
        return await self._dialect.rows_in(self._conn, table, column, sorted(values))

    # ------------------------------------------------------------ contributions

    async def _things(self, things: Set[CanonicalKey]) -> dict[CanonicalKey, ThingRecord]:
        found = {thing: ThingRecord([], {}) for thing in things}
        for row in await self._rows(t.contributions, t.contributions.c.thing, things):
            claim = self._claims[row.key] = claim_of(row)
            found[row.thing].claims.append(claim)
        for row in await self._rows(t.views, t.views.c.thing, things):
            found[row.thing].views[row.collection] = view_of(row)
        return found

    async def _answer_by_key(self, reads: Reads, policy: Policy, answers: Answers) -> None:
        """Answer reads that find contributions by key: directly, by STIX id, or through an index."""
        by_id = {
            stix_id: [claim_key(source, stix_id) for source in policy.claimants(type_of_id(stix_id))]
            for stix_id in reads.about(UNDER_ID)
        }
        referrers = await referring.load_referrers(self._conn, reads.about(REFERRERS), reads.referrer_limit)
        placed = await self._placed(reads.about(PLACED))
        await self._locks.found(key for keys in referrers.values() for key in keys or ())
        await self._locks.found(key for where in placed.values() for keys in where.values() for key in keys)
        direct = reads.about(CLAIM) | reads.about(REPLACED)
        await self._fetch(
            {
                *direct,
                *(key for keys in by_id.values() for key in keys),
                *(key for keys in referrers.values() for key in keys or ()),
                *(key for where in placed.values() for keys in where.values() for key in keys),
            }
        )
        for read in (CLAIM, REPLACED):
            answers.put(read, {key: self._claims.get(key) for key in reads.about(read)})
        answers.put(UNDER_ID, {stix_id: self._among(keys) for stix_id, keys in by_id.items()})
        answers.put(REFERRERS, {name: None if keys is None else self._among(keys) for name, keys in referrers.items()})
        answers.put(
            PLACED, {thing: {no: self._among(keys) for no, keys in where.items()} for thing, where in placed.items()}
        )

    async def _fetch(self, keys: Set[ClaimKey]) -> None:
        for row in await self._rows(t.contributions, t.contributions.c.key, keys - self._claims.keys()):
            self._claims[row.key] = claim_of(row)

    def _among(self, keys: Iterable[ClaimKey]) -> list[Claim]:
        return [self._claims[key] for key in keys if key in self._claims]

    async def _pages(self, pages: Set[tuple[Any, bytes]], referrer_limit: int) -> dict[tuple[Any, bytes], list[Claim]]:
        found = await referring.load_pages(self._conn, pages, referrer_limit)
        if await self._locks.found(claim.key for page in found.values() for claim in page):
            return await referring.load_pages(self._conn, pages, referrer_limit)
        return found

    # ------------------------------------------------------------ relationships

    async def _placements(self, keys: Set[ClaimKey]) -> dict[ClaimKey, dict[int, CanonicalKey]]:
        found: dict[ClaimKey, dict[int, CanonicalKey]] = {key: {} for key in keys}
        for row in await self._rows(t.placements, t.placements.c.key, keys):
            found[row.key][row.collection] = CanonicalKey(row.thing)
        return found

    async def _placed(self, things: Set[CanonicalKey]) -> dict[CanonicalKey, dict[int, list[ClaimKey]]]:
        found: dict[CanonicalKey, dict[int, list[ClaimKey]]] = {thing: defaultdict(list) for thing in things}
        for row in await self._rows(t.placements, t.placements.c.thing, things):
            found[row.thing][row.collection].append(row.key)
        return found

    # ------------------------------------------------------------ logs and counts

    async def _bodies(self, rows: Set[tuple[int, Seq]]) -> dict[tuple[int, Seq], bytes]:
        c = t.changes.c
        by_log: dict[int, list[Seq]] = defaultdict(list)
        for log, seq in rows:
            by_log[log].append(seq)
        found: dict[tuple[int, Seq], bytes] = {}
        for log, seqs in by_log.items():
            for some in chunks(sorted(seqs)):
                read = await self._conn.execute(select(c.seq, c.body).where(c.log == log, c.seq.in_(some)))
                found.update({(log, Seq(row.seq)): row.body for row in read})
        return found

    async def _uses(self, wanted: Set[tuple[int, str]]) -> dict[tuple[int, str], int]:
        found = dict.fromkeys(wanted, 0)
        for row in await self._rows(t.uses, t.uses.c.used, {used for _, used in wanted}):
            collection, used, count = tuple(row)  # not by name: a row has a method ``count``
            found[collection, used] = count
        return {at: found[at] for at in wanted}

    async def _due(self, wanted: Set[DueViews]) -> dict[DueViews, list[CanonicalKey]]:
        v = t.views.c
        found: dict[DueViews, list[CanonicalKey]] = {}
        for at in wanted:
            due = select(v.thing).where(v.collection == at.collection, v.due_day <= at.day).limit(at.limit)
            rows = await self._conn.execute(due.order_by(v.due_day, v.thing))
            found[at] = [CanonicalKey(bytes(thing)) for thing in rows.scalars()]
        return found

    async def _late(self, wanted: Set[LateViews]) -> dict[LateViews, LateThings]:
        v = t.views.c
        found: dict[LateViews, LateThings] = {}
        for at in wanted:
            late = select(v.thing).where(v.collection == at.collection, v.late_us <= at.until_us).limit(at.limit)
            things = (await self._conn.execute(late.order_by(v.late_us, v.thing))).scalars().all()
            after = select(func.min(v.late_us)).where(v.collection == at.collection, v.late_us > at.until_us)
            next_us = (await self._conn.execute(after)).scalar_one()
            found[at] = LateThings([CanonicalKey(bytes(thing)) for thing in things], next_us)
        return found

    async def _rejection_logs(self, sources: Set[int], policy: Policy) -> dict[int, int]:
        """The logs of the sources' rejections. That of a member begins with its first rejection, since most members
        have none.
        """
        names = {no: _rejections_log(policy.sources.get(no, NOBODY)) for no in sorted(sources)}
        numbers = await self._log_numbers(names.values())
        if missing := sorted(set(names.values()) - numbers.keys()):
            await self._conn.execute(_NEW_LOG, [{"name": name} for name in missing])
            numbers |= await self._log_numbers(missing)
        return {no: numbers[name] for no, name in names.items()}

    async def _log_numbers(self, names: Iterable[str]) -> dict[str, int]:
        rows = await self._rows(t.logs, t.logs.c.name, names)
        return {row.name: row.no for row in rows}


def _rejections_log(source: Source) -> str:
    return LOG_OF_NOBODY if source is NOBODY else rejections_log(source.kind, source.name)


_NEW_LOG = text("insert into logs (name) values (:name) on conflict do nothing")
"""Of several workers that begin a log at the same time, one inserts its row."""
