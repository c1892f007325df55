"""Statements for which SQLite, which has no statistics of its tables, must choose the right index."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import Engine

from hub.store.page_shapes import PageAsked
from hub.store.plain_pages import page_statement
from hub.store.port import WHOLE_LOG, Filter
from hub.store.sqlite import open_sqlite
from hub.store.thing_port import NamingReader


@pytest.mark.parametrize(("source", "claims"), [(1, ["ix_contributions_thing"]), (None, [])])
async def test_claims_on_things_with_a_value_are_found_by_the_thing(
    tmp_path: Path, source: int | None, claims: list[str]
) -> None:
    plan: list[str] = []

    def explain(_conn: Any, cursor: Any, sql: str, values: Any, *_: Any) -> None:
        if "named_values" in sql:
            cursor.execute("explain query plan " + sql, values)
            plan.extend(row[3] for row in cursor.fetchall())

    store = await open_sqlite(tmp_path / "hub.db", now_us=1)
    event.listen(Engine, "before_cursor_execute", explain)
    try:
        await store.things.naming([b"value"], 10, NamingReader([1], source))
    finally:
        event.remove(Engine, "before_cursor_execute", explain)
        await store.close()
    assert any("named_values" in step for step in plan)
    assert [step.split()[4] for step in plan if "contributions" in step] == claims


@pytest.mark.parametrize(
    ("by", "index"),
    [
        (WHOLE_LOG, "uq_changes_log_seq"),
        (Filter(), "uq_changes_log_seq"),
        (Filter(types=frozenset({"indicator", "malware"})), "ix_changes_log_type_seq"),
    ],
    ids=["log", "objects", "types"],
)
async def test_a_page_starts_where_it_is_asked_for(tmp_path: Path, by: Filter, index: str) -> None:
    path = tmp_path / "hub.db"
    await (await open_sqlite(path, now_us=1)).close()
    asked = PageAsked(1, 1_000, by, 100, 1 << 20)
    statement = page_statement(asked.shape()).compile(dialect=sqlite.dialect(paramstyle="named"))
    values = statement.construct_params(asked.values())
    with contextlib.closing(sqlite3.connect(path)) as connection:
        plan = [row[3] for row in connection.execute(f"explain query plan {statement}", values)]
    assert not [step for step in plan if step.startswith("SCAN changes")]
    assert any(index in step and "seq>?" in step for step in plan), plan
