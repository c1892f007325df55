"""Every command and every option stands in ``docs/``, as it is."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from hub.cli import COMMANDS
from hub.cli.reference import pages
from hub.config import Config, options

ROOT = Path(__file__).parents[2]
CONFIGURATION = (ROOT / "docs/configuration.md").read_text("utf-8")
EXAMPLE = (ROOT / "ctihub.toml.example").read_text("utf-8")


@pytest.mark.parametrize("option", list(options()), ids=lambda option: option.name)
def test_every_option_stands_in_the_table_with_its_default(option: object) -> None:
    said = next(each for each in options() if each == option)
    assert f"| `{said.name}` | {said.default} | {said.says} |" in CONFIGURATION


def test_the_table_has_no_option_that_is_none() -> None:
    table = [line.split("`")[1] for line in CONFIGURATION.splitlines() if line.startswith("| `")]
    assert table == [option.name for option in options()]


def test_the_reference_of_commands_is_fresh() -> None:
    written = (ROOT / "docs/commands.md").read_text("utf-8")
    assert written == pages(), "run make docs"


def test_every_command_is_in_the_reference() -> None:
    written = (ROOT / "docs/commands.md").read_text("utf-8")
    for name in COMMANDS:
        assert f"### `ctihub {name}" in written


def test_the_example_has_every_option_commented_out_and_is_taken_as_it_is(tmp_path: Path) -> None:
    assert tomllib.loads(EXAMPLE) == {}
    lines = [line.removeprefix("# ") for line in EXAMPLE.splitlines() if " = " in line]
    values = tomllib.loads("\n".join(lines))
    assert list(values) == [option.name for option in options()]
    config = Config(**{name.lower(): value for name, value in values.items()})
    assert config.http_port == 8480
    for name in (
        "data_dir",
        "http_host",
        "max_object_bytes",
        "max_push_bytes",
        "max_future",
        "page_bytes",
        "held_lists",
    ):
        assert getattr(config, name) == getattr(Config(), name), name
