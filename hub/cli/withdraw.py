"""``ctihub withdraw``: withdraws contributions, as the source that made them, or takes withdrawals back."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.client import (
    DEFAULT_URL,
    AsJson,
    CaFile,
    PatienceOption,
    TokenOption,
    Url,
    hub_client,
    named_or_piped,
    print_verdicts,
    printable,
    say,
)
from hub.model.errors import NotFound, WrongUsage

if TYPE_CHECKING:
    from connectors.sdk.client import HubClient
    from schemas.api import OwnClaimInfo

_IDS_AT_ONCE = 10_000
_is_id = re.compile(r"\W*[a-z0-9-]+--[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\W*", re.ASCII | re.IGNORECASE).fullmatch
"""The hub also reads ids in capitals, quotation marks or blanks."""

What = Annotated[
    list[str] | None,
    typer.Argument(
        help="STIX ids under which you published; values (198.51.100.7, hxxp://c2[.]example); patterns; - reads them"
        " from standard input.",
        metavar="[ID|VALUE]…",
    ),
]
Feed = Annotated[
    list[str] | None,
    typer.Option(
        "--feed", metavar="NAME", help="All that a feed of ctihub connect has published: its name, or its --state file."
    ),
]
Soft = Annotated[
    bool, typer.Option("--soft", help="Your source merely lists them no more: if they come again, they count.")
]
Undo = Annotated[
    bool,
    typer.Option("--undo", help="Take withdrawals back: what you send after this counts."),
]


def command(
    what: What = None,
    feed: Feed = None,
    soft: Soft = False,
    undo: Undo = False,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    token: TokenOption = None,
    ca_file: CaFile = None,
    patience: PatienceOption = 60.0,
) -> None:
    """Withdraw your contributions: by STIX id, by value, or all of a feed.

    What was withdrawn stays out when it comes again, until a newer version comes. Ends with 1 if nothing of that was
    there.
    """
    if soft and undo:
        raise WrongUsage("withdraw.both", "--soft and --undo exclude each other.", "Leave one of them out.")
    from connectors.sdk.verdicts import collect

    said = named_or_piped(what or [])
    if not said and not feed:
        raise WrongUsage("withdraw.nothing", "There is nothing to withdraw.", "Name an id, a value or a --feed.")
    with hub_client(url, token, ca_file=ca_file, patience_s=patience) as client:
        ids = chain(_named(client, said, soft=soft, undo=undo), _of_feeds(feed or []))
        receipts = [client.withdraw(some, soft=soft, restore=undo).status_url for some in _parts(ids)]
        verdicts = collect(client, receipts, all_problems=as_json)
        print_verdicts(verdicts, as_json=as_json, verb="restorations" if undo else "withdrawals", with_unchanged=True)
    if not verdicts.accepted:
        done = "nothing was taken back" if undo else "nothing was withdrawn"
        raise NotFound("withdraw.not-there", f"Nothing of that was there; {done}.", "ctihub explain shows your claims.")


def _named(client: HubClient, said: Iterable[str], *, soft: bool, undo: bool) -> Iterator[str]:
    """The ids among what was said, and those of the caller's claims about the values."""
    for one in said:
        if _is_id(one):
            yield one
            continue
        claims = list(client.own_claims(one))
        found = [claim for claim in claims if _is_meant(claim, soft=soft, undo=undo)]
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(Counter(claim.type for claim in found).items()))
        others = len(claims) - len(found)
        state = f"; {others:,} {'not withdrawn' if undo else 'withdrawn already'}" if others else ""
        say(f"{printable(one)}: {kinds or 'none of your claims'}{state}")
        yield from (claim.id for claim in found)


def _is_meant(claim: OwnClaimInfo, *, soft: bool, undo: bool) -> bool:
    """Whether it makes a difference to the claim. A withdrawal that stands keeps out what was softly withdrawn, too."""
    if undo:
        return claim.stands
    return claim.state != "withdrawn" if soft else not claim.stands


def _of_feeds(feeds: Iterable[str]) -> Iterator[str]:
    from connectors.sdk.published import PublishedFile
    from hub.cli.feeds import published_by

    for path in [published_by(feed) for feed in feeds]:
        ids = list(PublishedFile(path).ids())
        say(f"feed {path.stem}: {len(ids):,} ids")
        yield from ids


def _parts(ids: Iterator[str]) -> Iterator[list[str]]:
    while some := list(dict.fromkeys(islice(ids, _IDS_AT_ONCE))):
        yield some
