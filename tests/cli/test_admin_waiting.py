"""Administration while another process writes: who only reads does not wait, who must wait says so."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.waiting import WITHIN_S


def _command(folder: Path, *words: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "CTIHUB_DATA_DIR": str(folder)}
    return subprocess.Popen(
        [sys.executable, "-m", "hub.cli", *words], env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


@contextlib.contextmanager
def _another_writer(folder: Path) -> Iterator[sqlite3.Connection]:
    """Hold the write lock of the store."""
    with contextlib.closing(sqlite3.connect(folder / "store.sqlite", isolation_level=None)) as connection:
        connection.execute("begin immediate")
        yield connection


def test_who_only_reads_waits_for_nobody_and_who_writes_says_that_it_waits(tmp_path: Path) -> None:
    made = _command(tmp_path, "group", "add", "one")
    made.communicate(timeout=WITHIN_S)
    assert made.returncode == 0
    with _another_writer(tmp_path) as other:
        reading = _command(tmp_path, "group", "list")
        shown, _ = reading.communicate(timeout=WITHIN_S)
        assert reading.returncode == 0
        assert "one" in shown
        with _command(tmp_path, "group", "add", "two") as writing:
            assert writing.stderr is not None
            said = writing.stderr.readline()
            other.execute("rollback")
            assert writing.wait(WITHIN_S) == 0
    assert said == "Waiting for its turn: another process is writing to the store.\n"
