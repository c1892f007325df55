"""``ctihub sighting``: reports what a source has seen."""

from __future__ import annotations

from typing import Annotated

import typer

from hub.cli.client import DEFAULT_URL, AsJson, CaFile, PatienceOption, TokenOption, Url, hub_client
from hub.cli.reporting import Kind, Tlp, What, named, report

Times = Annotated[int, typer.Option("--count", min=1, help="How often.")]
FirstSeen = Annotated[str | None, typer.Option("--first-seen", metavar="TIME", help="Such as 2026-01-31T12:00:00Z.")]
LastSeen = Annotated[str | None, typer.Option("--last-seen", metavar="TIME", help="Such as 2026-01-31T12:00:00Z.")]
Note = Annotated[str | None, typer.Option("--note", metavar="TEXT", help="Free text, shown to whoever may see it.")]


def command(
    what: What,
    count: Times = 1,
    first_seen: FirstSeen = None,
    last_seen: LastSeen = None,
    note: Note = None,
    kind: Kind = None,
    tlp: Tlp = None,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    token: TokenOption = None,
    ca_file: CaFile = None,
    patience: PatienceOption = 60.0,
) -> None:
    """Say that you have seen things. A later sighting of the same thing replaces yours."""
    more = {"count": count, "first_seen": first_seen, "last_seen": last_seen, "note": note}
    with hub_client(url, token, ca_file=ca_file, patience_s=patience) as client:
        report(client, "sightings", named(what, kind, tlp), more, as_json=as_json)
