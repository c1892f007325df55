"""The operator's command line, run in this process on a fresh data folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hub.cli import run


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What ``--json`` printed: one document."""
        return json.loads(self.out)


class Shell:
    """A terminal of its own: environment, data folder, and what was printed."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.patch = patch
        self._capture = capture
        patch.chdir(folder)
        patch.setenv("CTIHUB_DATA_DIR", str(folder / "data"))

    def __call__(self, *words: str) -> Answer:
        """Run a command."""
        self._capture.readouterr()
        code = run(words)
        printed = self._capture.readouterr()
        return Answer(code, printed.out, printed.err)

    def done(self, *words: str) -> Any:
        """Run a command that must end with 0, with ``--json``; what it printed."""
        answer = self(*words, "--json")
        assert (answer.code, answer.err) == (0, ""), answer
        return answer.json
