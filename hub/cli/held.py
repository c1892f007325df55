"""``ctihub held``: objects that wait for the operator, because a list or a rule indicates a risk for everyone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli import show
from hub.cli.admin import AsJson, ConfigFile, administer
from hub.model.times import stix_time

if TYPE_CHECKING:
    from hub.model.held import HeldObject

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Objects that wait for an operator's decision.")

Numbers = Annotated[list[int] | None, typer.Argument(help="Their numbers.", metavar="[NUMBER]…", show_default=False)]
ListName = Annotated[str | None, typer.Option("--list", metavar="NAME", help="Only hits on this list.")]
Centre = Annotated[str | None, typer.Option("--centre", metavar="NAME", help="Only what this centre or member sent.")]
All = Annotated[bool, typer.Option("--all", help="All held objects, but not what a breaker holds.")]

COLUMNS = ("no", "centre", "id", "list", "message", "at", "state")


@app.command("list")
def list_(
    list_name: ListName = None,
    centre: Centre = None,
    all_: Annotated[bool, typer.Option("--all", help="Also those that are already decided or superseded.")] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """List the held objects, oldest first."""
    from hub.model.held import HeldState

    state = None if all_ else HeldState.WAITING
    found = administer(config, lambda registry: registry.held.all(list_name=list_name, centre=centre, state=state))
    show.listing([row_of(each) for each in found], COLUMNS, as_json=as_json, nothing="Nothing is held.")


@app.command("show")
def show_(
    number: Annotated[int, typer.Argument(help="Its number.", metavar="NUMBER", show_default=False)],
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Show a held object as it was received."""
    found = administer(config, lambda registry: registry.held.find(number))
    row = {**row_of(found), "value": found.value.decode("utf-8", "replace")}
    if found.withdrawal is not None:
        row |= {"value": None, "withdrawal": str(found.withdrawal)}
    then = [f"ctihub held release {number}", f"ctihub held refuse {number}"] if found.state == "waiting" else []
    show.one(row, as_json=as_json, done=f"held {number}", then=then)


@app.command()
def release(
    number: Numbers = None,
    list_name: ListName = None,
    centre: Centre = None,
    all_: All = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Release held objects: they are processed as if they had not been held."""
    count = administer(
        config,
        lambda registry: registry.held.release(number or [], list_name=list_name, centre=centre, all_=all_),
    )
    _say_how_many("released", count, as_json=as_json)


@app.command()
def refuse(
    number: Numbers = None,
    list_name: ListName = None,
    centre: Centre = None,
    all_: All = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Refuse held objects permanently."""
    count = administer(
        config,
        lambda registry: registry.held.refuse(number or [], list_name=list_name, centre=centre, all_=all_),
    )
    _say_how_many("refused", count, as_json=as_json)


def _say_how_many(what: str, count: int, *, as_json: bool) -> None:
    if as_json:
        show.one({what: count}, as_json=True)
    else:
        print(f"{count:,} {what}." if count else f"0 {what}: nothing that waits is meant. See ctihub held list.")


def row_of(held: HeldObject) -> show.JsonRow:
    """Returns a held object as a JSON row."""
    return {
        "no": held.no,
        "centre": held.source,
        "id": held.stix_id,
        "code": held.code,
        "list": held.list_name,
        "message": held.says,
        "at": stix_time(held.at_us),
        "state": str(held.state),
        "receipt": held.receipt,
    }
