"""Fixtures: a real Kafka and a real PostgreSQL, once per test process, empty for each test.

A server that cannot be had fails the tests that ask for it, with what to type. On a developer's machine
``CTIHUB_TESTS_WITHOUT=kafka,postgres`` skips them; where ``CI`` is set that is a failure too.
Under pytest-xdist each process has servers of its own, and a file that needs them stays in one (``--dist loadgroup``).
"""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from tests.servers.kafka import KafkaServer
from tests.servers.missing import MissingServer
from tests.servers.postgres import PostgresServer
from tests.servers.session import Servers, servers
from tests.waiting import until

SERVERS = ("kafka", "postgres")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a file that needs servers together, in one process, and at the end of the session."""
    for item in items:
        if _needs(item):
            item.add_marker(pytest.mark.xdist_group(item.path.name))
    items.sort(key=lambda item: bool(_needs(item)))


def _needs(item: pytest.Item) -> set[str]:
    names = set(getattr(item, "fixturenames", ()))
    return {server for server in SERVERS if server in names}


@pytest.fixture(scope="session")
def _servers() -> Iterator[Servers]:
    """The servers of this process; each starts when a test first needs it."""
    with servers() as session:
        yield session


@pytest.fixture
async def _connections_end() -> AsyncIterator[None]:
    """Let connections over TLS end before their loop does.

    Closing one takes a few turns of the loop, for the farewell of TLS; a loop that is closed meanwhile leaves a socket
    behind, and the warning about it hits whatever test runs when the garbage is collected.
    """
    yield
    sockets = asyncio.get_running_loop()._selector.get_map()  # type: ignore[attr-defined] # one is the loop's own
    with suppress(AssertionError):
        await until(lambda: len(sockets) <= 1, within_s=3)


@pytest.fixture
def kafka(_servers: Servers, _connections_end: None) -> KafkaServer:
    """An empty broker, with nobody but its administrator. A test may kill, freeze and restart it."""
    _must_not_be_left_out("kafka")
    _servers.begin(set(SERVERS) - _left_out())  # most of its tests need both: side by side
    try:
        server = _servers.kafka
    except (MissingServer, RuntimeError, ValueError) as error:
        pytest.fail(str(error), pytrace=False)
    if not server.running:
        server.restart()
    server.wipe()
    return server


@pytest.fixture
def postgres(_servers: Servers) -> PostgresServer:
    """The database server. A test may kill and restart it."""
    _must_not_be_left_out("postgres")
    try:
        server = _servers.postgres
    except (MissingServer, RuntimeError) as error:
        pytest.fail(str(error), pytrace=False)
    if not server.running:
        server.restart()
    return server


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> Iterator[str]:
    """``postgresql://…`` of a fresh, empty database, dropped afterwards."""
    name = f"t{uuid.uuid4().hex[:12]}"
    yield postgres.create_database(name)
    if postgres.running:
        # In a thread of its own: dropping waits, and the test's event loop may still be set in this one.
        with ThreadPoolExecutor(1) as pool:
            pool.submit(postgres.drop_database, name).result()


def _left_out() -> set[str]:
    return set(filter(None, os.environ.get("CTIHUB_TESTS_WITHOUT", "").split(",")))


def _must_not_be_left_out(name: str) -> None:
    if name not in _left_out():
        return
    if os.environ.get("CI"):
        pytest.fail(f"CTIHUB_TESTS_WITHOUT={name} is for developers' machines, not for CI", pytrace=False)
    pytest.skip(f"{name} is left out on request (CTIHUB_TESTS_WITHOUT)")
