"""Stories on PostgreSQL: import the fixture into a test module, or ``pytest -p tests.on_postgres FILE…``.

Each place that a story begins at is a database of its own.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hub.store.postgres import open_postgres
from hub.store.sql import SqlStore
from tests import story
from tests.servers.postgres import PostgresServer


@pytest.fixture(autouse=True)
def stories_on_postgres(postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the stories of this test take place on PostgreSQL."""
    databases: dict[Path, str] = {}

    async def open_store(path: Path) -> SqlStore:
        if path not in databases:
            databases[path] = f"s{uuid.uuid4().hex[:12]}"
            await asyncio.to_thread(postgres.create_database, databases[path])
        return await open_postgres(postgres.url(databases[path]), now_us=story.START_US)

    monkeypatch.setattr(story, "open_store", open_store)
    yield
    with ThreadPoolExecutor(1) as pool:  # the event loop of an async test may still be set in this thread
        for name in databases.values():
            pool.submit(postgres.drop_database, name).result()
