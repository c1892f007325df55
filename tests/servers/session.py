"""The real servers of one test session or demo: started on demand, side by side, and cleared away at the end."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from tests.servers.certificates import Authority
from tests.servers.kafka import KafkaServer
from tests.servers.ports import free_ports
from tests.servers.postgres import Postgres, PostgresServer
from tests.servers.reaper import Reaper


class Servers:
    """Kafka and PostgreSQL in one temporary folder, under one certificate authority."""

    def __init__(self, folder: Path, reaper: Reaper) -> None:
        self.folder = folder
        self._reaper = reaper
        self._authority = Authority.make(folder / "tls")
        self._ports = free_ports(4)
        self._pool = ThreadPoolExecutor(2)
        self._kafka: Future[KafkaServer] | None = None
        self._postgres: Future[PostgresServer] | None = None

    def begin(self, names: Collection[str]) -> None:
        """Begin to start ``kafka`` and ``postgres``, those that are named, without waiting."""
        if "kafka" in names and self._kafka is None:
            first, second, third = self._ports[:3]
            server = KafkaServer(self.folder / "kafka", (first, second, third), self._authority, self._reaper)
            self._kafka = self._pool.submit(server.start)
        if "postgres" in names and self._postgres is None:
            postgres = PostgresServer(self.folder / "postgres", self._ports[3], self._authority, self._reaper)
            self._postgres = self._pool.submit(postgres.start)

    @property
    def kafka(self) -> KafkaServer:
        """The broker, when it has started. Raises MissingServer, RuntimeError."""
        self.begin(["kafka"])
        assert self._kafka is not None
        return self._kafka.result()

    @property
    def postgres(self) -> Postgres:
        """Where the database server is, when it has started. Raises MissingServer, RuntimeError."""
        return self.postgres_server.at

    @property
    def postgres_server(self) -> PostgresServer:
        """The database server, when it has started. Raises MissingServer, RuntimeError."""
        self.begin(["postgres"])
        assert self._postgres is not None
        return self._postgres.result()

    def stop(self) -> None:
        """End what was started."""
        for started in (self._kafka, self._postgres):
            if started is not None and started.exception() is None:
                started.result().stop()
        self._pool.shutdown()


@contextlib.contextmanager
def servers() -> Iterator[Servers]:
    """Servers that are gone afterwards, even if this process is killed meanwhile."""
    reaper = Reaper()
    folder = Path(tempfile.mkdtemp(prefix="ctihub-servers-"))
    folder.chmod(0o711)  # as root the database runs as another user, who must reach its folder
    reaper.clear(folder)
    session = Servers(folder, reaper)
    try:
        yield session
    finally:
        session.stop()
        reaper.close()
