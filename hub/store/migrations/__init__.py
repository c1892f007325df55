"""All versions of the schema. Opening a store migrates it to ``HEAD``, under a lock.

To change the schema: change ``hub/store/tables.py``, add ``versions/vNNNN_what.py`` and set ``HEAD``. A test compares
the migrated schema with the tables and lists the differences.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from hub.model.errors import Broken

HEAD = "0028"
"""The newest version. Alembic is imported only for an older store, since the import takes longer than opening."""

_LOCK = 0x6374_6975
"""PostgreSQL's advisory lock for migrations: ``ctiu`` in ASCII, a number that no other program should use."""


async def upgrade(engine: AsyncEngine) -> None:
    """Migrate the store to ``HEAD``; does nothing when it has that version. Concurrent processes wait for the lock.

    Raises Broken when the store has a later version than this program.
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
    """Returns the version of the schema; None for an empty store."""
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
