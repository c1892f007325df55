"""``ctihub deliveries``: the journal of reads, and who is behind."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlencode

import typer

from hub.cli.client import DEFAULT_URL, AsJson, CaFile, TokenOption, Url, console, hub_client, print_json
from hub.cli.tables import count_or_dash, text_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.table import Table

    from schemas.deliveries import Deliveries, DeliveryInfo, ReaderLagInfo

Name = Annotated[
    str | None,
    typer.Argument(
        help="For operators: a centre, a member, or anonymous; by default all.", metavar="[NAME]", show_default=False
    ),
]
Limit = Annotated[int, typer.Option("--limit", min=1, max=1_000, help="At most so many lines of each table.")]

_BEHIND = ("who", "collection", "behind", "reached", "of", "last fetched", "doors")
_READS = ("at", "who", "door", "collection", "asked", "reached", "objects", "bytes", "status", "client", "address")


def command(
    name: Name = None,
    limit: Limit = 20,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    token: TokenOption = None,
    ca_file: CaFile = None,
) -> None:
    """Show what was fetched last and who is behind: yours; an operator sees everybody's."""
    with hub_client(url, token, ca_file=ca_file, patience_s=5.0) as client:
        from schemas.deliveries import Deliveries

        said = {"limit": limit, **({} if name is None else {"principal": name})}
        found = client.call(Deliveries, f"/v1/deliveries?{urlencode(said)}")
    if as_json:
        print_json(found.model_dump())
        return
    screen = console()
    for table in _tables(found, datetime.now(UTC)):
        screen.print(table)
    if found.behind_total > len(found.behind):
        screen.print(f"… and {found.behind_total - len(found.behind):,} more that are less behind; see --limit.")


def _tables(found: Deliveries, now: datetime) -> Iterable[Table]:
    yield text_table("Behind", _BEHIND, [_lag_row(one, now) for one in found.behind])
    yield text_table("Last reads", _READS, [_read_row(one) for one in found.deliveries])


def _lag_row(one: ReaderLagInfo, now: datetime) -> Sequence[str]:
    doors = ", ".join(
        f"{door.door} {door.reached:,}{f' ({door.token}, {_since(door.at, now)})' if door.token else ''}"
        for door in one.doors
    )
    return (
        one.principal, one.collection, f"{one.behind:,}", f"{one.reached:,}", f"{one.last_seq:,}",
        _since(one.at, now), doors or "-",
    )  # fmt: skip


def _since(at: str | None, now: datetime) -> str:
    """Returns how long ago something was, in the unit that a person would use.

    >>> _since("2026-01-01T00:00:00.000Z", datetime(2026, 1, 4, tzinfo=UTC))
    '3 days ago'
    """
    if at is None:
        return "never"
    seconds = max(0, int((now - datetime.fromisoformat(at)).total_seconds()))
    for unit, size_s in (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)):
        if seconds >= size_s:
            count = seconds // size_s
            return f"{count} {unit}{'' if count == 1 else 's'} ago"
    return "now"


def _read_row(one: DeliveryInfo) -> Sequence[str]:
    who = f"{one.principal}.{one.token}" if one.token else one.principal
    return (
        one.at[:19], who, one.door, one.collection or "-", one.asked, count_or_dash(one.reached),
        count_or_dash(one.objects), count_or_dash(one.bytes), str(one.status or "-"), one.client or "-",
        one.address or "-",
    )  # fmt: skip
