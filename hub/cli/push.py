"""``ctihub push``: publishes STIX as a centre, or as a member."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.client import (
    DEFAULT_URL,
    AsJson,
    CaFile,
    PatienceOption,
    RetryMessages,
    TokenOption,
    Url,
    hub_client,
    print_json,
    print_verdicts,
    verdicts_on,
)
from hub.cli.problems import ShowAll
from hub.model.errors import Refused

if TYPE_CHECKING:
    from connectors.sdk.verdicts import Verdicts

Files = Annotated[list[str], typer.Argument(help="Files, folders or patterns; - is standard input.", metavar="FILE…")]
Strict = Annotated[bool, typer.Option("--strict", help="Exit with 1 when something was rejected.")]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the hub's verdicts.")]


def command(
    files: Files,
    strict: Strict = False,
    wait: Wait = True,
    show_all: ShowAll = False,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    token: TokenOption = None,
    ca_file: CaFile = None,
    patience: PatienceOption = 300.0,
) -> None:
    """Publish STIX: bundles, single objects, lists or NDJSON, also compressed with gzip or ZIP.

    What the hub has acknowledged is durable. The command then waits for the verdicts and prints their counts. It fails
    if all objects were rejected, and with --strict if one was.
    """
    from connectors.sdk.http import HttpPublisher
    from connectors.sdk.runner import Runner
    from connectors.stix_file.inputs import Inputs

    retries = RetryMessages()
    with hub_client(url, token, ca_file=ca_file, patience_s=patience, notify=retries) as client:
        publisher = HttpPublisher(client)
        with retries.over("push", quiet=as_json) as progress:
            runner = Runner(Inputs.named(files), publisher, progress=progress)
            failure: Exception | None = runner.attempt()
        report, rejected = runner.report, 0
        if failure and not report.receipts:
            raise failure
        if wait:
            verdicts = verdicts_on(client, publisher, report, retries, quiet=as_json, all_problems=as_json or show_all)
            print_verdicts(verdicts, as_json=as_json, show_all=show_all)
            failure = failure or _all_refused(verdicts)
            rejected = verdicts.rejected
        else:
            _print_receipts(report.receipts, report.objects, as_json=as_json)
    if failure:
        raise failure
    if strict and rejected:
        raise typer.Exit(1)


def _all_refused(verdicts: Verdicts) -> Refused | None:
    if not verdicts.received or verdicts.rejected < verdicts.received:
        return None
    says = f"The hub refused all {verdicts.received:,} objects."
    return Refused("push.all-refused", says, "Each code has a page in docs/rules that says what is wrong.")


def _print_receipts(receipts: list[str], objects: int, *, as_json: bool) -> None:
    if as_json:
        print_json({"sent": objects, "receipts": receipts})
        return
    for receipt in receipts:
        print(receipt)
