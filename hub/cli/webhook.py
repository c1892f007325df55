"""``ctihub webhook``: manages the caller's webhooks over the hub's HTTP interface."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from hub.cli import show
from hub.cli.client import DEFAULT_URL, AsJson, CaFile, PatienceOption, TokenOption, Url, hub_client
from hub.model.errors import Refused

if TYPE_CHECKING:
    from schemas.webhooks import WebhookInfo

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Webhooks: the hub posts changes to a URL.")

COLUMNS = ("id", "principal", "collection", "url", "state", "reason", "behind", "last_failure")
_PATH = "/v1/webhooks"
WebhookId = Annotated[str, typer.Argument(metavar="ID", help="Its id, as list shows it.", show_default=False)]


@app.command()
def add(
    collection: Annotated[str, typer.Argument(metavar="COLLECTION", help="What to post.", show_default=False)],
    to: Annotated[str, typer.Argument(metavar="TARGET", help="The URL to post to: https.", show_default=False)],
    type_: Annotated[
        list[str] | None, typer.Option("--type", metavar="indicator", help="Only these STIX types; repeatable.")
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option("--kind", metavar="ipv4-addr", help="Only these kinds of observable; repeatable."),
    ] = None,
    min_confidence: Annotated[
        int, typer.Option("--min-confidence", metavar="0-100", help="Of indicators only those this sure.")
    ] = 0,
    begin: Annotated[str, typer.Option("--from", metavar="now|start", help="Where to begin.")] = "now",
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    token: TokenOption = None,
    ca_file: CaFile = None,
    patience: PatienceOption = 60.0,
) -> None:
    """Have changes posted to a URL. The secret for checking their signatures is shown only once."""
    from schemas.webhooks import AddedWebhook

    asked: dict[str, Any] = {"collection": collection, "url": to, "types": type_ or [], "kinds": kind or []}
    asked |= {"min_confidence": min_confidence, "from": begin}
    with hub_client(url, token, ca_file=ca_file, patience_s=patience) as client:
        added = client.call(AddedWebhook, _PATH, "POST", json=asked)
    row = _row(added.webhook)
    if as_json:
        show.one({**row, "secret": added.secret}, as_json=True)
        return
    show.one(
        row,
        as_json=False,
        done=f"{collection} is posted to {added.webhook.url}",
        then=["# the secret, shown this once:", added.secret, f"ctihub webhook test {added.webhook.id}"],
    )


@app.command("list")
def list_(as_json: AsJson = False, url: Url = DEFAULT_URL, token: TokenOption = None, ca_file: CaFile = None) -> None:
    """Your webhooks, how far each is, and why one is paused; for an operator those of all."""
    from schemas.webhooks import WebhookList

    with hub_client(url, token, ca_file=ca_file, patience_s=5.0) as client:
        rows = [_row(one) for one in client.call(WebhookList, _PATH).webhooks]
    show.listing(rows, COLUMNS, as_json=as_json, nothing="No webhook yet: ctihub webhook add COLLECTION TARGET")


@app.command()
def remove(
    webhook: WebhookId,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    token: TokenOption = None,
    ca_file: CaFile = None,
) -> None:
    """Remove a webhook."""
    from schemas.webhooks import WebhookInfo

    with hub_client(url, token, ca_file=ca_file, patience_s=5.0) as client:
        found = client.call(WebhookInfo, f"{_PATH}/{quote(webhook, safe='')}", "DELETE")
    show.one(_row(found), as_json=as_json, done=f"Nothing is posted to {found.url} any more")


@app.command("test")
def try_(
    webhook: WebhookId,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    token: TokenOption = None,
    ca_file: CaFile = None,
) -> None:
    """Post one message without changes now; ends with 1 if the receiver does not take it."""
    from schemas.webhooks import WebhookTest

    with hub_client(url, token, ca_file=ca_file, patience_s=5.0) as client:
        found = client.call(WebhookTest, f"{_PATH}/{quote(webhook, safe='')}/test", "POST")
    show.one(found.model_dump(), as_json=as_json, done="The message was taken" if found.taken else "It was not taken")
    if not found.taken:
        raise Refused("webhook.not-taken", found.detail, "See docs/webhooks.md.")


@app.command()
def resume(
    webhook: WebhookId,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    token: TokenOption = None,
    ca_file: CaFile = None,
) -> None:
    """Try a paused or failing webhook at once; it goes on where it stopped."""
    from schemas.webhooks import WebhookInfo

    with hub_client(url, token, ca_file=ca_file, patience_s=5.0) as client:
        found = client.call(WebhookInfo, f"{_PATH}/{quote(webhook, safe='')}/resume", "POST")
    show.one(_row(found), as_json=as_json, done=f"{found.collection} is posted again, from change {found.position + 1}")


def _row(webhook: WebhookInfo) -> show.JsonRow:
    return webhook.model_dump()
