"""The schema's history, from the first version on: at each opening a store is brought to ``HEAD``, under a lock.

To change the schema: change ``hub/store/tables.py``, add ``versions/vNNNN_what.py`` and set ``HEAD``. A test compares
the migrated schema with the tables, and says what is missing.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from hub.model.errors import Broken

HEAD = "0008"
"""The newest version; alembic is imported only where a store is older, as it takes longer than opening does."""

_LOCK = 0x6374_6975
"""PostgreSQL's advisory lock for migrating: ``ctiu`` in ASCII. Any number would do that nobody else takes."""


async def upgrade(engine: AsyncEngine) -> None:
    """Bring the store to ``HEAD``; nothing is done when it is there. Processes that do it at once wait in turn.

    Raises Broken when the store is of a later version than this program.
    """
    async with engine.connect() as conn:
        if await version(conn) == HEAD:
            return
    script = await asyncio.to_thread(_scripts)  # it reads files
    async with engine.connect() as conn:
        await conn.execution_options(writes=True)
        async with conn.begin():
            if conn.dialect.name == "postgresql":
                await conn.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            await conn.run_sync(_migrate, script)


async def version(conn: AsyncConnection) -> str | None:
    """The version of the schema; None of an empty store."""
    return await conn.run_sync(_version)


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("select version_num from alembic_version")).scalar_one_or_none()


def _scripts() -> Any:
    from alembic.script import ScriptDirectory

    script = ScriptDirectory(Path(__file__).parent)
    script.get_revisions("heads")  # loads all of them, here in the thread
    return script


def _migrate(connection: Connection, script: Any) -> None:
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext

    here = _version(connection)
    if here is not None and here not in {revision.revision for revision in script.walk_revisions()}:
        raise Broken(
            "store.newer",
            f"The store has version {here} of the schema, later than this program's {HEAD}.",
            "Install the newer ctihub that last opened it.",
        )

    def steps(at: Any, _context: Any) -> Any:
        return script._upgrade_revs("heads", at)

    with EnvironmentContext(Config(), script, fn=steps, destination_rev="heads") as environment:
        environment.configure(connection=connection, transactional_ddl=True)
        environment.run_migrations()
