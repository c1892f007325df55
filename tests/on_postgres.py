"""Stories on PostgreSQL: import the fixture into a test module, or ``pytest -p tests.on_postgres FILE…``.

Each place that a story begins at is a database of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.store.postgres import open_postgres
from hub.store.sql import SqlStore
from tests import story
from tests.servers.fixtures import a_name
from tests.servers.postgres import Postgres
from tests.stores import a_migrated_database
from tests.waiting import in_a_thread


@pytest.fixture(autouse=True)
def stories_on_postgres(story_on_postgres: None) -> None:
    """Let the stories of each test of a module take place on PostgreSQL."""


@pytest.fixture
def story_on_postgres(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the stories of this test take place on PostgreSQL."""
    databases: dict[Path, str] = {}

    async def open_store(path: Path) -> SqlStore:
        if path not in databases:
            databases[path] = a_name()
            await asyncio.to_thread(a_migrated_database, postgres, databases[path])
        return await open_postgres(postgres.url(databases[path]), now_us=story.START_US)

    monkeypatch.setattr(story, "open_store", open_store)
    yield
    for name in databases.values():
        in_a_thread(postgres.drop_database, name)
