"""Installing shows what is being done: in a terminal as one line that changes, elsewhere line by line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from deploy import install, progress

PIP = """
import sys
print("Collecting aiokafka")
print("  Downloading aiokafka-0.14.0.whl (1.2 MB)")
print("Requirement already satisfied: idna")
print("{last}")
sys.exit({code})
"""


def a_pip(folder: Path, last: str, code: int) -> tuple[str, ...]:
    """What takes pip's place: its lines, without a network."""
    (folder / "pip.py").write_text(PIP.format(last=last, code=code))
    return (str(folder / "pip.py"),)


def test_what_is_being_done_is_shown_and_the_end_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "EVERY_S", 0)
    installed = "Successfully installed aiokafka-0.14.0 ctihub-0.1.0 idna-3.1"
    monkeypatch.setattr(install, "PIP", a_pip(tmp_path, installed, 0))
    assert install.main("Installing the tests' tools", ["test"]) == 0
    first, *between, last = capsys.readouterr().err.splitlines()
    assert first == "Installing the tests' tools …"
    assert [line.rpartition(" s: ")[2] for line in between] == [
        "Collecting aiokafka",
        "Downloading aiokafka-0.14.0.whl (1.2 MB)",
    ]
    assert last.startswith("Installing the tests' tools: 2 new packages in ")


def test_in_a_terminal_one_line_changes(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    step = progress.Step("Fetching")
    step.at("1 of 2")
    step.at("2 of 2")
    step.done("2 jars")
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1
    assert shown.count("\r\x1b[K") == 3
    assert "Fetching: 2 jars in " in shown.splitlines()[-1]


def test_when_pip_fails_everything_that_it_said_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(install, "PIP", a_pip(tmp_path, "ERROR: No matching distribution", 1))
    assert install.main("Installing", []) == 1
    assert "ERROR: No matching distribution" in capsys.readouterr().err.splitlines()
