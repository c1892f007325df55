"""``ctihub receipt``: what has become of earlier pushes."""

from __future__ import annotations

from typing import Annotated

import typer

from hub.cli.client import (
    DEFAULT_URL,
    AsJson,
    CaFile,
    PatienceOption,
    TokenOption,
    Url,
    hub_client,
    print_verdicts,
    say,
)
from hub.cli.problems import ShowAll

Receipts = Annotated[list[str], typer.Argument(help="Receipts, or their addresses.", metavar="RECEIPT…")]
Wait = Annotated[bool, typer.Option("--wait", help="Wait until all are complete, ten minutes at most.")]


def command(
    receipts: Receipts,
    wait: Wait = False,
    show_all: ShowAll = False,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    token: TokenOption = None,
    ca_file: CaFile = None,
    patience: PatienceOption = 60.0,
) -> None:
    """Show the verdicts on what you pushed: the counts, and what is wrong by code."""
    from urllib.parse import quote

    from connectors.sdk.own_pages import more_problems
    from connectors.sdk.verdicts import WITHIN_S, Verdicts

    verdicts, pending = Verdicts(), 0
    with hub_client(url, token, ca_file=ca_file, patience_s=patience) as client:
        for said in receipts:
            address = said if "/v1/" in said else f"/v1/receipts/{quote(said.strip(), safe='')}"
            found = client.completed(address, within_s=WITHIN_S) if wait else client.receipt(address)
            pending += found.state == "pending"
            verdicts.add(found, address, more_problems(client, found) if as_json or show_all else None)
    print_verdicts(verdicts, as_json=as_json, with_unchanged=True, show_all=show_all)
    if pending:
        say(f"{pending:,} of {len(receipts):,} pending: not all is processed yet; --wait waits for that.")
