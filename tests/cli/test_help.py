"""Help, version and completion, as people know them from other commands."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hub.cli import COMMANDS, run
from tests.cli.admin import Shell
from tests.connectors.small_hub import TOKEN, SmallHub
from tests.waiting import LONG_S

Offered = Callable[..., list[str]]


@pytest.mark.parametrize("words", [["-h"], ["--help"], ["help"]])
def test_help_lists_the_commands(shell: Shell, words: list[str]) -> None:
    answer = shell(*words)
    assert answer.code == 0
    assert all(name in answer.out for name in COMMANDS)


@pytest.mark.parametrize("words", [["push", "-h"], ["push", "--help"], ["help", "push"]])
def test_help_of_a_command_shows_its_options(shell: Shell, words: list[str]) -> None:
    answer = shell(*words)
    assert answer.code == 0
    assert "--strict" in answer.out


def test_help_reaches_commands_in_commands_and_names_the_nearest(shell: Shell) -> None:
    assert "--country" in shell("help", "centre", "add").out
    answer = shell("help", "puhs")
    assert answer.code == 2
    assert "push" in answer.err


@pytest.mark.parametrize("words", [["-V"], ["--version"], ["version"]])
def test_the_version_is_printed(shell: Shell, words: list[str]) -> None:
    answer = shell(*words)
    assert (answer.code, answer.out.split()[0]) == (0, "ctihub")


def test_the_version_with_what_it_runs_on(shell: Shell) -> None:
    said = shell.done("version", "--verbose")
    assert {"ctihub", "python", "sqlite", "openssl", "pydantic"} <= set(said)
    assert said["python"] == ".".join(map(str, sys.version_info[:3]))


def test_help_of_connect_has_the_settings_of_the_named_connector(shell: Shell) -> None:
    answer = shell("connect", "csv", "--help")
    assert answer.code == 0
    assert "--state" in answer.out
    assert "mapping  required" in answer.out
    assert "mapping  required" not in shell("connect", "--help").out
    assert "page_objects  [1000]" in shell("connect", "taxii", "-h").out
    answer = shell("connect", "cvs", "--help")
    assert answer.code == 2
    assert "Did you mean csv?" in answer.err


def test_a_missing_setting_and_half_of_a_login_are_named(shell: Shell) -> None:
    assert "The connector csv needs mapping=…" in shell("connect", "csv", "path=x", "--to", "stdout").err
    err = shell("connect", "taxii", "url=https://x.example/", "user=soc", "--to", "stdout").err
    assert "user needs a password: set CTIHUB_TAXII_PASSWORD" in err


# ---------------------------------------------------------------- completion


@pytest.fixture
def offered(shell: Shell, capsys: pytest.CaptureFixture[str]) -> Offered:
    """What the shell offers for a line, whose last word is being typed."""

    def offer(*words: str) -> list[str]:
        shell.patch.setenv("_CTIHUB_COMPLETE", "complete_bash")
        shell.patch.setenv("COMP_WORDS", " ".join(["ctihub", *words]))
        shell.patch.setenv("COMP_CWORD", str(len(words)))
        capsys.readouterr()
        with pytest.raises(SystemExit):
            run([])
        for name in ("_CTIHUB_COMPLETE", "COMP_WORDS", "COMP_CWORD"):
            shell.patch.delenv(name)
        out, err = capsys.readouterr()
        assert err == ""
        return out.split()

    return offer


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script(shell: Shell, name: str) -> None:
    answer = shell("completion", name)
    assert (answer.code, answer.err) == (0, "")
    assert "_CTIHUB_COMPLETE" in answer.out
    assert "_CTIHUB_COMPLETE" not in os.environ
    assert shell("completion", "csh").code == 2


def test_the_script_works_in_bash(shell: Shell, tmp_path: Path) -> None:
    command = tmp_path / "ctihub"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m hub.cli "$@"\n')
    command.chmod(0o755)
    line = """
        eval "$(ctihub completion bash)"
        COMP_WORDS=(ctihub expl) COMP_CWORD=1
        _ctihub_completion ctihub expl ctihub
        echo "offered: ${COMPREPLY[*]}"
    """
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": root}
    found = subprocess.run(
        ["bash", "-c", line], env=environment, capture_output=True, text=True, check=True, timeout=LONG_S
    )
    assert found.stdout.strip().splitlines()[-1] == "offered: explain"


def test_names_of_the_registry_are_offered_where_they_belong(shell: Shell, offered: Offered) -> None:
    assert offered("centre", "show", "") == []
    assert not (shell.folder / "data").exists(), "a completion must not make a store"
    shell.done("centre", "add", "ro", "--country", "RO")
    shell.done("member", "add", "soc", "--accredited-by", "ro")
    assert offered("centre", "show", "") == ["ro"]
    assert offered("member", "suspend", "s") == ["soc"]
    assert offered("centre", "add", "") == []
    assert "community" in offered("collection", "show", "")
    assert "community" in offered("group", "show", "comm")
    assert offered("group", "join", "community", "") == ["ro", "soc"]
    assert offered("member", "add", "x", "--accredited-by", "") == ["ro"]
    (shell.folder / "data" / "store.sqlite").write_bytes(b"damaged")
    assert offered("centre", "show", "") == []


def test_collections_of_the_hub_are_offered(shell: Shell, offered: Offered) -> None:
    hub = SmallHub()
    shell.patch.setenv("CTIHUB_TOKEN", TOKEN)
    shell.patch.setenv("CTIHUB_URL", hub.url)
    assert offered("pull", "") == ["community"]
    assert offered("subscribe", "x") == []
    hub.stop()
    assert offered("pull", "") == []


def test_connectors_their_settings_and_values_are_offered(offered: Offered) -> None:
    assert offered("connect", "c") == ["csv"]
    assert offered("connect", "csv", "map") == ["mapping="]
    assert offered("connect", "csv", "mapping", "=", "urlhaus-") == ["urlhaus-json"], "as bash splits it"
    assert offered("connect", "csv", "mapping=urlhaus-") == ["mapping=urlhaus-json"], "as other shells do"
    assert "green" in offered("connect", "csv", "tlp", "=", "")
    assert offered("connect", "stix-file", "allow_empty", "=", "") == ["false", "true"]
    assert offered("connect", "nothing", "x") == []


def test_values_of_options_are_offered(offered: Offered) -> None:
    assert offered("centre", "set", "ro", "--naming", "a") == ["alias", "anonymous"]
    assert offered("collection", "add", "x", "--tlp", "amber+") == ["amber+strict"]
    assert offered("help", "explai") == ["explain"]
    assert "jsonl" in offered("export", "public", "--format", "j")
    assert offered("policy", "set", "gra") == ["grace"]
