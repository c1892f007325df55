"""The harness itself: what the servers refuse, and that nothing of them stays behind."""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaConnectionError

from tests.servers import java, shared_postgres
from tests.servers.kafka import KafkaServer
from tests.servers.missing import MissingServer
from tests.servers.postgres import NEED_POSTGRES, Postgres, PostgresServer, speaks_tls
from tests.servers.session import Servers, servers
from tests.waiting import wait_until


async def test_the_administrator_comes_in_over_tls(kafka: KafkaServer) -> None:
    admin = AIOKafkaAdminClient(**kafka.client_options())
    await admin.start()
    await admin.create_topics([NewTopic("intake.ro", 1, 1)])
    assert "intake.ro" in await admin.list_topics()
    await admin.close()


async def test_each_test_finds_an_empty_broker(kafka: KafkaServer) -> None:
    admin = AIOKafkaAdminClient(**kafka.client_options())
    await admin.start()
    assert [name for name in await admin.list_topics() if not name.startswith("__")] == []
    await admin.close()


@pytest.mark.parametrize("wrong", [{"sasl_plain_password": "guess"}, {"ssl_context": ssl.create_default_context()}])
async def test_a_wrong_password_and_a_wrong_authority_are_refused(kafka: KafkaServer, wrong: dict[str, object]) -> None:
    producer = AIOKafkaProducer(**kafka.client_options() | wrong)
    with pytest.raises(KafkaConnectionError):
        await producer.start()
    await producer.stop()


async def test_what_was_acknowledged_survives_a_killed_broker(kafka: KafkaServer) -> None:
    admin = AIOKafkaAdminClient(**kafka.client_options())
    await admin.start()
    await admin.create_topics([NewTopic("intake.ro", 1, 1)])
    await admin.close()
    kafka.kill()
    await asyncio.to_thread(kafka.restart)
    again = AIOKafkaAdminClient(**kafka.client_options())
    await again.start()
    assert "intake.ro" in await again.list_topics()
    await again.close()


async def test_each_test_has_a_database_of_its_own(postgres_url: str) -> None:
    connection = await asyncpg.connect(postgres_url)
    assert await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
    assert await connection.fetchval("SHOW fsync") == await connection.fetchval("SHOW synchronous_commit") == "on"
    encrypted = await connection.fetchval("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    assert encrypted == speaks_tls()
    await connection.close()


async def test_the_database_asks_for_a_password_and_where_it_can_for_tls(postgres: Postgres) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(postgres.url(), password="guess")
    if speaks_tls():
        with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
            await asyncpg.connect(postgres.url(), ssl=False)
        connection = await asyncpg.connect(postgres.url(verified=True))
        await connection.close()


async def test_the_database_comes_back_after_kill_9(own_postgres: PostgresServer, own_postgres_url: str) -> None:
    connection = await asyncpg.connect(own_postgres_url)
    await connection.execute("CREATE TABLE said (what text); INSERT INTO said VALUES ('acknowledged')")
    own_postgres.kill()
    await asyncio.to_thread(own_postgres.restart)
    connection.terminate()
    again = await asyncpg.connect(own_postgres_url)
    assert await again.fetchval("SELECT what FROM said") == "acknowledged"
    await again.close()


def test_processes_that_ask_are_given_one_database_server(own_postgres: PostgresServer, own_servers: Servers) -> None:
    with shared_postgres.answering(own_servers) as address:
        assert shared_postgres.ask(address) == shared_postgres.ask(address) == own_postgres.at


def test_a_server_that_cannot_be_had_is_told_to_every_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> Path:
        raise MissingServer(NEED_POSTGRES)

    monkeypatch.setattr("tests.servers.postgres.binaries", missing)
    with servers() as session, shared_postgres.answering(session) as address:
        for _ in range(2):
            with pytest.raises(MissingServer, match="apt-get install -y postgresql"):
                shared_postgres.ask(address)


def test_jars_that_differ_from_the_lock_are_refused(tmp_path: Path) -> None:
    java.fetch()
    for jar in java.LIBS.glob("*.jar"):
        (tmp_path / jar.name).symlink_to(jar)
    java.check(tmp_path)
    slf4j = tmp_path / "slf4j-api-1.7.36.jar"
    content = slf4j.read_bytes()
    slf4j.unlink()
    slf4j.write_bytes(content[:-1])
    with pytest.raises(ValueError, match=r"slf4j-api-1\.7\.36\.jar"):
        java.check(tmp_path)
    slf4j.unlink()
    with pytest.raises(ValueError, match=r"slf4j-api-1\.7\.36\.jar"):
        java.check(tmp_path)


def test_servers_end_when_their_session_is_killed() -> None:
    """A session that is killed with -9 has no chance to stop them: somebody else must."""
    words = [sys.executable, "-m", "tests.servers.run", sys.executable, "-c", SHOW]
    session = subprocess.Popen(words, cwd=java.PROJECT, stdout=subprocess.PIPE, text=True)
    assert session.stdout is not None
    child, folder = int(session.stdout.readline()), Path(session.stdout.readline().strip())
    groups = [int(word) for word in session.stdout.readline().split()]
    assert len(groups) == 2
    session.send_signal(signal.SIGKILL)
    session.wait()
    os.kill(child, signal.SIGKILL)
    session.stdout.close()
    wait_until(lambda: not any(Path(f"/proc/{group}").exists() for group in groups))
    wait_until(lambda: not folder.exists())


SHOW = """
import os, time, pathlib
folder = pathlib.Path(os.environ["CTIHUB_KAFKA_CA_FILE"]).parents[1]
print(os.getpid(), flush=True)
print(folder, flush=True)
def uses(process):
    try:
        words = process.joinpath("cmdline").read_bytes().decode().split("\\0")
        environment = process.joinpath("environ").read_bytes().decode()
    except OSError:
        return False
    return f"KAFKA_DATA_DIR={folder}" in environment or str(folder / "postgres" / "data") in words
print(*(process.name for process in pathlib.Path("/proc").glob("[0-9]*") if uses(process)), flush=True)
time.sleep(600)
"""
