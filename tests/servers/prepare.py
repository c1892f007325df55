"""Fetch Kafka and archive its classes, so that each broker starts in half the time.

Call it as ``python -m tests.servers.prepare``.
"""

from __future__ import annotations

import sys

from deploy.progress import Step
from tests.servers import java
from tests.servers.missing import MissingServer
from tests.servers.session import servers


def main() -> None:
    """Fetch the jars and start one broker, which writes the archive as it ends."""
    try:
        java.fetch()
        if not java.archive().exists():
            step = Step("Starting Kafka once to archive its classes")
            with servers() as session:
                session.kafka.wipe()  # so that it loads what administrators and clients need too
            step.done()
    except (MissingServer, RuntimeError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
