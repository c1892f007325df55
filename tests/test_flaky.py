"""Where failures are run once more, what only then passes is named and counted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SUITE = """
from pathlib import Path

def test_passes():
    pass

def test_passes_at_the_second_attempt():
    been_here = Path(__file__).with_name("been here")
    first = not been_here.exists()
    been_here.touch()
    assert not first
"""
PLUGINS = ("-p", "tests.flaky", "-p", "pytest_rerunfailures", "-p", "xdist.plugin")


def ran(folder: Path, suite: str) -> tuple[int, list[str]]:
    """Run these tests in a process of their own as ``make test`` does; the exit code and what was printed."""
    file = folder / "test_some.py"
    file.write_text(suite)
    command = [sys.executable, "-m", "pytest", *PLUGINS, "-n", "1", "--reruns", "1", f"--rootdir={folder}", str(file)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.splitlines()


def test_a_test_that_fails_and_then_passes_is_named_and_counted(tmp_path: Path) -> None:
    code, printed = ran(tmp_path, SUITE)
    assert code == 0
    assert "flaky: test_some.py::test_passes_at_the_second_attempt failed, and passed when it was run again" in printed
    assert "E       assert not True" in printed
    assert "2 passed, " in printed[-2]
    assert ", 1 rerun in " in printed[-2]
    assert printed[-1] == "2 passed, 0 failed, flaky: 1"


def test_what_fails_again_fails_and_is_not_called_flaky(tmp_path: Path) -> None:
    code, printed = ran(tmp_path, SUITE + "\ndef test_fails():\n    raise AssertionError\n")
    assert code == 1
    assert printed[-1] == "2 passed, 1 failed, flaky: 1"
