"""``make bench [LONG=1]``: every measurement, one after the other, each under the command that makes it alone.

    python -m tests.bench [--long]

``--long`` adds the load of a million objects. Nothing else should run on the machine meanwhile.
"""

from __future__ import annotations

import shlex
import subprocess
import sys

COMMANDS = (
    "-m tests.bench.patterns",
    "-m tests.bench.admission",
    "-m tests.bench.ingest",
    "-m tests.bench.filling",
    "-m tests.bench.merging",
    "-m tests.bench.verifying",
    "-m tests.bench.singles",
    "-m tests.bench.latency",
    "-m tests.bench.doors",
    "-m tests.bench.looking_up --objects 1000000",
    "-m tests.bench.taxii",
    "-m tests.bench.exporting",
    "-m tests.bench.journal",
    "-m tests.bench.starting",
    "-m tests.bench.scaled",
    "-m tests.bench.latency --kafka",
    "-m tests.bench.relay",
    "-m tests.bench.locks",
)
LONG = ("-m tests.bench.ingest --objects 1000000 --repeat 1",)


def main() -> int:
    """Run them all; 1 when one missed what it must reach."""
    missed = []
    for command in COMMANDS + (LONG if "--long" in sys.argv[1:] else ()):
        print(f"\n$ python {command}", flush=True)
        if subprocess.run([sys.executable, *shlex.split(command)], check=False).returncode:
            missed.append(command)
    for command in missed:
        print(f"missed: python {command}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
