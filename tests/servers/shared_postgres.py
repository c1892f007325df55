"""One PostgreSQL for all processes of a test run: pytest-xdist's controller has it, its workers ask for the address.

The controller outlives its workers, so the server ends once and with it; nothing starts before somebody asks.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from multiprocessing.connection import Client, Listener
from pathlib import Path
from threading import Thread

from tests.servers.missing import MissingServer
from tests.servers.postgres import Postgres
from tests.servers.session import Servers

_STOP = b"stop"


@contextlib.contextmanager
def answering(session: Servers) -> Iterator[str]:
    """Give ``session``'s PostgreSQL to whoever asks at the address that this gives."""
    address = str(session.folder / "pg")
    with Listener(address, "AF_UNIX", backlog=64) as listener:
        thread = Thread(target=_answer, args=(listener, session), name="shared-postgres", daemon=True)
        thread.start()
        try:
            yield address
        finally:
            with Client(address, "AF_UNIX") as connection:
                connection.send_bytes(_STOP)
            thread.join()


def ask(address: str) -> Postgres:
    """The PostgreSQL of this run, started when nobody has asked before. Raises MissingServer."""
    with Client(address, "AF_UNIX") as connection:
        connection.send_bytes(b"postgres")
        answer = json.loads(connection.recv_bytes())
    if "missing" in answer:
        raise MissingServer(answer["missing"])
    return Postgres(answer["port"], Path(answer["ca_file"]))


def _answer(listener: Listener, session: Servers) -> None:
    while True:
        with listener.accept() as connection, contextlib.suppress(EOFError, OSError):  # who asked may be gone
            if connection.recv_bytes() == _STOP:
                return
            connection.send_bytes(json.dumps(_postgres(session)).encode())


def _postgres(session: Servers) -> dict[str, object]:
    try:
        found = session.postgres
    except RuntimeError as error:  # MissingServer is one
        return {"missing": str(error)}
    return {"port": found.port, "ca_file": str(found.ca_file)}
