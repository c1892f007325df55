"""The table of invariants in docs/semantics.md names the tests that hold each of them."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
_ROW = re.compile(r"^\| (INV-\d+) \|.*\| ([^|]+) \|$", re.MULTILINE)


def test_every_invariant_is_held_by_tests_that_there_are() -> None:
    rows = dict(_ROW.findall((ROOT / "docs" / "semantics.md").read_text()))
    assert list(rows) == [f"INV-{number}" for number in range(1, 20)]
    for name, held_by in rows.items():
        paths = re.findall(r"`([^`]+)`", held_by)
        assert paths, name
        for path in paths:
            found = ROOT / path if "/" in path else ROOT / "tests" / "promises" / path
            assert found.exists(), (name, path)
