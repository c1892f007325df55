"""Bulk writes to PostgreSQL: few rows as arrays in one statement, many by COPY.

Measured for a thousand rows in a transaction (rows/s, insert and update): arrays 67,000 and 46,000; COPY to a temporary
table and an upsert from there 114,000 and 75,000; COPY into the table itself, where no row can conflict, 184,000.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table, Text
from sqlalchemy.dialects import postgresql

from hub.store.tables import written_columns

COPY_FROM = 200
"""From this number of rows on, COPY through a temporary table is faster, despite two more round trips."""

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True)
class _Plan:
    """How the rows of one statement are written."""

    table: str
    columns: tuple[str, ...]
    texts: tuple[int, ...]
    """The indexes of the text columns."""
    staged: str | None
    """The statement that inserts the rows from the temporary table; None: COPY writes to the table itself."""


class Bulk:
    """Creates the statements for ``SqlStore.many``, and runs them as bulk writes."""

    def __init__(self) -> None:
        self._plans: dict[str, _Plan] = {}
        self._made: dict[tuple[object, ...], str] = {}

    def insert(self, table: Table) -> str:
        """Returns a plain insert. The text is the key of its plan."""
        key = (table.name,)
        return self._made.get(key) or self._make(key, table, "", staged=False)

    def upsert(self, table: Table, keys: Sequence[str], add: Sequence[str]) -> str:
        """Returns an insert that replaces a row with the same ``keys`` and sums ``add`` columns."""
        key = (table.name, tuple(keys), tuple(add))
        return self._made.get(key) or self._make(key, table, _on_conflict(table, keys, add), staged=True)

    def _make(self, key: tuple[object, ...], table: Table, suffix: str, *, staged: bool) -> str:
        names = tuple(column.name for column in written_columns(table))
        kinds = [table.c[name].type.compile(_DIALECT).lower() for name in names]
        into = ", ".join(f'"{name}"' for name in names)
        arrays = ", ".join(f"${i}::{kind}[]" for i, kind in enumerate(kinds, 1))
        sql = f'insert into "{table.name}" ({into}) select * from unnest({arrays}){suffix}'  # noqa: S608
        take_over = f'insert into "{table.name}" ({into}) select {into} from "new_{table.name}"{suffix}'  # noqa: S608
        texts = tuple(i for i, name in enumerate(names) if isinstance(table.c[name].type, Text))
        self._plans[sql] = _Plan(table.name, names, texts, take_over if staged else None)
        self._made[key] = sql
        return sql

    async def write(self, connection: Any, sql: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """Write rows with a statement of this object, on a driver connection with an open transaction."""
        plan = self._plans[sql]
        rows = _clean(rows, plan.texts)
        if len(rows) < COPY_FROM:
            await connection.execute(sql, *zip(*rows, strict=True))
        elif plan.staged is None:
            await connection.copy_records_to_table(plan.table, records=rows, columns=plan.columns)
        else:
            new = f"new_{plan.table}"
            like = f'(like "{plan.table}" including defaults) on commit delete rows'
            await connection.execute(f'create temporary table if not exists "{new}" {like}; delete from "{new}"')  # noqa: S608 - a step may write to a table twice
            await connection.copy_records_to_table(new, records=rows, columns=plan.columns)
            await connection.execute(plan.staged)


def _on_conflict(table: Table, keys: Sequence[str], add: Sequence[str]) -> str:
    sets = ", ".join(
        f'"{c.name}" = "{table.name}"."{c.name}" + excluded."{c.name}"'
        if c.name in add
        else f'"{c.name}" = excluded."{c.name}"'
        for c in written_columns(table)
        if c.name not in keys
    )
    on = ", ".join(f'"{key}"' for key in keys)
    return f" on conflict ({on}) do update set {sets}"


def _clean(rows: Sequence[tuple[Any, ...]], texts: Sequence[int]) -> Sequence[tuple[Any, ...]]:
    """Replaces the null character, which PostgreSQL's text cannot store but the key of a record may contain.

    One such row must not make its whole batch fail at each attempt. Rows without it cost one pass over the text.
    """
    if not any("\0" in "".join([row[i] or "" for row in rows]) for i in texts):
        return rows
    return [tuple(value.replace("\0", "\ufffd") if isinstance(value, str) else value for value in row) for row in rows]
