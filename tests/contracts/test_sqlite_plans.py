"""Statements for which SQLite, which has no statistics of its tables, must choose the right index."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

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
