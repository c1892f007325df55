"""Shared by ``ctihub sighting`` and ``ctihub feedback``: how things are named, and how reports are sent."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from hub.cli import completing
from hub.cli.client import named_or_piped, print_verdicts
from hub.model.errors import WrongUsage

if TYPE_CHECKING:
    from connectors.sdk.client import HubClient
    from schemas.api import PushAccepted

_AT_ONCE = 1_000
_ID = re.compile(r"[a-z0-9][a-z0-9-]*--[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)

What = Annotated[
    list[str],
    typer.Argument(
        help="Values (198.51.100.7, hxxp://c2[.]example), patterns, or ids that a collection shows; - reads them from"
        " standard input.",
        metavar="VALUE|ID…",
    ),
]
Kind = Annotated[str | None, typer.Option("--type", metavar="TYPE", help="The STIX type of the values, if not clear.")]
Tlp = Annotated[
    str | None,
    typer.Option(
        "--tlp",
        metavar="LEVEL",
        autocompletion=completing.words(*completing.LEVELS),
        help="clear, green, amber, amber+strict or red; by default your own.",
    ),
]


def report(
    client: HubClient, verb: Literal["sightings", "verdicts"], things: Sequence[Any], more: Any, *, as_json: bool
) -> None:
    """Send reports on these things (see ``named``), each with ``more`` fields, and print what became of them."""
    from pydantic import ValidationError

    from connectors.sdk.verdicts import collect
    from schemas.feedback import SightingBody, VerdictBody

    receipts: list[PushAccepted] = []
    try:
        for some in (things[at : at + _AT_ONCE] for at in range(0, len(things), _AT_ONCE)):
            if verb == "sightings":
                receipts.append(client.report_sightings([SightingBody(**one, **more) for one in some]))
            else:
                receipts.append(client.report_verdicts([VerdictBody(**one, **more) for one in some]))
    except ValidationError as error:
        first = error.errors()[0]
        where = "/".join(map(str, first["loc"]))
        raise WrongUsage("feedback.option", f"{where or 'The report'}: {first['msg']}.", "See --help.") from None
    verdicts = collect(client, [one.status_url for one in receipts], all_problems=as_json)
    print_verdicts(verdicts, as_json=as_json, verb=verb)


def named(what: Sequence[str], kind: str | None, tlp: str | None) -> list[dict[str, str | None]]:
    """Each thing by its pattern, its id or its value, for a report."""
    found: list[dict[str, str | None]] = []
    for said in named_or_piped(what):
        how = "pattern" if said.lstrip().startswith("[") else "id" if _ID.fullmatch(said) else "value"
        found.append({how: said, "tlp": tlp, **({"type": kind} if kind else {})})
    if not found:
        raise WrongUsage("feedback.nothing", "Nothing is named.", "Name a value or an id.")
    return found
