"""What the files of ``deploy/`` and its pages name exists: options, commands with their options, files, connectors."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from connectors.sdk import catalogue
from hub.cli import COMMANDS, load_command
from hub.config import BESIDES, Config
from tests.deploy.files import DEPLOY, VARIABLE, compose, texts
from tests.servers.java import PROJECT

PAGES = [(path, path.read_text("utf-8")) for path in (PROJECT / "docs/deploying.md", DEPLOY / "README.md")]
FOR_THE_STACK = {"VERSION"}
"""What follows ``CTIHUB_`` in ``compose.yaml`` and is for the stack, not the hub."""
OPTIONS = {name.upper() for name in Config.model_fields} | BESIDES


def variables() -> Iterator[tuple[str, str]]:
    for path, text in [*texts(), *PAGES]:
        allowed = FOR_THE_STACK if path.name == "compose.yaml" else set()
        yield from ((path.name, name) for name in VARIABLE.findall(text) if name not in allowed)


def test_every_variable_is_an_option_of_the_hub() -> None:
    found = list(variables())
    assert len(found) > 20
    assert {(where, name) for where, name in found if name not in OPTIONS} == set()


# ---------------------------------------------------------------- commands


def commands() -> Iterator[tuple[str, list[str]]]:
    """(where, words after ``ctihub``) of every command in the stack, the units, the scripts and the pages."""
    for name, service in compose()["services"].items():
        if str(service["image"]).startswith("ctihub:") and "command" in service:
            yield f"compose {name}", [str(word) for word in service["command"]]
    for path in (DEPLOY / "systemd").glob("*.service"):
        line = re.search(r"^ExecStart=\S+/ctihub (.*)$", path.read_text("utf-8"), re.MULTILINE)
        assert line is not None, path
        yield path.name, shlex.split(line[1])
    for path in (DEPLOY / "helm/ctihub/templates").glob("*"):
        for args in re.findall(r"^\s+args: (\[.*\])$", path.read_text("utf-8"), re.MULTILINE):
            yield path.name, [str(word) for word in yaml.safe_load(re.sub(r"\{\{.*?\}\}", "worker", args))]
    for path, text in [*texts(), *PAGES]:
        if path.suffix in (".sh", ".md", ".txt"):
            yield from ((path.name, words) for words in _in_text(text))


def _in_text(text: str) -> Iterator[list[str]]:
    joined = text.replace("\\\n", " ")
    for line in re.findall(r"(?:^|[ `/(-])ctihub ([a-z][^`\n|>#;)]*)", joined, flags=re.MULTILINE):
        words = shlex.split(line.replace("$", "").replace("…", "").replace('"', "").replace("'", ""))
        if words[0] in COMMANDS:
            yield words


def known(words: list[str]) -> None:
    """Fail when there is no such command, or it has no such option."""
    command: Any = load_command(words[0])
    rest = words[1:]
    while getattr(command, "commands", None) and rest and rest[0].isalpha():
        if rest[0] in command.commands:
            command = command.commands[rest[0]]
        elif rest[0] not in ("kind", "1"):  # a variable of a script
            raise AssertionError(f"no command {rest[0]}")
        rest = rest[1:]
    options = {name for param in command.params for name in (*param.opts, *param.secondary_opts)} | {"--help"}
    said = {word.split("=")[0] for word in rest if word.startswith("--")}
    if not getattr(command, "commands", None):
        assert said <= options, f"{words}: {said - options}"


def test_there_are_commands_to_look_at() -> None:
    where = {place for place, _ in commands()}
    assert {"compose worker", "compose connector", "ctihub.service", "provision.sh", "provision.yaml"} <= where
    assert {"deploying.md", "NOTES.txt"} <= where


@pytest.mark.parametrize(("where", "words"), list(commands()))
def test_every_command_exists_with_its_options(where: str, words: list[str]) -> None:
    known(words)


@pytest.mark.parametrize(
    "wrong", [["serve", "--rol", "worker"], ["centre", "create", "ro"], ["doctor", "--repair"]], ids=lambda w: w[0]
)
def test_a_command_that_is_none_would_be_found(wrong: list[str]) -> None:
    with pytest.raises(AssertionError):
        known(wrong)


def test_the_connector_of_the_stack_exists_and_takes_its_settings() -> None:
    command = compose()["services"]["connector"]["command"]
    settings = dict(word.split("=", 1) for word in command if re.fullmatch(r"[a-z_]+=.*", word))
    catalogue.make(command[1], settings)
    mount = next(one for one in compose()["services"]["connector"]["volumes"] if one.split(":")[1] == "/feed")
    assert (DEPLOY / mount.split(":")[0] / Path(settings["path"]).relative_to("/feed")).is_file()


def test_the_readme_tells_of_every_folder() -> None:
    text = (DEPLOY / "README.md").read_text("utf-8")
    for path in DEPLOY.iterdir():
        if path.name != "README.md" and not path.name.startswith((".", "_")):
            assert f"`{path.name}" in text, path.name


def test_the_pages_name_files_that_are_there() -> None:
    for page, text in PAGES:
        for named in re.findall(r"\b(deploy/[\w./@-]+[\w])", text):
            if "secrets" not in named:
                assert (PROJECT / named).exists() or list(PROJECT.glob(named + "*")), f"{page.name}: {named}"
