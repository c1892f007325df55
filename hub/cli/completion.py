"""``ctihub completion``: the script with which a shell completes commands, names and values."""

from __future__ import annotations

import contextlib
import os
from enum import StrEnum
from typing import Annotated

import typer

_VARIABLE = "_CTIHUB_COMPLETE"


class Shell(StrEnum):
    """The shells for which there is a script."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def command(shell: Annotated[Shell, typer.Argument(help="The shell.", metavar="bash|zsh|fish")]) -> None:
    """Print the completion script of a shell, for its start-up file: eval "$(ctihub completion bash)"

    For fish: ctihub completion fish > ~/.config/fish/completions/ctihub.fish
    """
    from hub import cli

    before = os.environ.get(_VARIABLE)
    os.environ[_VARIABLE] = f"source_{shell.value}"
    try:
        with contextlib.suppress(SystemExit):  # the library ends the process when the script is printed
            cli.run([])
    finally:
        if before is None:
            del os.environ[_VARIABLE]
        else:
            os.environ[_VARIABLE] = before
