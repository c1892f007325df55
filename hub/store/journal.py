"""The journal of reads. See ``hub/store/journal_port.JournalStore``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import orjson
from sqlalchemy import Table, delete, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.model.journal import ANONYMOUS, KEPT_ENTRIES, KEPT_US, FetchedUpTo, JournalBatch, JournalEntry
from hub.model.words import Seq
from hub.store import journal_tables as j
from hub.store import tables as t
from hub.store.chunks import chunks
from hub.store.dialect import Dialect

_READERS_AT_ONCE = 100
_COLUMNS = [j.journal.c[name] for name in JournalEntry._fields]
_ADVANCE = text("""
    insert into fetched (reader, collection, door, reached, at_us)
    values (:reader, :collection, :door, :reached, :at_us)
    on conflict (reader, collection, door) do update set
      reached = case when excluded.reached > fetched.reached then excluded.reached else fetched.reached end,
      at_us = case when excluded.at_us > fetched.at_us then excluded.at_us else fetched.at_us end
""")
"""``greatest`` and ``max`` of two values differ between the dialects."""


def _upsert_of_json(table: Table, key: str) -> str:
    """Returns a statement of SQLite for all rows at once, as one JSON text. Other threads run meanwhile: a statement
    for each row takes the interpreter's lock each time, which for a thousand rows disturbed the event loop.
    """
    names = [column.name for column in table.c]
    into, sets = (f'"{name}"' for name in names), (f'"{name}" = excluded."{name}"' for name in names if name != key)
    values = ", ".join(f"json_extract(value, '$[{no}]')" for no in range(len(names)))
    found = f"select {values} from json_each(?) where true"  # noqa: S608 - without "where", "on" would be of a join
    return (
        f'insert into "{table.name}" ({", ".join(into)}) {found} on conflict ("{key}") do update set {", ".join(sets)}'
    )


_AS_JSON = _upsert_of_json(j.journal, "key")


class SqlJournal:
    """See the port."""

    def __init__(self, database: Dialect) -> None:
        self._database = database

    async def write(self, batch: JournalBatch) -> None:
        """See the port. Rows are written in order, so that two processes cannot wait for each other."""
        async with self._database.begin(gives_way=True) as conn:
            named = {one.reader for one in batch.entries} | {one.reader for one in batch.fetched}
            there = await self._there(conn, named)
            rows = sorted(tuple(one) for one in batch.entries if one.reader in there)
            if rows:
                await self._replace(conn, rows)
            progress = sorted(one for one in batch.fetched if one.reader in there)
            if progress:
                await conn.execute(_ADVANCE, [one._asdict() for one in progress])
            for reader in sorted(batch.crowded):
                await _prune(conn, reader, 0)

    async def _replace(self, conn: AsyncConnection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Write entries; one with the same key is replaced."""
        if conn.dialect.name == "sqlite":
            await conn.exec_driver_sql(_AS_JSON, (orjson.dumps(rows).decode(),))
        else:
            await self._database.many(conn, self._database.upsert(j.journal, ["key"]), rows)

    async def _there(self, conn: AsyncConnection, readers: Iterable[int]) -> set[int]:
        """Returns the readers that exist: an operator may have been removed meanwhile, and its number given again."""
        p = t.principals.c
        wanted = sorted(reader for reader in readers if reader != ANONYMOUS)
        rows = await self._database.rows_in(conn, select(p.no), p.no, wanted) if wanted else []
        return {ANONYMOUS, *(row.no for row in rows)}

    async def entries(self, reader: int | None, *, limit: int, door: str | None = None) -> list[JournalEntry]:
        """See the port."""
        c = j.journal.c
        query = select(*_COLUMNS).order_by(c.at_us.desc(), c.key.desc()).limit(limit)
        if reader is not None:
            query = query.where(c.reader == reader)
        if door is not None:
            query = query.where(c.door == door)
        async with self._database.reading() as conn:
            return [JournalEntry(*row) for row in await conn.execute(query)]

    async def fetched(self, reader: int | None) -> list[FetchedUpTo]:
        """See the port."""
        c = j.fetched.c
        query = select(c.reader, c.collection, c.door, c.reached, c.at_us).order_by(c.reader, c.collection, c.door)
        if reader is not None:
            query = query.where(c.reader == reader)
        async with self._database.reading() as conn:
            rows = await conn.execute(query)
            return [FetchedUpTo(row[0], row[1], row[2], Seq(row[3]), row[4]) for row in rows]

    async def prune(self, now_us: int) -> None:
        """See the port."""
        async with self._database.reading() as conn:
            readers = (await conn.execute(select(j.journal.c.reader).distinct())).scalars().all()
        for some in chunks(sorted(readers), _READERS_AT_ONCE):
            async with self._database.begin(gives_way=True) as conn:
                for reader in some:
                    await _prune(conn, reader, now_us - KEPT_US)


async def _prune(conn: AsyncConnection, reader: int, before_us: int) -> None:
    """Delete what a reader has before ``before_us``, and all but its newest entries."""
    c = j.journal.c
    newest = select(c.at_us).where(c.reader == reader).order_by(c.at_us.desc())
    last_kept = newest.offset(KEPT_ENTRIES - 1).limit(1).scalar_subquery()
    too_much = c.at_us < func.coalesce(last_kept, before_us)
    await conn.execute(delete(j.journal).where(c.reader == reader, too_much | (c.at_us < before_us)))


async def forget_reader(conn: AsyncConnection, reader: int) -> None:
    """Delete all that is kept of a reader."""
    for table in (j.journal, j.fetched):
        await conn.execute(delete(table).where(table.c.reader == reader))
