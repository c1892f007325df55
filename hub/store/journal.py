"""The journal of reads. See ``hub/store/journal_port.JournalStore``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b
from operator import attrgetter
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Delete, bindparam, delete, func, select, text, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.model.journal import ANONYMOUS, KEPT_ENTRIES, KEPT_US, FetchedUpTo, JournalBatch, JournalEntry
from hub.model.words import Seq
from hub.store import journal_tables as j
from hub.store import token_tables as tt
from hub.store.chunks import chunks
from hub.store.dialect import Dialect

_READERS_AT_ONCE = 100
_ROWS_READ_AT_ONCE = 50
_ROWS_AT_ONCE = 64
_TOGETHER_US = 3_600_000_000
"""Entries of one row are of the same hour, or of the second before it: none is kept much longer than it may be."""
_ADVANCE = """
    insert into fetched (reader, token, collection, door, reached, at_us) {rows}
    on conflict (reader, token, collection, door) do update set
      reached = case when excluded.reached > fetched.reached then excluded.reached else fetched.reached end,
      at_us = case when excluded.at_us > fetched.at_us then excluded.at_us else fetched.at_us end
"""
"""``greatest`` and ``max`` of two values differ between the dialects."""
_ADVANCE_ONE = text(_ADVANCE.format(rows="values (:reader, :token, :collection, :door, :reached, :at_us)"))
_OF_REMOVED = (
    "select reader, '', collection, door, reached, at_us from fetched where reader = :reader and token = :token"
)
_ADVANCE_OWN = text(_ADVANCE.format(rows=_OF_REMOVED))


def _prune_statement() -> Delete:
    c = j.journal.c
    newest = func.sum(c.entries).over(order_by=(c.at_us.desc(), c.key.desc()))
    of_reader = c.reader == bindparam("reader_no")
    counted = select(c.key, (newest - c.entries).label("newer")).where(of_reader).subquery()
    too_much = c.key.in_(select(counted.c.key).where(counted.c.newer >= bindparam("kept")))
    return delete(j.journal).where(of_reader, too_much | (c.at_us < bindparam("before_us")))


_PRUNE = _prune_statement()
_TOKENS = (
    select(tt.tokens.c.principal, tt.tokens.c.name).order_by(tt.tokens.c.no).with_for_update(read=True, key_share=True)
)
"""Statements are made once: making them takes longer than running them."""


class _Row(NamedTuple):
    """A row of the table, in the order of its columns."""

    key: str
    reader: int
    at_us: int
    door: str
    entries: int
    body: str


@lru_cache(maxsize=_ROWS_AT_ONCE)
def _upsert_of(rows: int) -> str:
    """Returns a statement of SQLite for so many rows. A statement for each row takes the interpreter's lock each time,
    which for a thousand rows disturbed the event loop.
    """
    names = ", ".join(f'"{column.name}"' for column in j.journal.c)
    sets = ", ".join(f'"{column.name}" = excluded."{column.name}"' for column in j.journal.c if not column.primary_key)
    values = ", ".join([f"({', '.join('?' for _ in j.journal.c)})"] * rows)
    return f'insert into "journal" ({names}) values {values} on conflict ("key") do update set {sets}'  # noqa: S608


class SqlJournal:
    """See the port."""

    def __init__(self, database: Dialect) -> None:
        self._database = database

    async def write(self, batch: JournalBatch) -> None:
        """See the port. Rows are written in order, so that two processes cannot wait for each other."""
        async with self._database.begin(gives_way=True) as conn:
            readers = {one.reader for one in batch.entries} | {one.reader for one in batch.fetched}
            tokens = await self._tokens(conn, readers)
            there = {ANONYMOUS, *(reader for reader, _ in tokens)}
            await self._replace(conn, sorted(_rows(one for one in batch.entries if one.reader in there)))
            if progress := sorted(_named(one, tokens) for one in batch.fetched if one.reader in there):
                await conn.execute(_ADVANCE_ONE, [one._asdict() for one in progress])
            for reader in sorted(batch.crowded):
                await _prune(conn, reader, 0)

    async def _replace(self, conn: AsyncConnection, rows: Sequence[_Row]) -> None:
        """Write rows; one with the same key is replaced."""
        for some in chunks(rows, _ROWS_AT_ONCE):
            if conn.dialect.name == "sqlite":
                await conn.exec_driver_sql(_upsert_of(len(some)), tuple(value for row in some for value in row))
            else:
                await self._database.many(conn, self._database.upsert(j.journal, ["key"]), some)

    async def _tokens(self, conn: AsyncConnection, readers: set[int]) -> set[tuple[int, str]]:
        """Returns the tokens of these readers that exist, each as its principal and its name: a token, or an operator
        with all of its own, may have been removed meanwhile. None of them is removed until this transaction ends.
        """
        rows = await self._database.rows_in(conn, _TOKENS, tt.tokens.c.principal, sorted(readers))
        return {(row.principal, row.name) for row in rows}

    async def entries(
        self, reader: int | None, *, limit: int, advancing_through: str | None = None
    ) -> list[JournalEntry]:
        """See the port. Rows are read until none of the others can have an entry that is as new as those found."""
        c = j.journal.c
        query = select(*j.journal.c).order_by(c.at_us.desc(), c.key.desc())
        if reader is not None:
            query = query.where(c.reader == reader)
        if advancing_through is not None:
            query = query.where(c.door == advancing_through)
        found: list[JournalEntry] = []
        following, count = query, _ROWS_READ_AT_ONCE
        async with self._database.reading() as conn:
            while True:
                rows = (await conn.execute(following.limit(count))).all()
                found.extend(one for row in rows for one in _single_entries_of(row))
                found.sort(key=lambda one: -one.at_us)
                del found[limit:]
                if len(rows) < count or (len(found) == limit and found[-1].at_us >= rows[-1].at_us):
                    return found
                following = query.where(tuple_(c.at_us, c.key) < (rows[-1].at_us, rows[-1].key))
                count *= 2

    async def fetched(self, reader: int | None) -> list[FetchedUpTo]:
        """See the port."""
        c = j.fetched.c
        query = select(c.reader, c.token, c.collection, c.door, c.reached, c.at_us)
        query = query.order_by(c.reader, c.token, c.collection, c.door)
        if reader is not None:
            query = query.where(c.reader == reader)
        async with self._database.reading() as conn:
            rows = await conn.execute(query)
            return [FetchedUpTo(row[0], row[1], row[2], row[3], Seq(row[4]), row[5]) for row in rows]

    async def prune(self, now_us: int) -> None:
        """See the port."""
        async with self._database.reading() as conn:
            readers = (await conn.execute(select(j.journal.c.reader).distinct())).scalars().all()
        for some in chunks(sorted(readers), _READERS_AT_ONCE):
            async with self._database.begin(gives_way=True) as conn:
                for reader in some:
                    await _prune(conn, reader, now_us - KEPT_US)


def _named(one: FetchedUpTo, tokens: Collection[tuple[int, str]]) -> FetchedUpTo:
    """Returns progress with the name of its token; with none if that is removed, see ``fold_token``."""
    return one if (one.reader, one.token) in tokens else one._replace(token="")


def _rows(entries: Iterable[JournalEntry]) -> Iterator[_Row]:
    """Returns the rows for entries: one for each that advances, and one for the others of a reader in an hour."""
    complete: defaultdict[tuple[int, int], list[JournalEntry]] = defaultdict(list)
    for one in entries:
        if one.key:
            yield _Row(one.key, one.reader, one.at_us, one.door, 1, _body_of([one]).decode())
        else:
            complete[one.reader, one.at_us // _TOGETHER_US].append(one)
    for (reader, _), together in complete.items():
        together.sort(key=attrgetter("at_us"), reverse=True)
        body = _body_of(together)
        key = blake2b(b"%d " % reader + body, digest_size=16).hexdigest()  # the same when it is written again
        count = sum(1 + len(one.older_times) for one in together)
        yield _Row(key, reader, together[0].at_us, "", count, body.decode())


def _body_of(entries: Iterable[JournalEntry]) -> bytes:
    return orjson.dumps([one[2:] for one in entries])


def _entries_in(body: str, key: str = "", reader: int = ANONYMOUS) -> list[JournalEntry]:
    return [JournalEntry(key, reader, *said) for said in orjson.loads(body)]


def _single_entries_of(row: Any) -> Iterator[JournalEntry]:
    """Returns an entry for each answer of a row."""
    for one in _entries_in(row.body, row.key if row.door else "", row.reader):
        for at_us, began_us in ((one.at_us, one.began_us), *one.older_times):
            yield one._replace(at_us=at_us, began_us=began_us, older_times=())


async def _prune(conn: AsyncConnection, reader: int, before_us: int) -> None:
    """Delete the rows of a reader that are older than ``before_us``, and those that follow its newest entries."""
    await conn.execute(_PRUNE, {"reader_no": reader, "before_us": before_us, "kept": KEPT_ENTRIES})


async def forget_reader(conn: AsyncConnection, reader: int) -> None:
    """Delete all that is kept of a reader."""
    for table in (j.journal, j.fetched):
        await conn.execute(delete(table).where(table.c.reader == reader))


async def fold_token(conn: AsyncConnection, reader: int, token: str) -> None:
    """Count what a token that is removed has read as read with the principal's own: a later one of its name is new.
    The token must be deleted already: then ``write`` adds no progress of it any more.
    """
    c = j.fetched.c
    await conn.execute(_ADVANCE_OWN, {"reader": reader, "token": token})
    await conn.execute(delete(j.fetched).where(c.reader == reader, c.token == token))


async def redate_journal(conn: AsyncConnection, now_us: int, later_than_us: int) -> int:
    """Set times of entries later than ``later_than_us`` to ``now_us``; returns how many rows were changed."""
    c = j.journal.c
    late = select(c.key, c.body).where(c.at_us > later_than_us).order_by(c.key).limit(_ROWS_READ_AT_ONCE)
    done, after = 0, ""
    while rows := (await conn.execute(late.where(c.key > after))).all():
        new = [{"at_key": row.key, **_redated(row.body, now_us, later_than_us)} for row in rows]
        await conn.execute(_REDATED, new)
        done, after = done + len(rows), rows[-1].key
    return done


_REDATED = (
    update(j.journal)
    .where(j.journal.c.key == bindparam("at_key"))
    .values(at_us=bindparam("us"), body=bindparam("entries_anew"))
)


def _redated(body: str, now_us: int, later_than_us: int) -> dict[str, Any]:
    """Returns the time and the body of a row whose late entries have ended now, and began then at the latest."""

    def moved(at_us: int, began_us: int) -> tuple[int, int]:
        return (now_us, min(began_us, now_us)) if at_us > later_than_us else (at_us, began_us)

    new = []
    for one in _entries_in(body):
        first, *older = sorted((moved(*times) for times in ((one.at_us, one.began_us), *one.older_times)), reverse=True)
        new.append(one._replace(at_us=first[0], began_us=first[1], older_times=tuple(older)))
    new.sort(key=attrgetter("at_us"), reverse=True)
    return {"us": new[0].at_us, "entries_anew": _body_of(new).decode()}
