"""Fixtures of the command line's tests."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import logs
from tests.cli.admin import Shell


@pytest.fixture(autouse=True)
def nothing_of_the_hub_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have a hub of their own."""
    for name in [each for each in os.environ if each.startswith("CTIHUB_")]:
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def logs_as_they_were() -> Iterator[None]:
    """``serve`` sends the logs of the process to what is standard error just then."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before
    logs.plain()


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """A terminal with a fresh data folder."""
    return Shell(tmp_path, monkeypatch, capsys)
