"""``ctihub`` itself: quick to start, honest about its version, every command there."""

from __future__ import annotations

import subprocess
import sys

import pytest

from hub.cli import COMMANDS, load
from tests.cli.admin import Shell

HEAVY = (
    "sqlalchemy",
    "pydantic_settings",
    "fastapi",
    "uvicorn",
    "httpx",
    "alembic",
    "structlog",
    "taxii2client",
    "aiokafka",
)


def test_help_names_every_command(shell: Shell) -> None:
    answer = shell("--help")
    assert answer.code == 0
    for name in COMMANDS:
        assert name in answer.out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_of_its_own(shell: Shell, name: str) -> None:
    answer = shell(name, "--help")
    assert answer.code == 0
    assert f"ctihub {name}" in answer.out
    assert load(name).help


def test_help_shows_the_defaults_that_stand_in_brackets(shell: Shell) -> None:
    shown = " ".join(shell("centre", "add", "--help").out.split())
    for default in ("[amber+strict]", "[amber]", "[network]", "[named]", "[100]", "[ctihub.toml]"):
        assert default in shown


@pytest.mark.parametrize("name", COMMANDS)
def test_loading_a_command_imports_nothing_heavy(name: str) -> None:
    script = f"import sys; from hub.cli import run; run([{name!r}, '--help']); print(*sys.modules, file=sys.stderr)"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not [each for each in HEAVY if each in ran.stderr.split()]


def test_version_prints_one_line(shell: Shell) -> None:
    answer = shell("--version")
    assert answer.code == 0
    assert answer.out.startswith("ctihub ")


def test_a_reader_that_goes_away_is_no_error() -> None:
    script = "import sys; from hub.cli import main; main(['--help'])"
    command = f'{sys.executable} -c "{script}" | true'
    ran = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)
    assert "Traceback" not in ran.stderr
