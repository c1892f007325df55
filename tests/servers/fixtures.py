"""Fixtures: a real Kafka and a real PostgreSQL, one of each for a whole run, however many processes it has.

A test asks for what it needs by the name of an argument:

- ``kafka``: a broker, empty and for this test alone. The test may kill, freeze and restart it. Under pytest-xdist
  (``--dist loadgroup``) all that ask for it run in two processes, so that there are two brokers and neither takes long;
- ``postgres_url``: an empty database of its own; ``migrated_url``: one that has the schema already, which is quicker;
- ``postgres``: the server behind them, which all processes share: only to make databases;
- ``own_postgres``: a server of this process, which the test may kill and restart.

A server that cannot be had fails the tests that ask for it, with what to type. On a developer's machine
``CTIHUB_TESTS_WITHOUT=kafka,postgres`` skips them; where ``CI`` is set that is a failure too.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest

from tests.servers import shared_postgres
from tests.servers.kafka import KafkaServer
from tests.servers.missing import MissingServer
from tests.servers.postgres import Postgres, PostgresServer
from tests.servers.session import Servers, servers
from tests.stores import a_migrated_database
from tests.waiting import in_a_thread

T = TypeVar("T")
ALONE = ("kafka", "own_postgres")
"""What a process has for itself; a test that needs both runs where the first is."""
WITH_THE_RELAY = frozenset({"crash", "doors", "promises"})
"""Folders whose tests share one broker, while all others share another: about half of the time each."""
SHARED = pytest.StashKey[str]()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a process of pytest-xdist where to ask for what all of them share."""
    config: pytest.Config = node.config
    if SHARED not in config.stash:
        stack = contextlib.ExitStack()
        config.add_cleanup(stack.close)
        config.stash[SHARED] = stack.enter_context(shared_postgres.answering(stack.enter_context(servers())))
    node.workerinput["servers"] = config.stash[SHARED]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests that need a server of their own in one process, and at the end where there is only one."""
    for item in items:
        if group := _alone(item):
            item.add_marker(pytest.mark.xdist_group(group), append=False)  # before that of a whole file
    items.sort(key=lambda item: _alone(item) is not None)


def _alone(item: pytest.Item) -> str | None:
    names = getattr(item, "fixturenames", ())
    name = next((name for name in ALONE if name in names), None)
    return f"{name} and relay" if name == "kafka" and item.path.parent.name in WITH_THE_RELAY else name


@pytest.fixture(scope="session")
def own_servers() -> Iterator[Servers]:
    """The servers of this process; each starts when a test first needs it."""
    with servers() as session:
        yield session


@pytest.fixture
def kafka(own_servers: Servers) -> KafkaServer:
    """An empty broker, with nobody but its administrator. A test may kill, freeze and restart it."""
    server = _found("kafka", lambda: own_servers.kafka)
    if not server.running:
        server.restart()
    server.wipe()
    return server


@pytest.fixture
def own_postgres(own_servers: Servers) -> PostgresServer:
    """A database server of this process. A test may kill and restart it."""
    server = _found("postgres", lambda: own_servers.postgres_server)
    if not server.running:
        server.restart()
    return server


@pytest.fixture
def own_postgres_url(own_postgres: PostgresServer) -> Iterator[str]:
    """``postgresql://…`` of a fresh database there, with the schema and no hub yet."""
    name = a_name()
    yield a_migrated_database(own_postgres.at, name)
    if own_postgres.running:
        in_a_thread(own_postgres.at.drop_database, name)


@pytest.fixture
def postgres(request: pytest.FixtureRequest) -> Postgres:
    """The database server that all processes of this run share."""
    worker = getattr(request.config, "workerinput", None)
    if worker is not None:
        return _found("postgres", lambda: shared_postgres.ask(worker["servers"]))
    server: PostgresServer = request.getfixturevalue("own_postgres")
    return server.at


@pytest.fixture
def postgres_url(postgres: Postgres) -> Iterator[str]:
    """``postgresql://…`` of a fresh, empty database, dropped afterwards."""
    name = a_name()
    yield postgres.create_database(name)
    in_a_thread(postgres.drop_database, name)


@pytest.fixture
def migrated_url(postgres: Postgres) -> Iterator[str]:
    """``postgresql://…`` of a fresh database with the schema and no hub yet, dropped afterwards."""
    name = a_name()
    yield a_migrated_database(postgres, name)
    in_a_thread(postgres.drop_database, name)


def a_name() -> str:
    """The name of a database that nobody else has."""
    return f"t{uuid.uuid4().hex[:12]}"


def _found(name: str, find: Callable[[], T]) -> T:
    """A server, unless it is left out on request or cannot be had."""
    if name in filter(None, os.environ.get("CTIHUB_TESTS_WITHOUT", "").split(",")):
        if os.environ.get("CI"):
            pytest.fail(f"CTIHUB_TESTS_WITHOUT={name} is for developers' machines, not for CI", pytrace=False)
        pytest.skip(f"{name} is left out on request (CTIHUB_TESTS_WITHOUT)")
    try:
        return find()
    except (MissingServer, RuntimeError, ValueError) as error:
        pytest.fail(str(error), pytrace=False)
