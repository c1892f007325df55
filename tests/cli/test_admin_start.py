"""``ctihub`` itself: quick to start, honest about its version, every command there."""

from __future__ import annotations

import subprocess
import sys

import pytest

from hub.cli import COMMANDS, load_command
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
LOADING = """
import sys
from hub.cli import COMMANDS, run
for name in COMMANDS:
    run([name, "--help"])
    print(f"{name}:", *sys.modules, file=sys.stderr)
"""


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
    assert load_command(name).help


def test_help_shows_the_defaults_that_stand_in_brackets(shell: Shell) -> None:
    shown = " ".join(shell("centre", "add", "--help").out.split())
    for default in ("[amber+strict]", "[amber]", "[network]", "[named]", "[100]", "[ctihub.toml]"):
        assert default in shown


def test_loading_any_command_imports_nothing_heavy() -> None:
    """In one interpreter: what one command imports another does not take away."""
    ran = subprocess.run([sys.executable, "-c", LOADING], capture_output=True, text=True, check=True)
    heavy = {name: sorted(set(HEAVY) & set(found.split())) for name, found in map(_told, ran.stderr.splitlines())}
    assert heavy == {name: [] for name in COMMANDS}


def _told(line: str) -> tuple[str, str]:
    name, _, found = line.partition(": ")
    return name, found


def test_version_prints_one_line(shell: Shell) -> None:
    answer = shell("--version")
    assert answer.code == 0
    assert answer.out.startswith("ctihub ")


def test_a_reader_that_goes_away_is_no_error() -> None:
    script = "import sys; from hub.cli import main; main(['--help'])"
    command = f'{sys.executable} -c "{script}" | true'
    ran = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)
    assert "Traceback" not in ran.stderr
