"""``ctihub pin``: decides whose an id is that several authors claim."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli import show
from hub.cli.admin import AsJson, ConfigFile, administer
from hub.model.errors import WrongUsage

if TYPE_CHECKING:
    from hub.registry.pins import Pin

Id = Annotated[
    str | None, typer.Argument(help="A STIX id that several authors claim.", metavar="[ID]", show_default=False)
]
Author = Annotated[
    str | None,
    typer.Option(
        "--author", metavar="IDENTITY|CENTRE", help="Whose claims come first: an identity, or a centre by its name.",
        show_default=False,
    ),
]  # fmt: skip
COLUMNS = ("id", "author", "centre")


def command(id_: Id = None, author: Author = None, as_json: AsJson = False, config: ConfigFile = None) -> None:
    """Let an author come first under an id, wherever its claim is visible. Without arguments: list what is pinned."""
    if id_ is None and author is None:
        found = administer(config, lambda registry: registry.pins.all())
        show.listing([row_of(each) for each in found], COLUMNS, as_json=as_json, nothing="No id is pinned.")
        return
    if id_ is None or author is None:
        raise WrongUsage("pin.which", "A pin needs an id and an author.", "ctihub pin ID --author IDENTITY")
    pin = administer(config, lambda registry: registry.pins.add(id_, author))
    done = f"{pin.id} is pinned to {pin.source or pin.author}"
    show.one(row_of(pin), as_json=as_json, done=done, then=[f"ctihub explain {pin.id}"])


def row_of(pin: Pin) -> show.JsonRow:
    """Returns a pin as a JSON row."""
    return {"id": pin.id, "author": pin.author, "centre": pin.source}
