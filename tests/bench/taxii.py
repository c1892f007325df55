"""TAXII 2.1 against OpenTAXII, medallion and the hub's own server with prebuilt bytes, all in one run.

    python -m tests.bench.taxii [--objects 50000] [--many 1000000] [--only PART ...] [--json]

The peers are installed at the first run, into build/bench-peers. Every target is a ratio of two figures of the same
run, taken in turns; exits with 1 when one is missed.
"""

from __future__ import annotations

import argparse
import sys

from tests.bench import taxii_reading, taxii_writing
from tests.bench.taxii_figures import Figures

PARTS = {
    "bundles": taxii_writing.measure_bundles,
    "singles": taxii_writing.measure_singles,
    "missed": taxii_writing.measure_missed,
    "ingest": taxii_writing.measure_ingest,
}


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=50_000)
    parser.add_argument("--many", type=int, default=1_000_000, help="objects of the larger collection [1000000]")
    parser.add_argument("--only", nargs="+", choices=("pages", *PARTS), default=("pages", *PARTS))
    parser.add_argument("--json", action="store_true")
    said = parser.parse_args()
    figures = Figures(as_json=said.json)
    if "pages" in said.only:
        taxii_reading.measure(figures, said.objects, said.many)
    for name, measure in PARTS.items():
        if name in said.only:
            measure(figures)
    return figures.end()


if __name__ == "__main__":
    sys.exit(main())
