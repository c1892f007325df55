"""``ctihub feedback``: reports what a source thinks of things that are shown."""

from __future__ import annotations

from typing import Annotated

import typer

from hub.cli import completing
from hub.cli.client import DEFAULT_URL, AsJson, CaFile, PatienceOption, TokenOption, Url, hub_client
from hub.cli.reporting import Kind, Tlp, What, named, report

VerdictOption = Annotated[
    str,
    typer.Option(
        "--verdict",
        metavar="VERDICT",
        autocompletion=completing.words("false-positive", "confirmed", "outdated"),
        help="false-positive, confirmed or outdated.",
    ),
]
Reason = Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why; shown to whoever may see it.")]


def command(
    what: What,
    verdict: VerdictOption,
    reason: Reason = None,
    kind: Kind = None,
    tlp: Tlp = None,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    token: TokenOption = None,
    ca_file: CaFile = None,
    patience: PatienceOption = 60.0,
) -> None:
    """Say whether things are false positives, confirmed or outdated. A later verdict on a thing replaces yours."""
    with hub_client(url, token, ca_file=ca_file, patience_s=patience) as client:
        report(client, "verdicts", named(what, kind, tlp), {"verdict": verdict, "reason": reason}, as_json=as_json)
