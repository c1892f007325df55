"""Real Kafka and PostgreSQL for the demo, which the project installs; they end with the demo."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.servers.java import fetch
from tests.servers.run import environment
from tests.servers.session import servers


@contextlib.contextmanager
def kafka_and_postgres(folder: Path, say: Callable[[str], None]) -> Iterator[dict[str, str]]:
    """Start both; gives the environment variables of a hub that uses them."""
    del folder
    fetch()
    say("starting Kafka (KRaft, SASL, TLS, ACLs) and PostgreSQL")
    with servers() as session:
        session.begin(["kafka", "postgres"])
        yield environment(session)
