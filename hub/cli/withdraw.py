"""``ctihub withdraw``: withdraws contributions, as the centre that made them."""

from __future__ import annotations

from typing import Annotated

import typer

from hub.cli.client import DEFAULT_URL, AsJson, CaFile, PatienceOption, TokenOption, Url, hub_client, print_verdicts
from hub.model.errors import WrongUsage

_IDS_AT_ONCE = 10_000

Ids = Annotated[list[str], typer.Argument(help="STIX ids; - reads them from standard input.", metavar="ID…")]


def command(
    ids: Ids,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    token: TokenOption = None,
    ca_file: CaFile = None,
    patience: PatienceOption = 60.0,
) -> None:
    """Withdraw your contributions, by the STIX ids under which you published them."""
    from connectors.sdk.verdicts import collect

    wanted = [line for name in ids for line in (_from_stdin() if name == "-" else [name])]
    if not wanted:
        raise WrongUsage("withdraw.nothing", "There is no id to withdraw.", "Name one, or pipe them in with -.")
    with hub_client(url, token, ca_file=ca_file, patience_s=patience) as client:
        receipts = [
            client.withdraw(wanted[at : at + _IDS_AT_ONCE]).status_url for at in range(0, len(wanted), _IDS_AT_ONCE)
        ]
        print_verdicts(collect(client, receipts), as_json=as_json, verb="withdrawals")


def _from_stdin() -> list[str]:
    import sys

    return [line.strip() for line in sys.stdin if line.strip()]
