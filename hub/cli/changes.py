"""``ctihub changes``: what has changed in a collection."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.client import DEFAULT_URL, AsJson, CaFile, TokenOption, Url, hub_client, printable
from hub.model.errors import WrongUsage

if TYPE_CHECKING:
    from schemas.lookup import CollectionChange

Name = Annotated[str, typer.Argument(help="The collection.", metavar="COLLECTION")]
SinceOption = Annotated[
    str, typer.Option("--since", metavar="WHEN", help="A time span (30m, 24h, 7d), a time, or a change's number.")
]
_SPAN = re.compile(r"([0-9]{1,5})([mhdw])", re.ASCII)
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def command(
    collection: Name,
    since: SinceOption = "24h",
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    token: TokenOption = None,
    ca_file: CaFile = None,
) -> None:
    """Show what is new, changed or withdrawn in a collection."""
    point = since_text(since, datetime.now(UTC))
    with hub_client(url, token, needs_token=False, ca_file=ca_file, patience_s=5.0) as client:
        between = "[" if as_json else ""
        for change in client.changes(collection, point):
            if as_json:
                sys.stdout.write(between + change.model_dump_json(exclude_none=True))
                between = ",\n"
            else:
                print(_line(change))
        if as_json:
            sys.stdout.write("[]\n" if between == "[" else "]\n")


def since_text(said: str, now: datetime) -> str:
    """The ``since`` of a request: a time span before ``now`` as a time, anything else as it is. Raises WrongUsage."""
    span = _SPAN.fullmatch(said.strip())
    if span is None:
        return said
    try:
        moment = now - int(span[1]) * _UNITS[span[2]]
    except OverflowError:
        raise WrongUsage("changes.since", f"{said} ago there was no calendar.", "Say 0 for everything.") from None
    return f"{moment:%Y-%m-%dT%H:%M:%S}Z"


def _line(change: CollectionChange) -> str:
    confidence = "" if change.confidence is None else f"confidence {change.confidence}"
    words = (change.date_added, change.change, change.type, change.value or change.id, confidence)
    return printable("  ".join(filter(None, words)))
