"""How long a person waits: for ``ctihub --help``, and for the demo.

python -m tests.bench.starting
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time


def main() -> None:
    """Print medians of wall clock times."""
    print(f"ctihub --help: {_median([sys.executable, '-m', 'hub.cli', '--help'], 7):.2f} s")
    demo = _median([sys.executable, "-m", "deploy.demo", "--once", "--port", "8492"], 3)
    print(f"make demo ONCE=1, after make setup: {demo:.1f} s")


def _median(command: list[str], times: int) -> float:
    took = []
    for _ in range(times):
        began = time.monotonic()
        subprocess.run(command, capture_output=True, check=True)
        took.append(time.monotonic() - began)
    return statistics.median(took)


if __name__ == "__main__":
    main()
