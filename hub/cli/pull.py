"""``ctihub pull``: fetches the new objects of a collection over TAXII 2.1."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli import completing
from hub.cli.client import DEFAULT_URL, CaFile, PatienceOption, TokenOption, Url, require_token, say, speaking
from hub.model.errors import NotFound

if TYPE_CHECKING:
    from connectors.sdk.checkpoints import Checkpoints
    from connectors.taxii.reader import Readable, TaxiiReader

Collection = Annotated[str, typer.Argument(help="The collection's name.", autocompletion=completing.readable)]
State = Annotated[
    Path | None, typer.Option("--state", metavar="FILE", help="Stores the position; the next pull continues there.")
]
PageObjects = Annotated[int, typer.Option("--page", min=1, max=10_000, help="How many objects to ask for at once.")]
Versions = Annotated[bool, typer.Option("--all-versions", help="Every version of an object, not only the newest.")]


def command(
    collection: Collection,
    state: State = None,
    page: PageObjects = 1_000,
    all_versions: Versions = False,
    url: Url = DEFAULT_URL,
    token: TokenOption = None,
    ca_file: CaFile = None,
    patience: PatienceOption = 60.0,
) -> None:
    """Print a collection's objects, one JSON line each; with --state only those that are new since the last pull.

    A withdrawn indicator has a last version with revoked: true.
    """
    with speaking():
        from connectors.sdk.checkpoints import CheckpointFile, NoCheckpoints
        from connectors.sdk.client import checked_url, request_headers
        from connectors.taxii.reader import ServerAccess, TaxiiReader

        bearer = request_headers(require_token(token))["Authorization"]
        access = ServerAccess(f"{checked_url(url)}/taxii2/", bearer, ca_file, patience_s=patience, keep_host=True)
        reader = TaxiiReader(access, notify=say)
        kept = CheckpointFile(state, connector=f"pull {collection}") if state else NoCheckpoints()
        try:
            filters = {"limit": page, "version": "all" if all_versions else None}
            count = _print_new(reader, _found(reader, collection), kept, filters)
        finally:
            reader.close()
    say(f"{count:,} objects.")


def _found(reader: TaxiiReader, collection: str) -> Readable:
    readable = reader.collections()
    for one in readable:
        if collection in (one.title, one.id):
            return one
    there = ", ".join(one.title for one in readable) or "none"
    raise NotFound("collection.unknown", f"You may read no collection {collection}.", f"You may read: {there}.")


def _print_new(reader: TaxiiReader, collection: Readable, kept: Checkpoints, filters: dict[str, Any]) -> int:
    """Print page by page. The position is stored after a page has been written to stdout completely."""
    from connectors.sdk.output import write_lines
    from connectors.taxii.reader import Position

    count, out = 0, sys.stdout.buffer
    for page in reader.pages(collection.url, Position.of(kept.load()), **filters):
        count += write_lines(out, page.objects)
        kept.save(page.position.as_json())
    return count
