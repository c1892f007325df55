"""``ctihub explain``: shows where objects come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.client import DEFAULT_URL, AsJson, CaFile, TokenOption, Url, console, hub_client, print_json, printable
from hub.model.errors import NotFound

if TYPE_CHECKING:
    from rich.console import Console

    from schemas.api import ExplainedThing, ExplainedView

Asked = Annotated[str, typer.Argument(help="A STIX id, a value (198.51.100.7), or a pattern.", metavar="ID|VALUE")]


def command(
    asked: Asked, as_json: AsJson = False, url: Url = DEFAULT_URL, token: TokenOption = None, ca_file: CaFile = None
) -> None:
    """Show where a thing comes from: the claims that you may see, how they were merged, and the versions."""
    with hub_client(url, token, needs_token=False, ca_file=ca_file, patience_s=5.0) as client:
        explanation = client.explain(asked)
    if as_json:
        print_json(explanation.model_dump())
        return
    if not explanation.things:
        raise NotFound("explain.nothing", f"The hub shows you nothing about {printable(asked)}.")
    screen = console()
    for thing in explanation.things:
        _print_thing(screen, thing)


def _print_thing(screen: Console, thing: ExplainedThing) -> None:
    from rich.text import Text

    screen.print(Text(printable(thing.text), style="bold"), soft_wrap=True)
    screen.print(Text(thing.type if thing.key is None else f"{thing.type}, key {thing.key}", style="dim"))
    for view in thing.views:
        _print_view(screen, view)
    screen.print()


def _print_view(screen: Console, view: ExplainedView) -> None:
    from rich.table import Table
    from rich.text import Text

    head = f"{view.collection}: {view.state}"
    if view.id:
        head += f", {view.id}, change {view.seq}, version {view.version or '-'}"
    screen.print(Text(printable(head), style="cyan"), soft_wrap=True)
    if view.confidence is not None:
        how = "" if view.how in ("", str(view.confidence)) else f" = {view.how}"
        screen.print(Text(printable(f"  confidence {view.confidence}{how} (voices: {view.voices})")))
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
    screen.print(table)
    if view.feedback:
        _print_feedback(screen, view)


def _print_feedback(screen: Console, view: ExplainedView) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table("feedback", "from", "TLP", "count", "last seen", "modified", "text", box=None, pad_edge=True)
    for one in view.feedback:
        cells = (
            one.kind,
            one.source,
            one.level,
            "-" if one.count is None else one.count,
            one.last_seen or "-",
            one.modified or "-",
            one.text or "",
        )
        table.add_row(*(Text(printable(cell)) for cell in cells))
    screen.print(table)
