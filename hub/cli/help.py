"""``ctihub help``: the help of a command."""

from __future__ import annotations

from typing import Annotated

import typer

from hub.cli import completing

Words = Annotated[
    list[str] | None,
    typer.Argument(help="The command.", metavar="[COMMAND]…", show_default=False, autocompletion=completing.commands),
]


def command(words: Words = None) -> int:
    """Show the help of a command, as ctihub COMMAND --help does: ctihub help centre add"""
    from hub import cli

    return cli.run([*(words or ()), "--help"])
