"""Kafka and PostgreSQL for a demo: ``python -m tests.servers.run COMMAND …`` runs a command that finds them.

The command gets ``CTIHUB_KAFKA_…`` and ``CTIHUB_DATABASE_URL`` in its environment and runs until it ends or Ctrl-C;
then the servers end too. Without a command the variables are printed and the servers run until Ctrl-C.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import threading

from tests.servers.java import fetch
from tests.servers.missing import MissingServer
from tests.servers.session import Servers, servers


def environment(session: Servers) -> dict[str, str]:
    """The configuration of a hub that uses these servers."""
    kafka, postgres = session.kafka, session.postgres
    return {
        "CTIHUB_KAFKA_BOOTSTRAP": kafka.bootstrap,
        "CTIHUB_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "CTIHUB_KAFKA_USERNAME": kafka.admin_username,
        "CTIHUB_KAFKA_PASSWORD": kafka.admin_password,
        "CTIHUB_KAFKA_CA_FILE": str(kafka.ca_file),
        "CTIHUB_DATABASE_URL": postgres.create_database("ctihub"),
    }


def main(command: list[str]) -> int:
    """Run ``command`` between the servers' start and end; its exit code."""
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    try:
        fetch()
        with servers() as session:
            session.begin(["kafka", "postgres"])
            found = environment(session)
            return _run(command, found) if command else _show(found)
    except MissingServer as missing:
        print(missing, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _run(command: list[str], found: dict[str, str]) -> int:
    child = subprocess.Popen(command, env=os.environ | found)
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:
            # A terminal's Ctrl-C has reached the child as well, a signal to this process has not: it ends in order.
            child.terminate()


def _show(found: dict[str, str]) -> int:
    for name, value in found.items():
        print(f"export {name}={shlex.quote(value)}", flush=True)
    threading.Event().wait()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
