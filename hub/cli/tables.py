"""Tables of text on the terminal, for commands with several of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.cli.client import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.table import Table


def count_or_dash(value: int | None) -> str:
    """Returns a number with commas; a dash for one that is not known."""
    return "-" if value is None else f"{value:,}"


def text_table(title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """Returns a table without a frame; cells are text, never markup."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", box=None)
    for name in head:
        table.add_column(name)
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    return table
