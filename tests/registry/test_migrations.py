"""The migrated schema is that of ``tables.py``, in both dialects; opening is safe at once and with newer stores."""

from __future__ import annotations

import asyncio
import json
import ssl
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from hub.core.merge.facts import marked_with
from hub.model.credentials import TokenCredentials
from hub.model.errors import Broken
from hub.model.journal import ANONYMOUS
from hub.model.policy import WIDEST_BLOCKED, WIDEST_SHOWN, Source, SourceKind, terms_of
from hub.model.tasks import Recompute, SetDate, TakeReleased, TakeTurns
from hub.model.times import midnight_after
from hub.model.tokens import FULL_SCOPE
from hub.model.words import Naming, SourceName, StixId
from hub.registry.tokens import new_token, token_digest
from hub.store import migrations
from hub.store.migrations import HEAD, upgrade, version
from hub.store.postgres_address import Address
from hub.store.sqlite import open_sqlite
from hub.store.tables import metadata
from tests.contracts.store_writer import open_store
from tests.registry.builders import NOON_US, registry_on
from tests.servers.postgres import Postgres


def _differences(connection: Connection) -> list[Any]:
    context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
    found = compare_metadata(context, metadata)
    return [each for each in found if "alembic_version" not in str(each)]


async def _assert_as_in_tables(engine: AsyncEngine) -> None:
    await upgrade(engine)
    async with engine.connect() as conn:
        assert await version(conn) == HEAD
        assert await conn.run_sync(_differences) == []


async def test_sqlite_is_migrated_to_what_tables_say(tmp_path: Path) -> None:
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'store.sqlite'}")
    try:
        await _assert_as_in_tables(engine)
    finally:
        await engine.dispose()


async def test_postgresql_is_migrated_to_what_tables_say(postgres: Postgres, postgres_url: str) -> None:
    address = postgres_url.replace("postgresql://", "postgresql+asyncpg://")
    trusting = ssl.create_default_context(cafile=str(postgres.ca_file))
    engine = create_async_engine(address, connect_args={"ssl": trusting})
    try:
        await asyncio.gather(*(upgrade(engine) for _ in range(4)))
        await _assert_as_in_tables(engine)
    finally:
        await engine.dispose()


def test_the_head_is_the_newest_script() -> None:
    scripts = ScriptDirectory(Path(migrations.__file__).parent)
    assert scripts.get_heads() == [HEAD]


async def test_many_may_open_a_new_store_at_once(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    stores = await asyncio.gather(*(open_sqlite(path, now_us=NOON_US) for _ in range(6)))
    try:
        policies = [await store.policy() for store in stores]
        assert len({policy.namespace for policy in policies}) == 1
        assert {len(policy.collections) for policy in policies} == {3}
    finally:
        for store in stores:
            await store.close()


async def test_a_store_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    store = await open_sqlite(path, now_us=NOON_US)
    async with store.begin() as conn:
        await conn.execute(text("update alembic_version set version_num = '9999'"))
    await store.close()
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
    try:
        with pytest.raises(Broken, match="9999"):
            await upgrade(engine)
    finally:
        await engine.dispose()


def _bring_to(connection: Connection, revision: str) -> None:
    script = ScriptDirectory(Path(migrations.__file__).parent)

    def steps(at: Any, _context: Any) -> Any:
        return script._upgrade_revs(revision, at)

    with EnvironmentContext(Config(), script, fn=steps, destination_rev=revision) as environment:
        environment.configure(connection=connection, transactional_ddl=True)
        environment.run_migrations()


async def test_what_an_older_store_has_left_to_be_done_is_carried_over(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    name = f"malware--{'0' * 8}-0000-4000-8000-{'0' * 12}"
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
    async with engine.begin() as conn:
        await conn.run_sync(_bring_to, "0003")
        columns = "(one, namespace, identity, cursor_key, created_us)"
        hub = f"insert into hub {columns} values (1, :n, 'identity--x', x'00', :us)"
        await conn.execute(text(hub), {"n": "00000000-0000-4000-8000-000000000000", "us": NOON_US})
        for scope, done in (
            ("all", True),
            ("centre:7", False),
            ("collection:2", False),
            (f"referrers:3:{name}", False),
        ):
            sweep = "insert into sweeps (scope, cursor, time_us, done) values (:scope, x'6b', 5, :done)"
            await conn.execute(text(sweep), {"scope": scope, "done": done})
        held = (
            "insert into held (centre, stix_id, code, list, says, value, stamp, idx, at_us, digest, state)"
            " values (7, 'x', 'list.hit', '', '', x'', x'', 0, 0, x'', 'released')"
        )
        await conn.execute(text(held))
    await engine.dispose()
    store = await open_sqlite(path, now_us=NOON_US)
    try:
        due = {task.task: (task.cursor, task.time_us) for task in await store.due(midnight_after(NOON_US))}
        async with store.transaction() as tx:
            released = await tx.released(10)
    finally:
        await store.close()
    left = {Recompute(source=7), Recompute(collection=2), TakeTurns(3, StixId(name))}
    assert {task: at for task, at in due.items() if task in left} == {
        Recompute(source=7): (b"", 5),  # the cursors of these were keys once: they begin again
        Recompute(collection=2): (b"", 5),
        TakeTurns(3, StixId(name)): (b"k", 5),
    }
    assert due.keys() - left == {TakeReleased(), SetDate()}
    assert [one.source for one in released] == [7]


async def test_what_carries_a_marking_is_found_by_the_source_after_a_migration(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    marking = f"marking-definition--{'0' * 8}-0000-4000-8000-{'0' * 12}"
    deferred = '{"schema":1,"kind":"TakeTurns","value":{"collection":2,"name":"marked:' + marking + '"}}'
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
    async with engine.begin() as conn:
        await conn.run_sync(_bring_to, "0007")
        columns = "(key, source, id, type, stamp, since, state, digest, body)"
        claim = f"insert into contributions {columns} values (x'6b', 7, 'x', 'malware', x'', x'', 0, x'', x'')"
        await conn.execute(text(claim))
        for target in (f"marked:{marking}", "malware--x"):
            await conn.execute(text("insert into referring values (:target, x'6b')"), {"target": target})
        task = "insert into tasks (kind, task, cursor, time_us, due_us) values ('TakeTurns', :task, x'', 0, 0)"
        await conn.execute(text(task), {"task": deferred})
    await engine.dispose()
    store = await open_sqlite(path, now_us=NOON_US)
    try:
        due = [task.task for task in await store.due(NOON_US)]
        async with store.reading() as conn:
            targets = set((await conn.execute(text("select target from referring"))).scalars())
    finally:
        await store.close()
    assert targets == {marked_with(7, marking), "malware--x"}
    assert Recompute() in due
    assert not [task for task in due if isinstance(task, TakeTurns)]


async def test_a_centre_of_an_older_store_has_the_default_widths_of_networks(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
    async with engine.begin() as conn:
        await conn.run_sync(_bring_to, "0009")
        centre = Source(0, SourceName("ro"), StixId("identity--x"), "RO")
        for kind, settings in (("centre", terms_of(centre)), ("member", {})):
            said = {name: value for name, value in settings.items() if not name.startswith("widest")}
            columns = "(name, kind, identity, country, accredited_by, suspended, created_us, settings)"
            row = f"insert into principals {columns} values (:kind, :kind, :kind, 'RO', 1, false, 0, :settings)"
            await conn.execute(text(row), {"kind": kind, "settings": json.dumps(said)})
    await engine.dispose()
    store = await open_sqlite(path, now_us=NOON_US)
    try:
        centre, _ = (await store.policy()).sources.values()
        due = [task.task for task in await store.due(NOON_US)]
        async with store.reading() as conn:
            member = await conn.execute(text("select settings from principals where kind = 'member'"))
            assert "widest" not in member.scalar_one()
    finally:
        await store.close()
    assert (centre.widest_shown, centre.widest_blocked) == (WIDEST_SHOWN, WIDEST_BLOCKED)
    assert Recompute() in due


async def test_members_of_an_older_store_become_anonymous_sources(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
    async with engine.begin() as conn:
        await conn.run_sync(_bring_to, "0010")
        centre = Source(0, SourceName("ro-cert"), StixId("identity--x"), "RO")
        columns = "(name, kind, identity, country, accredited_by, suspended, created_us, settings)"
        for no, (name, kind, settings) in enumerate((("ro-cert", "centre", terms_of(centre)), ("soc", "member", {}))):
            row = f"insert into principals {columns} values (:name, :kind, :identity, 'RO', :by, false, 0, :settings)"
            said = {"name": name, "kind": kind, "identity": f"identity--{no}", "by": no or None}
            await conn.execute(text(row), said | {"settings": json.dumps(settings)})
    await engine.dispose()
    store = await open_sqlite(path, now_us=NOON_US)
    try:
        found = (await store.policy()).sources[2]
        assert (found.name, found.kind, found.naming) == ("soc", SourceKind.MEMBER, Naming.ANONYMOUS)
        assert found.accredited_by == 1
    finally:
        await store.close()


def _columns(connection: Connection) -> set[tuple[str, str]]:
    tables = inspect(connection)
    return {(table, column["name"]) for table in tables.get_table_names() for column in tables.get_columns(table)}


async def test_ids_of_what_an_older_store_has_erased_are_not_used_again(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    await (await open_sqlite(path, now_us=NOON_US)).close()
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
    older = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'older.sqlite'}")
    async with older.begin() as conn:
        await conn.run_sync(_bring_to, "0019")
        before = await conn.run_sync(_columns)
    await older.dispose()
    async with engine.begin() as conn:
        here = await conn.run_sync(_columns)
        new = {table for table, _ in here} - {table for table, _ in before}
        for table in sorted(new):
            await conn.execute(text(f"drop table {table}"))
        for table, column in sorted(here - before):
            if table not in new:
                await conn.execute(text(f"alter table {table} drop column {column}"))
        await conn.execute(text("alter table principals add column token_digest blob"))
        await conn.execute(text("create index ix_principals_token_digest on principals (token_digest)"))
        await conn.execute(text("update alembic_version set version_num = '0019'"))
        asked = "insert into forgettings (at_us, who, reason, closing_us) values (0, 'dpo', 'x', 0)"
        await conn.execute(text(asked))
        columns = "(log, seq, object_id, type, withdrawn, date_added_us, version_us, first, shown, body)"
        erased = [("a", True, 0), ("a", True, 0), ("b", True, 0), ("c", True, 7), ("", False, 0)]
        for seq, (object_id, withdrawn, version_us) in enumerate(erased, 1):
            row = f"insert into changes {columns} values (2, :seq, :id, 'indicator', :gone, 0, :version, true, 0, x'')"
            await conn.execute(text(row), {"seq": seq, "id": object_id, "gone": withdrawn, "version": version_us})
    await engine.dispose()
    store = await open_sqlite(path, now_us=NOON_US)
    try:
        policy = await store.policy()
    finally:
        await store.close()
    assert {no: one.first_generation for no, one in policy.collections.items()} == {1: 0, 2: 2, 3: 0}


async def test_versions_that_an_older_store_has_looked_at_for_their_age_are_not_looked_at_again(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
    async with engine.begin() as conn:
        await conn.run_sync(_bring_to, "0022")
        await conn.execute(text("insert into logs (name, pruned_seq) values ('collection.x', 7)"))
        await conn.run_sync(_bring_to, "0023")
        found = await conn.execute(text("select pruned_seq, aged_seq, counted_seq, counted_to from logs"))
        assert [tuple(row) for row in found] == [(7, 7, 0, None)]
    await engine.dispose()


async def test_the_token_of_a_principal_of_an_older_store_is_its_own_token_and_still_valid(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    secret = new_token()
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
    async with engine.begin() as conn:
        await conn.run_sync(_bring_to, "0023")
        columns = "(name, kind, token_digest, suspended, created_us, settings)"
        row = f"insert into principals {columns} values ('root', 'operator', :digest, false, 7, '{{}}')"
        await conn.execute(text(row), {"digest": token_digest(secret)})
    await engine.dispose()
    store = await open_sqlite(path, now_us=NOON_US)
    try:
        registry = registry_on(store)
        found = await registry.access.authenticate(TokenCredentials(secret, "root"))
        (entry,) = await registry.tokens.all()
    finally:
        await store.close()
    assert found is not None
    assert (found.name, found.scope) == ("root", FULL_SCOPE)
    assert (entry.token.full_name, entry.token.created_us) == ("root", 7)


@pytest.fixture(params=["sqlite", "postgres"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """The address of an empty store, see ``open_store``."""
    if request.param == "sqlite":
        return {"path": str(tmp_path / "store.sqlite")}
    return {"url": request.getfixturevalue("postgres_url")}


async def _engine_at(address: dict[str, str]) -> AsyncEngine:
    if path := address.get("path"):
        return create_async_engine(f"sqlite+aiosqlite:///{path}")
    at = await Address.of(address["url"])
    return create_async_engine("postgresql+asyncpg://", async_creator=at.connect)


async def test_the_journal_of_an_older_store_is_kept_as_reads_with_the_principals_own_token(
    address: dict[str, str],
) -> None:
    engine = await _engine_at(address)
    async with engine.begin() as conn:
        await conn.run_sync(_bring_to, "0027")
        row = "(:key, :reader, :at, 5, :door, :collection, 'a \"é', 1, 2, 4, 6, 200, 'siem', '::1')"
        for key, reader, at_us, door, collection in (
            ("k1", 3, 7, "taxii", "public"),
            ("k2", 3, 9, "stream", "public"),
            ("k3", 3, 8, "lookup", None),
            ("k4", ANONYMOUS, 6, "export", "public"),
        ):
            values = {"key": key, "reader": reader, "at": at_us, "door": door, "collection": collection}
            await conn.execute(text(f"insert into journal values {row}"), values)
        for reader in (3, ANONYMOUS):
            await conn.execute(text("insert into fetched values (:reader, 1, 'taxii', 2, 7)"), {"reader": reader})
    await engine.dispose()
    store = await open_store(address)
    try:
        entries = await store.journal.entries(None, limit=10)
        fetched = await store.journal.fetched(None)
    finally:
        await store.close()
    said = ('a "é', 1, 2, 4, 6, 200, "siem", "::1", "", ())
    assert entries == [
        ("k2", 3, 9, 5, "stream", "public", *said),
        ("", 3, 8, 5, "lookup", None, *said),
        ("", 3, 7, 5, "taxii", "public", *said),
        ("k4", ANONYMOUS, 6, 5, "export", "public", *said),
    ]
    assert fetched == [(ANONYMOUS, "", 1, "taxii", 2, 7), (3, "", 1, "taxii", 2, 7)]
