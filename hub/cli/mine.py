"""``ctihub mine``: what you have published, what is held or was refused, and where each is shown."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli import show
from hub.cli.client import DEFAULT_URL, AsJson, CaFile, PatienceOption, TokenOption, Url, hub_client, say

if TYPE_CHECKING:
    from connectors.sdk.client import HubClient


class OwnState(StrEnum):
    """What can have become of what a source sent."""

    LIVE = "live"
    REVOKED = "revoked"
    WITHDRAWN = "withdrawn"
    HELD = "held"
    REFUSED = "refused"
    REJECTED = "rejected"


_OF_CLAIMS = {OwnState.LIVE, OwnState.REVOKED, OwnState.WITHDRAWN}
_OF_HELD = {OwnState.HELD, OwnState.REFUSED}
_COLUMNS = ("state", "id", "at", "shown", "message")

States = Annotated[
    list[OwnState] | None, typer.Option("--state", help="Only what is in this state; repeatable.", show_default=False)
]
Limit = Annotated[
    int,
    typer.Option("--limit", min=1, metavar="N", help="How many claims, held and rejected objects to show, of each."),
]


def command(
    state: States = None,
    limit: Limit = 100,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    token: TokenOption = None,
    ca_file: CaFile = None,
    patience: PatienceOption = 60.0,
) -> None:
    """Show what you have published, with the collections that show it, or why none does.

    Claims come in the order of their first arrival, then what is held or was refused by an operator, then the newest
    rejections.
    """
    states = set(state or OwnState)
    with hub_client(url, token, ca_file=ca_file, patience_s=patience) as client:
        parts = [list(islice(rows, limit + 1)) for rows in _parts(client, states, limit)]
    rows = [row for part in parts for row in part[:limit]]
    show.listing(rows if as_json else [_shown(row) for row in rows], _COLUMNS, as_json=as_json, nothing="Nothing.")
    if any(len(part) > limit for part in parts):
        say(f"There is more than {limit:,} of a kind; --limit and --state choose.")


def _parts(client: HubClient, states: set[OwnState], limit: int) -> Iterator[Iterator[Mapping[str, Any]]]:
    from connectors.sdk.own_pages import all_claims, all_held, all_rejections

    if claims := sorted(states & _OF_CLAIMS):
        yield (one.model_dump() for one in all_claims(client, claims))
    if held := sorted(states & _OF_HELD):
        yield (one.model_dump() for one in all_held(client, held))
    if OwnState.REJECTED in states:
        newest = deque(all_rejections(client), maxlen=limit + 1)
        yield ({"state": "rejected", **one.model_dump()} for one in reversed(newest))


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of the table, which a claim, a held object and a rejection fill in their own ways."""
    code = f"{row['code']}: " if row.get("code") else ""
    return {
        "state": row["state"],
        "id": row["id"] or "(no id)",
        "at": (row.get("modified") or row.get("at") or "-")[:19],
        "shown": [place["collection"] for place in row.get("shown", ())],
        "message": f"{code}{row.get('message') or ''}",
    }
