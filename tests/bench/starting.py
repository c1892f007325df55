"""How long a person waits: for ``ctihub --help``, and for the demo.

python -m tests.bench.starting
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

MOST_HELP_S = 0.5
MOST_DEMO_S = 30


def main() -> int:
    """Print medians of wall clock times; 1 when one is too long."""
    told = _median([sys.executable, "-m", "hub.cli", "--help"], 7)
    print(f"ctihub --help: {told:.2f} s")
    demo = _median([sys.executable, "-m", "deploy.demo", "--once", "--port", "8492"], 3)
    print(f"make demo ONCE=1, after make setup: {demo:.1f} s")
    return 0 if told < MOST_HELP_S and demo < MOST_DEMO_S else 1


def _median(command: list[str], times: int) -> float:
    took = []
    for _ in range(times):
        began = time.monotonic()
        subprocess.run(command, capture_output=True, check=True)
        took.append(time.monotonic() - began)
    return statistics.median(took)


if __name__ == "__main__":
    sys.exit(main())
