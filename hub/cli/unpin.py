"""``ctihub unpin``: lets the usual rule decide again whose an id is."""

from __future__ import annotations

from typing import Annotated

import typer

from hub.cli import show
from hub.cli.admin import AsJson, ConfigFile, administer


def command(
    id_: Annotated[str, typer.Argument(help="A pinned STIX id.", metavar="ID", show_default=False)],
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Let the usual rule decide again who comes first under an id."""
    administer(config, lambda registry: registry.pins.remove(id_))
    show.one({"id": id_}, as_json=as_json, done=f"{id_} is no longer pinned")
