"""Prints rows of plain JSON values, as tables or as JSON."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hub.cli.client import print_json, printable

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

JsonRow = Mapping[str, Any]

_PIPE_WIDTH = 160


def listing(rows: Sequence[JsonRow], columns: Sequence[str], *, as_json: bool, nothing: str) -> None:
    """Print all rows as one JSON array, or these columns as a table; ``nothing`` is printed if there are none."""
    if as_json:
        print_json(list(rows))
        return
    if not rows:
        print(nothing)
        return
    from rich import box
    from rich.table import Table

    table = Table(box=box.ROUNDED, header_style="bold cyan", border_style="dim", row_styles=["", "dim"])
    for number, column in enumerate(columns):
        table.add_column(_title(column), style="bold" if number == 0 else "", overflow="fold", no_wrap=column == "id")
    for row in rows:
        table.add_row(*(_text(row[column]) for column in columns))
    _console().print(table)


def one(row: JsonRow, *, as_json: bool, done: str = "", then: Sequence[str] = (), token: str | None = None) -> None:
    """Print one row, as a JSON object that includes the token, or as a panel with what to do next.

    ``done`` is a sentence about what was done; ``then`` are command lines or sentences.
    """
    if as_json:
        print_json({**row, "token": token} if token is not None else dict(row))
        return
    from rich.console import Group
    from rich.panel import Panel

    parts: list[RenderableType] = [_properties(row)]
    if token is not None:
        parts += ["", _token(token)]
    title = _text(done or str(row.get("name", "")))
    title.stylize("bold")
    console = _console()
    console.print(
        Panel(Group(*parts), title=title, title_align="left", border_style="cyan", padding=(1, 2), expand=False)
    )
    for line in _lines(then):  # outside the frame and not wrapped, so that they can be copied
        console.print(line, soft_wrap=True)


def _properties(row: JsonRow) -> RenderableType:
    from rich.table import Table

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="cyan", no_wrap=True)
    grid.add_column(overflow="fold")
    for key, value in row.items():
        if value not in (None, [], ""):
            grid.add_row(_title(key), _text(value))
    return grid


def _token(token: str) -> RenderableType:
    from rich.text import Text

    return Text.assemble(
        ("token  ", "cyan"), (token, "bold green"), ("\nIt is shown this once: keep it now.", "yellow")
    )


def _lines(then: Sequence[str]) -> list[Text]:
    from rich.text import Text

    return [Text(f"  {line}", style="dim" if line.startswith("#") else "") for line in then]


def _title(key: str) -> str:
    return key.replace("_", " ")


def _text(value: object) -> Text:
    from rich.text import Text

    match value:
        case None:
            said = "-"
        case bool():
            said = "yes" if value else "no"
        case list() | tuple():
            said = ", ".join(map(str, value)) or "-"
        case _:
            said = str(value)
    return Text(printable(said))


def _console() -> Any:
    from rich.console import Console

    # a pipe has no width, and wrapped ids would be useless
    return Console(highlight=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)
