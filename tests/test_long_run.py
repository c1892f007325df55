"""A long run tries properties in rounds until its time is over, and says how to repeat a round that fails.

Each run is a process of its own, because how many examples are tried is read when tests are imported.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SUITE = """
from hypothesis import given, settings, strategies as st

@settings(max_examples=3, database=None)
@given(st.integers(0, 2**64))
def test_fails_at_last(number):
    print(number)
    assert number % 499 != 7

def test_is_no_property():
    raise AssertionError
"""


def ran(folder: Path, **environment: str) -> str:
    """What is printed by a run of these tests."""
    (folder / "test_some.py").write_text(SUITE)
    command = [sys.executable, "-m", "pytest", "-p", "tests.long_run", "-p", "_hypothesis_pytestplugin"]
    done = subprocess.run(
        [*command, f"--rootdir={folder}", "test_some.py"], cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **environment},
    )  # fmt: skip
    return done.stdout


def test_a_property_is_tried_until_it_fails_and_that_round_can_be_repeated(tmp_path: Path) -> None:
    found = ran(tmp_path, CTIHUB_TEST_MINUTES="10")
    assert "1 failed, 1 deselected" in found
    numbers = re.findall(r"^\d+$", found, re.MULTILINE)
    told = re.search(r"CTIHUB_TEST_SEED=(\d+) python -m pytest 'test_some.py::test_fails_at_last'", found)
    assert told is not None
    again = ran(tmp_path, CTIHUB_TEST_SEED=told[1])
    assert "1 failed, 1 deselected" in again
    repeated = re.findall(r"^\d+$", again, re.MULTILINE)
    assert len(numbers) > len(repeated) > 0
    assert numbers[-len(repeated) :] == repeated
