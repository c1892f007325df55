"""End to end on Kafka and PostgreSQL with one worker, beside the embedded hub in the same run.

    python -m tests.bench.scaled [--objects 30000] [--repeat 3]

As ``tests.bench.ingest``, with the hub's processes free to use both cores in both cases: broker and database need one.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence

from tests.bench import ingest
from tests.servers.java import fetch
from tests.servers.run import environment
from tests.servers.session import servers

LEAST = 0.5


def main(argv: Sequence[str] | None = None) -> int:
    """Print both rates and their ratio, medians of alternating runs."""
    said = argparse.ArgumentParser()
    said.add_argument("--objects", type=int, default=30_000)
    said.add_argument("--repeat", type=int, default=3)
    options = said.parse_args(argv)
    embedded, scaled = [], []
    fetch()
    for _ in range(options.repeat):
        embedded.append(ingest.run(options.objects, pin=False).rate)
        with servers() as session:
            session.begin(["kafka", "postgres"])
            scaled.append(ingest.run(options.objects, pin=False, environment=environment(session)).rate)
    one, other = statistics.median(embedded), statistics.median(scaled)
    print(
        f"ingest, {options.objects:,} objects: embedded {one:,.0f} objects/s, Kafka + PostgreSQL with one worker "
        f"{other:,.0f} objects/s, ratio {other / one:.2f}"
    )
    return 0 if other / one >= LEAST else 1


if __name__ == "__main__":
    sys.exit(main())
