"""``ctihub explain``: why the hub shows what it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.client import DEFAULT_URL, AsJson, CaFile, Token, Url, hub_client, print_json, printable
from hub.model.errors import NotFound

if TYPE_CHECKING:
    from rich.console import Console

    from schemas.api import ExplainedThing, ExplainedView

Asked = Annotated[str, typer.Argument(help="A STIX id, a value (198.51.100.7), or a pattern.", metavar="ID|VALUE")]


def command(
    asked: Asked, as_json: AsJson = False, url: Url = DEFAULT_URL, token: Token = None, ca_file: CaFile = None
) -> None:
    """Show what stands behind a thing: the claims that you may see, how they were merged, and the versions."""
    with hub_client(url, token, needs_token=False, ca_file=ca_file, patience_s=5.0) as client:
        explanation = client.explain(asked)
    if as_json:
        print_json(explanation.model_dump())
        return
    if not explanation.things:
        raise NotFound("explain.nothing", f"The hub shows you nothing about {printable(asked)}.", "Check the spelling.")
    from rich.console import Console

    console = Console(highlight=False)
    for thing in explanation.things:
        _print_thing(console, thing)


def _print_thing(console: Console, thing: ExplainedThing) -> None:
    from rich.text import Text

    console.print(Text(printable(thing.text), style="bold"))
    console.print(Text(f"{thing.type}, key {thing.key}", style="dim"))
    for view in thing.views:
        _print_view(console, view)
    console.print()


def _print_view(console: Console, view: ExplainedView) -> None:
    from rich.table import Table
    from rich.text import Text

    head = f"{view.collection}: {view.state}"
    if view.id:
        head += f", {view.id}, change {view.seq}, version {view.version or '-'}"
    console.print(Text(printable(head), style="cyan"))
    if view.confidence is not None:
        how = f" = {view.how}" if view.how else ""
        console.print(Text(printable(f"  confidence {view.confidence}{how} ({view.voices} voices)")))
    table = Table("centre", "TLP", "confidence", "created", "modified", "state", "id", box=None, pad_edge=True)
    for claim in view.claims:
        cells = (
            claim.centre,
            claim.level,
            "-" if claim.confidence is None else claim.confidence,
            claim.created or "-",
            claim.modified or "-",
            claim.state,
            claim.id or "",
        )
        table.add_row(*(Text(printable(cell)) for cell in cells))
    console.print(table)
